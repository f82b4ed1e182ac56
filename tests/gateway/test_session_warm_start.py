"""The first plans of a jam where an offline model is there: two requests for the first, and a past for those after the first chord."""

import copy
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.session import Effects, Session
from schema.chords import print_symbol
from schema.client_messages import Applied, Configure, Hello, History, Keep, MelodyRun, PendingPlan, Plan, Reset, Settings, SymbolRun, Tick
from schema.codes import ErrorCode
from schema.engine_messages import PlanReply, PlanRequest, unpack_values
from schema.grid import FRAMES_PER_BEAT
from schema.tokens import NOTHING, chord_hold, chord_of, chord_onset, note_hold, note_onset
from tests.strategies import (
    ALL_MODELS,
    HOLD,
    LIMITS,
    MODELS,
    STRIKE_C,
    STRIKE_G,
    C,
    G,
    asked,
    chord_actions,
    on,
    only,
    play_frame,
    refusal,
    reply_to,
    session_with,
)

LONG_C = (STRIKE_C, *[HOLD] * 99)
REST_THEN_G = (*[NOTHING] * 4, STRIKE_G, *[HOLD] * 99)  # from frame 4: a G that begins with the silence's end
WARM = [chord_onset(C), *[chord_hold(C)] * 7]


def jam_at(frame: int, **settings: Any) -> Session:
    """A jam in which one note was played in frame 1 and the tick of `frame` comes next; 2 beats of silence."""
    session = session_with(ALL_MODELS, **{"silence_beats": 2} | settings)
    session.receive(Tick(frame, frame - 1, [on(1)]), 0.0)
    return session


def opened(session: Session, frame: int, now: float = 0.0) -> PlanRequest:
    """The plan's request, after the offline model has answered the tick of `frame` with one long C."""
    opening = asked(session.receive(Tick(frame + 1, frame), 0.0))
    assert opening.session == "s/warm-start"
    return asked(session.receive_reply(reply_to(opening, LONG_C), now))


def warmed(session: Session, actions: tuple[int, ...] = (HOLD,)) -> Plan:
    """The plan that answers the tick of frame 3, after an opening in C."""
    plan = only(session.receive_reply(reply_to(opened(session, 3), actions), 0.0))
    assert isinstance(plan, Plan)
    return plan


# ---- the two requests ----


def test_the_offline_model_is_asked_first() -> None:
    """P10: the tick of frame s - 5 leads to a request for the chords of all frames so far."""
    request = asked(jam_at(3).receive(Tick(4, 3), 0.0))
    assert (request.session, request.seq, request.model) == ("s/warm-start", 4, "offline")
    assert (request.window_start, request.first_frame, request.lookahead_frames, request.chords) == (0, 0, 4, b"")
    assert unpack_values(request.melody) == [NOTHING, note_onset(60), note_hold(60), note_hold(60)]


def test_the_first_plan_is_asked_for_as_after_a_rest() -> None:
    """P10: then the live model is asked, and shown the silence as it is; what was waited is off the slack."""
    request = opened(jam_at(3), 3, now=0.03)
    assert (request.session, request.seq, request.model, request.first_frame) == ("s", 4, "online", 4)
    assert unpack_values(request.chords) == [NOTHING] * 8
    assert round(request.slack_ms, 6) == 70.0


def test_nothing_sounds_in_the_silence() -> None:
    """P10, P7: what is sent is N below s; the warm start comes along, the opening's last chord held to s."""
    session = jam_at(3)
    effects = session.receive_reply(reply_to(opened(session, 3), REST_THEN_G), 0.0)
    plan = only(effects)
    assert [(run.start, run.length, run.symbol, run.onset) for run in plan.chords] == [(4, 4, "N", False), (8, 12, "G", True)]
    assert plan.chords[1].pitches
    assert plan.warm_start == [SymbolRun(0, 8, "C")]
    assert effects.warm_start == "done"


def test_once_a_chord_has_sounded_the_silence_is_harmonised() -> None:
    """P10: a promised chord is none yet; from the tick on in whose frame one sounds, requests show the warm start below s."""
    session = jam_at(3)
    warmed(session, REST_THEN_G)
    before = asked(session.receive(Tick(8, 7, applied=Applied(4, 4)), 0.0))
    assert unpack_values(before.chords) == [*[NOTHING] * 8, chord_onset(G), *[chord_hold(G)] * 3]
    plan = only(session.receive_reply(reply_to(before), 0.0))
    assert [(run.start, run.length, run.symbol, run.onset) for run in plan.chords] == [(8, 16, "G", True)]
    for frame in (8, 9):
        request = asked(session.receive(Tick(frame + 1, frame), 0.0))
        assert unpack_values(request.chords)[: frame + 1] == [*WARM, chord_onset(G), chord_hold(G)][: frame + 1]
        session.receive_reply(reply_to(request), 0.0)


