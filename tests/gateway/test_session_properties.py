"""Random jams against a client that keeps its own account of everything: what must hold whatever happens."""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.relief import Level, relieved
from gateway.session import Effects, Session
from schema.client_messages import (
    ChordRun,
    ClientMessage,
    Configure,
    Configured,
    Hello,
    Keep,
    NoteEvent,
    Plan,
    Reset,
    Settings,
    Tick,
)
from schema.codes import ProtocolError
from schema.engine_messages import ModelInfo, PlanReply, PlanRequest, unpack_values
from schema.grid import FRAMES_PER_BEAT, bar_frames
from schema.tokens import NUM_CHORDS, NUM_PITCHES, first_break
from tests.gateway.player_by_hand import Player
from tests.strategies import ALL_MODELS, LIMITS, MODELS, chord_actions, configures, harmonizes, histories, pitches, reply_to, ticks

REASONS = ("late", "busy", "unavailable")


def greeted(settings: Settings, seed: int, models: Mapping[str, ModelInfo]) -> Session:
    session = Session(session_id="s", seed=seed, models=models, settings=settings, limits=LIMITS)
    session.receive(Hello(), 0.0)
    return session


def snapshot(session: Session) -> dict[str, Any]:
    return copy.deepcopy(vars(session))


class Jamming(RuleBasedStateMachine):
    """One session, its client, and a worker that answers whenever the test says."""

    @initialize(silence=st.sampled_from((0, 1, 2, 2)), seed=st.integers(0, 2**32 - 1), models=st.sampled_from((MODELS, ALL_MODELS)))
    def start(self, silence: int, seed: int, models: Mapping[str, ModelInfo]) -> None:
        self.models = models
        self.settings = Settings(model="online", silence_beats=silence)
        self.seed = seed
        self.session = greeted(self.settings, seed, models)
        self.player: Player | None = None
        self.bar_line = 0
        self.seq = 0
        self.open: list[int] = []  # seqs of ticks without an answer
        self.request: PlanRequest | None = None
        self.committed: dict[int, tuple[str, tuple[int, ...] | None]] = {}
        self.now = 0.0

    # ---- what the client does ----

    @rule(frames=st.sampled_from((1, 1, 1, 1, 2, 3, 200)), notes=st.lists(st.tuples(st.integers(0, 3), pitches, st.booleans()), max_size=4))
    def tick(self, frames: int, notes: list[tuple[int, int, bool]]) -> None:
        player = self.player
        if player is None:
            self.player = player = Player()
            frames -= 1
        since = player.frame
        for _ in range(frames):
            player.begin_frame()
        events = sorted(
            (NoteEvent(min(since + offset, player.frame), pitch, is_on) for offset, pitch, is_on in notes), key=lambda event: event.frame
        )
        player.events = sorted(player.events + events, key=lambda event: event.frame)
        self.send_tick(player.owed + events)
        player.owed = []

    @precondition(lambda self: self.request is None)
    @rule(notes=st.lists(st.tuples(st.integers(0, 1), pitches, st.booleans()), max_size=2), actions=chord_actions, ticks=st.integers(1, 5))
    def play_on(self, notes: list[tuple[int, int, bool]], actions: list[int], ticks: int) -> None:
        """A few ticks, each answered in time."""
        for _ in range(ticks):
            self.tick(1, notes)
            while self.request is not None:
                self.reply(actions)

    @rule(message=configures)
    def configure(self, message: Configure) -> None:
        effects = self.receive(message)
        if effects is not None:
            (answer,) = effects.messages
            assert isinstance(answer, Configured)
            self.settings, old = answer.settings, self.settings
            if self.player and old.beats_per_bar != self.settings.beats_per_bar:
                bars = (self.player.frame - self.bar_line) // bar_frames(old.beats_per_bar)
                self.bar_line += bars * bar_frames(old.beats_per_bar)

    @precondition(lambda self: self.player is not None)
    @rule(extra_frames=st.sampled_from((0, 1, 100)))
    def history(self, extra_frames: int) -> None:
        """H6: a valid history has no answer; it only ends what was unanswered."""
        assert self.player is not None
        effects = self.receive(self.player.history(self.seed, self.bar_line, extra_frames))
        assert effects is not None
        self.request = None
        self.player.owed = self.player.events_again()
        self.forget_pitches()
        assert self.open == []

    @rule()
    def reset(self) -> None:
        effects = self.receive(Reset())
        assert effects is not None
        assert effects.messages[-1] == Configured(self.settings, 0)
        self.player, self.request, self.bar_line, self.committed = None, None, 0, {}
        assert self.open == []

    @rule(message=st.one_of(ticks, histories, configures, harmonizes, st.just(Hello())))
    def anything(self, message: ClientMessage) -> None:
        """E2: whatever is refused leaves the session untouched; what is accepted is forgotten with the copy."""
        session = copy.deepcopy(self.session)
        before = snapshot(session)
        try:
            session.receive(message, self.now)
        except ProtocolError:
            assert vars(session) == before

    @rule(level=st.sampled_from(Level))
    def load_changes(self, level: Level) -> None:
        self.session.relief = level

    # ---- what the pool does ----

    @precondition(lambda self: self.request is not None)
    @rule(actions=chord_actions, frames=st.sampled_from((1, 2, 5, 99)))
    def reply(self, actions: list[int], frames: int = 99) -> None:
        """Whole, or a live plan's head only (P11)."""
        assert self.request is not None
        request, self.request = self.request, None
        reply = reply_to(request, actions)
        if "/" not in request.session:
            reply = msgspec.structs.replace(reply, chords=reply.chords[: 2 * frames])
        self.take(self.session.receive_reply(reply, self.now), request)

    @precondition(lambda self: self.request is not None)
    @rule(reason=st.sampled_from(REASONS), broken=st.booleans())
    def give_up(self, reason: Any, broken: bool) -> None:
        assert self.request is not None
        request, self.request = self.request, None
        if broken:
            self.take(self.session.receive_reply(PlanReply(request.session, request.seq, problem="out of order"), self.now), request)
        else:
            self.take(self.session.give_up(request.session, request.seq, reason, self.now), request)

    @rule(seq=st.integers(0, 60))
    def late_reply(self, seq: int) -> None:
        """P6: what comes for a tick that is not under way has no effect."""
        if self.request is None or self.request.seq != seq:
            before = snapshot(self.session)
            assert self.session.receive_reply(PlanReply("s", seq), self.now) == Effects()
            assert self.session.give_up("s", seq, "late", self.now) == Effects()
            assert vars(self.session) == before

    # ---- what must hold ----

    @precondition(lambda self: self.player is not None)
    @rule(notes=st.lists(st.tuples(pitches, st.booleans()), max_size=2), extra_frames=st.sampled_from((0, 7)))
    def resumed_session_goes_on(self, notes: list[tuple[int, bool]], extra_frames: int) -> None:
        """H5: a session restored by `history` sends the same next request as the one that was never interrupted."""
        assert self.player is not None
        uninterrupted, player = copy.deepcopy(self.session), copy.deepcopy(self.player)
        for seq, session in itertools.product(self.open, ("s", "s/warm-start")):
            uninterrupted.give_up(session, seq, "late", self.now)
        restored = greeted(self.settings, 0, self.models)
        uninterrupted.relief = restored.relief = Level.NONE  # under load two sessions need not be spared at the same ticks
        restored.receive(player.history(self.seed, self.bar_line, extra_frames), self.now)
        again = player.events_again()
        player.begin_frame()
        events = [NoteEvent(player.frame, pitch, is_on) for pitch, is_on in notes]
        one = uninterrupted.receive(Tick(self.seq, player.frame, player.owed + events, player.applied()), self.now)
        other = restored.receive(Tick(self.seq, player.frame, again + events, player.applied()), self.now)
        assert one.request == other.request
        assert one.messages == other.messages

    @invariant()
    def unanswered(self) -> None:
        """T3, T6: beside the tick under way at most one waits."""
        assert len(self.open) <= 2
        assert (self.request is None) == (not self.open)

    def teardown(self) -> None:
        """T3: every tick is answered in the end."""
        while getattr(self, "request", None) is not None:
            self.give_up("late", False)
        assert getattr(self, "open", []) == []

    # ---- helpers ----

    def send_tick(self, events: list[NoteEvent]) -> None:
        assert self.player is not None
        tick = Tick(self.seq, self.player.frame, events, self.player.applied())
        self.seq += 1
        self.open.append(tick.seq)
        assert self.receive(tick) is not None

    def receive(self, message: ClientMessage) -> Effects | None:
        """Hand over a message; None if it was refused, with the session as before (E2)."""
        self.now += 0.05
        before = snapshot(self.session)
        try:
            effects = self.session.receive(message, self.now)
        except ProtocolError:
            assert vars(self.session) == before
            return None
        self.take(effects, None)
        return effects

    def take(self, effects: Effects, request: PlanRequest | None) -> None:
        """Every answer fits exactly one open tick; a new request only comes when none is under way."""
        for message in effects.messages:
            if isinstance(message, Keep | Plan):
                self.open.remove(message.seq)
            if request is None and isinstance(message, Keep) and message.reason == "busy":
                self.check_spared()
            if isinstance(message, Plan):
                assert request is not None
                self.check_plan(message, request)
        if effects.request is not None:
            assert self.request is None
            if request is not None and request.seq == effects.request.seq:
                assert request.model == "offline"
                assert effects.request.first_frame == request.lookahead_frames
            else:
                self.check_request(effects.request)
            self.check_values(effects.request)
            self.request = effects.request

    def check_request(self, request: PlanRequest) -> None:
        """P1: it is for the newest tick and the settings as they stand."""
        assert self.player is not None
        if request.model == "offline":
            assert request.lookahead_frames == self.player.frame + 1 < self.settings.silence_beats * FRAMES_PER_BEAT
        else:
            assert request.first_frame == self.player.frame + 1
            assert request.lookahead_frames >= relieved(self.session.relief, self.settings).lookahead_beats * FRAMES_PER_BEAT

    def check_spared(self) -> None:
        """P12: under load only, and what is spared is not missed before the next tick's plan can come."""
        assert self.session.relief > Level.NONE
        assert self.player is not None
        plan = self.player.newest
        assert plan is not None
        assert plan.chords[-1].start + plan.chords[-1].length >= self.player.frame + 3

    def check_values(self, request: PlanRequest) -> None:
        """P8: known chords and melody obey the grammar and lie in the window. P10: an offline model hears all of it before the plan."""
        chords, melody = unpack_values(request.chords), unpack_values(request.melody)
        assert first_break(chords, NUM_CHORDS) is None
        assert first_break(melody, NUM_PITCHES) is None
        past = request.first_frame - request.window_start
        if request.model == "offline":
            assert (request.window_start, past, chords, len(melody)) == (0, 0, [], request.lookahead_frames)
        else:
            assert len(melody) in (past - 1, past)
            assert past <= len(chords) <= past + request.lookahead_frames

    def check_plan(self, plan: Plan, request: PlanRequest) -> None:
        """P1: one chord per frame, no gaps. P2: what was committed stays. P4: what goes on keeps its pitches."""
        assert self.player is not None
        frame = plan.first_frame
        assert (plan.seq, frame) == (request.seq, request.first_frame)
        for run in plan.chords:
            assert run.start == frame
            assert (run.symbol == "N") == (not run.pitches)
            for committed in range(frame, frame + run.length):
                self.check_committed(committed, run, plan.committed_until)
            frame += run.length
        assert frame == plan.first_frame + request.lookahead_frames >= plan.committed_until
        first, sounding = plan.chords[0], self.player.chords[plan.first_frame - 1]
        if not first.onset and first.symbol != "N":
            assert first.symbol == sounding.symbol
            assert sounding.pitches in (None, tuple(first.pitches))
        if plan.warm_start:
            assert self.player.warm_start in ([], plan.warm_start), "settled once (P10)"
            assert self.player.playing is None, "told until a plan is applied (P10)"
            self.player.warm_start = plan.warm_start
        self.player.newest, self.player.pitches_known = plan, True

    def check_committed(self, frame: int, run: ChordRun, committed_until: int) -> None:
        symbol, pitches = self.committed.get(frame, (run.symbol, None))
        assert symbol == run.symbol
        if run.onset:
            assert pitches in (None, tuple(run.pitches))
        if frame < committed_until:
            self.committed[frame] = (run.symbol, tuple(run.pitches) if run.onset else None)

    def forget_pitches(self) -> None:
        """A history holds no pitches: those that sound or were promised are chosen anew."""
        assert self.player is not None
        self.player.chords[-1] = self.player.chords[-1]._replace(pitches=None)
        self.player.pitches_known = False
        self.committed = {frame: (symbol, None) for frame, (symbol, _) in self.committed.items()}


Jamming.TestCase.settings = hypothesis_settings(max_examples=100, stateful_step_count=50, deadline=None)
TestJamming = Jamming.TestCase