def test_a_first_plan_of_rests_leaves_the_silence_a_rest() -> None:
    """P10: however long the model rests; when it strikes at last, what it rested behind s stays N."""
    session = jam_at(3)
    assert {run.symbol for run in warmed(session).chords} == {"N"}
    late = asked(session.receive(Tick(11, 10, applied=Applied(4, 4)), 0.0))
    assert unpack_values(late.chords) == [NOTHING] * 12  # the last committed one is that of frame 11
    plan = only(session.receive_reply(reply_to(late, (NOTHING, STRIKE_G, *[HOLD] * 99)), 0.0))
    assert [(run.start, run.symbol) for run in plan.chords] == [(11, "N"), (12, "G")]
    after = asked(session.receive(Tick(13, 12, applied=Applied(11, 11)), 0.0))
    assert unpack_values(after.chords)[:13] == [*WARM, *[NOTHING] * 4, chord_onset(G)]


# ---- told until applied ----


def test_plans_bring_it_until_one_is_applied() -> None:
    """P10, T5: then the client has it."""
    session = jam_at(3)
    first = warmed(session)
    assert play_frame(session, 4).warm_start == first.warm_start
    assert play_frame(session, 5, applied=Applied(5, 5)).warm_start == []


def test_reset_forgets_it() -> None:
    """S4: the next jam begins with a warm start of its own, and nobody tells the old one."""
    session = jam_at(3)
    warmed(session)
    session.receive(Reset(), 0.0)
    session.receive(Tick(10, 2, [on(0)]), 0.0)
    again = asked(session.receive(Tick(11, 3), 0.0))
    assert again.session == "s/warm-start"
    session.give_up("s/warm-start", 11, "late", 0.0)
    session.receive(Configure(silence_beats=0), 0.0)
    assert play_frame(session, 11).warm_start == []


def test_other_silence_settings_do_not_change_it() -> None:
    """P10: settled once."""
    session = jam_at(3)
    warmed(session, REST_THEN_G)
    session.receive(Configure(silence_beats=4), 0.0)
    request = asked(session.receive(Tick(5, 8, applied=Applied(4, 4)), 0.0))
    assert unpack_values(request.chords)[:9] == [*WARM, chord_onset(G)]
    session.give_up("s", 5, "late", 0.0)
    session.receive(Configure(silence_beats=0), 0.0)
    request = asked(session.receive(Tick(6, 9), 0.0))
    assert unpack_values(request.chords)[:10] == [*WARM, chord_onset(G), chord_hold(G)]


# ---- cold starts ----


def test_failures_are_tried_again_while_the_silence_lasts() -> None:
    """P6, P10: a tick without warm start is kept with the reason; after s the jam begins cold."""
    session = jam_at(3)
    for frame in (3, 4, 5, 6):
        request = asked(session.receive(Tick(frame + 1, frame), 0.0))
        assert (request.session, request.lookahead_frames) == ("s/warm-start", frame + 1)
        if frame % 2:
            assert session.give_up("s/warm-start", frame + 1, "late", 0.0) == Effects((Keep(frame + 1, "late"),), warm_start="late")
        else:
            effects = session.receive_reply(PlanReply("s/warm-start", frame + 1, problem="no"), 0.0)
            assert effects == Effects((Keep(frame + 1, "unavailable"),), warm_start="unavailable")
    cold = asked(session.receive(Tick(8, 7), 0.0))
    assert (cold.session, unpack_values(cold.chords)) == ("s", [NOTHING] * 8)
    assert only(session.receive_reply(reply_to(cold, LONG_C), 0.0)).warm_start == []


def test_a_plan_that_fails_settles_nothing() -> None:
    """P10: the next tick asks the offline model again."""
    session = jam_at(3)
    opened(session, 3)
    assert session.give_up("s", 4, "late", 0.0) == Effects((Keep(4, "late"),))
    assert asked(session.receive(Tick(5, 4), 0.0)).session == "s/warm-start"


def test_no_notes_no_warm_start() -> None:
    """P10: there is nothing to harmonise."""
    assert asked(session_with(ALL_MODELS, silence_beats=2).receive(Tick(1, 3), 0.0)).session == "s"


def test_no_offline_model_no_warm_start() -> None:
    """P10: the silence counts as a rest."""
    session = session_with(MODELS, silence_beats=2)
    request = asked(session.receive(Tick(1, 3, [on(1)]), 0.0))
    assert (request.session, unpack_values(request.chords)) == ("s", [NOTHING] * 8)


def test_stale_replies() -> None:
    """P6: a reply under the other name, or after a reset, has no effect."""
    session = jam_at(3)
    opening = asked(session.receive(Tick(4, 3), 0.0))
    assert session.receive_reply(PlanReply("s", 4), 0.0) == Effects()
    assert session.give_up("s", 4, "late", 0.0) == Effects()
    session.receive(Reset(), 0.0)
    assert session.receive_reply(reply_to(opening), 0.0) == Effects()


def test_a_newer_tick_waits_for_both_requests() -> None:
    """T6: the plan of the first tick goes out after the warm start, then that of the newest."""
    session = jam_at(3)
    opening = asked(session.receive(Tick(4, 3), 0.0))
    session.receive(Tick(5, 4), 0.0)
    assert session.receive(Tick(6, 5), 0.0).messages == (Keep(5, "superseded"),)
    plan = asked(session.receive_reply(reply_to(opening, LONG_C), 0.0))
    assert (plan.session, plan.seq) == ("s", 4)
    effects = session.receive_reply(reply_to(plan), 0.0)
    assert (only(effects).seq, asked(effects).session, asked(effects).seq) == (4, "s", 6)


# ---- models ----


def test_offline_models_do_not_play_live() -> None:
    """C4: `welcome` lists live models, and no other can be chosen."""
    session = Session(session_id="s", seed=7, models=ALL_MODELS, settings=Settings(), limits=LIMITS)
    assert only(session.receive(Hello(), 0.0)).models == ["online", "rl"]
    error = refusal(session, Configure(model="offline"))
    assert (error.code, error.expected, error.got) == (ErrorCode.UNKNOWN_MODEL, "one of: online, rl", "'offline'")


# ---- history ----


def test_a_history_brings_it_back() -> None:
    """H8: with what a plan brought, the models see from the first chord on what they saw; nobody tells it again. Without it, a rest."""
    pending = PendingPlan(4, 12, [SymbolRun(4, 4, "N"), SymbolRun(8, 12, "C")])
    for echo, view in (([SymbolRun(0, 8, "G")], [chord_onset(G), *[chord_hold(G)] * 7]), ([], [NOTHING] * 8)):
        session = session_with(ALL_MODELS, silence_beats=2)
        session.receive(History(4, 0, chords=[SymbolRun(0, 5, "N")], plan=pending, warm_start=echo), 0.0)
        request = asked(session.receive(Tick(5, 4, [on(4)]), 0.0))
        assert (request.session, unpack_values(request.chords)[:8]) == ("s", [NOTHING] * 8)
        assert only(session.receive_reply(reply_to(request), 0.0)).warm_start == []
        request = asked(session.receive(Tick(6, 8, applied=Applied(4, 5)), 0.0))
        assert unpack_values(request.chords)[:9] == [*view, chord_onset(C)]


def test_a_history_before_the_first_plan_begins_warm() -> None:
    """P10: without plan and warm start there is one to be had."""
    session = session_with(ALL_MODELS, silence_beats=2)
    session.receive(History(4, 0, chords=[SymbolRun(0, 5, "N")]), 0.0)
    assert asked(session.receive(Tick(5, 5, [on(4)]), 0.0)).session == "s/warm-start"


# ---- whatever the models play ----


class Jamming:
    """A jam played through: a note in frame 0, every tick from 0 on answered in time, every plan applied at once."""

    def __init__(self, silence: int, opening: list[int], actions: list[int], commit: int) -> None:
        self.given = {"silence_beats": silence, "commit_beats": commit}
        self.actions = {"offline": opening, "online": actions}
        self.frames = silence * FRAMES_PER_BEAT + 8
        self.session = session_with(ALL_MODELS, **self.given)
        self.plans: list[Plan] = []
        self.requests: list[PlanRequest] = []
        self.warm_start: list[SymbolRun] = []
        self.sounded: list[SymbolRun] = []  # one for each frame

    def play(self, resume_after: int | None = None) -> "Jamming":
        """Play to the end; after the tick of frame `resume_after` with a new session."""
        for frame in range(self.frames):
            self.tick(frame)
            if frame == resume_after:
                self.session = session_with(ALL_MODELS, **self.given)
                self.session.receive(self.history(frame), 0.0)
        return self

    def tick(self, frame: int) -> None:
        run = self.plans[-1].chords[0] if self.plans else None
        self.sounded.append(SymbolRun(frame, 1, run.symbol, run.onset) if run else SymbolRun(frame, 1, "N"))
        applied = Applied(self.plans[-1].seq, frame) if self.plans else None
        effects = self.session.receive(Tick(frame, frame, [on(0)] if frame == 1 else [], applied), 0.0)
        while effects.request is not None:
            self.requests.append(effects.request)
            actions = self.actions[effects.request.model]
            effects = self.session.receive_reply(reply_to(effects.request, actions[frame % len(actions) :] + actions), 0.0)
        for plan in effects.messages:
            if isinstance(plan, Plan):
                self.plans.append(plan)
                self.warm_start = plan.warm_start or self.warm_start

    def history(self, frame: int) -> History:
        """All that the client knows (H2, H4, H8)."""
        pending = None
        if self.plans:
            chords = [SymbolRun(run.start, run.length, run.symbol, run.onset) for run in self.plans[-1].chords]
            pending = PendingPlan(self.plans[-1].seq, self.plans[-1].committed_until, chords)
        melody = [MelodyRun(0, frame, 60)] if frame else []
        return History(frame, 0, melody, self.sounded, pending, seed=7, warm_start=self.warm_start)


jams = st.builds(
    Jamming, silence=st.integers(2, 4), opening=chord_actions, actions=chord_actions, commit=st.integers(0, 4)
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(jam=jams)
def test_warm_jams_keep_all_promises(jam: Jamming) -> None:
    """P10, P7, P2: no chord before s, none held into it; what is committed stays; the first plan brings the whole silence, once."""
    jam.play()
    end_frame = jam.given["silence_beats"] * FRAMES_PER_BEAT
    assert [request.session for request in jam.requests[:3]] == ["s/warm-start", "s", "s"]
    assert (jam.plans[0].first_frame, jam.plans[1].warm_start) == (end_frame - 4, [])
    assert sum(run.length for run in jam.plans[0].warm_start) == end_frame
    promised: dict[int, tuple[str, bool, list[int]]] = {}
    for plan in jam.plans:
        for run in plan.chords:
            for frame in range(run.start, run.start + run.length):
                struck = run.onset and frame == run.start
                assert run.symbol == "N" or frame >= end_frame
                assert struck or run.symbol == "N" or frame != end_frame
                says = (run.symbol, struck, run.pitches)
                assert promised.get(frame, says) == says
                if frame < plan.committed_until:
                    promised[frame] = says


@settings(deadline=None, max_examples=60)
@given(jam=jams)
def test_the_silence_is_a_rest_until_a_chord_has_sounded(jam: Jamming) -> None:
    """P10: then the warm start, in every later request; what sounded is shown as it did."""
    jam.play()
    warm = [run.symbol for run in jam.warm_start for _ in range(run.length)]
    sounded = [run.symbol for run in jam.sounded]
    silence = sum(1 for _ in itertools.takewhile("N".__eq__, sounded))
    for request in jam.requests[1:]:
        seen = [print_symbol(chord_of(value)) for value in unpack_values(request.chords)[: request.first_frame]]
        harmonised = warm if silence < request.first_frame else []
        assert seen == [*harmonised, *sounded[len(harmonised) : request.first_frame]]


@settings(deadline=None, max_examples=60)
@given(jam=jams, data=st.data())
def test_warm_jams_can_be_resumed(jam: Jamming, data: st.DataObject) -> None:
    """H8, H5, P8: with the warm start sent back, a new session asks for the same plans and gives the same chords."""
    again = copy.deepcopy(jam).play(data.draw(st.integers(0, jam.frames - 1)))
    jam.play()
    assert again.requests == jam.requests
    assert [(run.start, run.symbol, run.onset) for plan in again.plans for run in plan.chords] == [
        (run.start, run.symbol, run.onset) for plan in jam.plans for run in plan.chords
    ]
