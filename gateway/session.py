"""One jam as a state machine: client messages and worker replies go in, messages and plan requests come out. Pure.

A message is checked as a whole before anything is assigned, so a refused one leaves the session as it was (E2).

Flow of one tick: what sounded is brought up to its frame (`jam`), then it is answered in one of five ways (T3):
    listening    at once, during the initial silence
    busy         at once, under load, while the plan held says enough (P12)
    request      to a worker, if none is under way; answered by `receive_reply` or `give_up`
    waiting      while a request is under way, so that each plan builds on the one before; a newer tick supersedes it
    superseded   waiting or under way when `history` or `reset` replaced the jam
The first plan of a jam may take two requests, one after the other (`warm_start`). Beside all that, one `harmony` may be under way.
The caller submits `Effects.request`, and reports its outcome once. Outcomes of abandoned requests are ignored.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from gateway import warm_start
from gateway.errors import error_message
from gateway.harmony import HARMONIZE, Harmony, harmony_for
from gateway.jam import (
    Jam,
    Planned,
    Sounding,
    WarmStart,
    begin,
    check_tick,
    decision_age,
    note_in_chord,
    play,
    refused,
    silent_frames,
    unplanned_frames,
)
from gateway.planning import Situation, filled, is_listening, plan_message, plan_request, planned_from, revision, timing_of
from gateway.relief import Level, is_spared, relieved
from gateway.resume import resume
from gateway.warm_start import WARM_START
from schema.client_messages import (
    PROTOCOL_VERSION,
    Applied,
    Bye,
    ClientMessage,
    Configure,
    Configured,
    GatewayMessage,
    Harmonize,
    Hello,
    History,
    Keep,
    KeepReason,
    Limits,
    Reset,
    Settings,
    Tick,
    Welcome,
)
from schema.codes import BYE, Close, ErrorCode, ProtocolError
from schema.engine_messages import LATE, ModelInfo, PlanReply, PlanRequest, live_models, offline_model
from schema.grid import FRAMES_PER_BEAT, place_in_bar
from schema.melody import NoteEvent

MAX_SENT_PLANS = 128  # not applied yet; the outbox closes long before (4002)


class Effects(NamedTuple):
    """What the shell does next, and what it measures."""

    messages: tuple[GatewayMessage, ...] = ()  # to the client, in this order
    request: PlanRequest | None = None  # to the pool
    close: Close | None = None  # after the messages
    acknowledged: int | None = None  # plans up to this seq are applied or void
    played_frames: tuple[int, int] = (0, 0)  # frames after the silence that began; of them, those in which no chord sounds
    late_frames: int = 0  # of them, those without a plan (P5)
    decision_age_frames: int | None = None  # of the chord that sounds now
    revised_chords: int = 0  # frames of `planned_overlap` whose chord the new plan changed
    planned_overlap: int = 0  # frames that the new plan and the one before cover and the one before left open
    note_in_chord: tuple[int, int] = (0, 0)  # newly complete frames with note and chord: in how many the note is a chord tone, and all
    warm_start: Literal["done"] | KeepReason | None = None  # how the warm start that was tried came out


class _Asked(NamedTuple):
    """A tick that is to be answered by a plan."""

    seq: int
    arrived: float


class _Flight(NamedTuple):
    """The request under way, with all that its reply is read against."""

    asked: _Asked
    request: PlanRequest
    situation: Situation

    @property
    def opens(self) -> bool:
        """Whether an offline model was asked, for the opening of a warm start."""
        return self.request.session.endswith(WARM_START)

    def waits_for(self, session: str, seq: int) -> bool:
        """Whether this is the request of that name."""
        return (self.request.session, self.request.seq) == (session, seq)


class Session:
    """One player's jam. `now` is monotonic seconds wherever it appears."""

    def __init__(self, *, session_id: str, seed: int, models: Mapping[str, ModelInfo], settings: Settings, limits: Limits) -> None:
        self._id = session_id
        self._models = models
        self._limits = limits
        self._settings = settings
        self._temperature_chosen = False
        self._seed = seed
        self._welcomed = False
        self._bar_line = 0
        self._jam: Jam | None = None  # until the first tick
        self._least_frame = 0  # that the next tick may carry
        self._least_seq = 0
        self._applied: Planned | None = None  # the plan that sounds
        self._sent: dict[int, Planned] = {}  # plans sent since then, by seq
        self._previous: Planned | None = None  # the last plan sent
        self._flight: _Flight | None = None
        self._waiting: _Asked | None = None
        self._untold: WarmStart | None = None  # what plans bring until one of them is applied (P10)
        self._harmony: Harmony | None = None
        self.relief = Level.NONE  # what the gateway spares now (P12)

    @property
    def holds_promise(self) -> bool:
        """Whether the player has been given chords, here or before a `history`."""
        return self._previous is not None or (self._jam is not None and any(self._jam.chords))

    def receive(self, message: ClientMessage, now: float) -> Effects:
        """Answer a client message. Raises ProtocolError, with the state untouched (E2)."""
        if isinstance(message, Hello):
            return self._hello()
        if not self._welcomed:
            seq = message.seq if isinstance(message, Tick | Harmonize) else None
            kind = str(message.__struct_config__.tag)
            raise ProtocolError(ErrorCode.HELLO_FIRST, field="$.type", expected="hello", got=kind, seq=seq)
        match message:
            case Tick():
                return self._tick(message, now)
            case Harmonize():
                return self._harmonize(message)
            case Configure():
                return self._configure(message)
            case History():
                return self._history(message)
            case Reset():
                return self._reset()
            case Bye():  # pragma: no branch - mypy knows that these are all
                return Effects(close=BYE)

    def receive_reply(self, reply: PlanReply, now: float) -> Effects:
        """Turn a worker's reply into what it was asked for. A reply nobody waits for has no effect."""
        if reply.problem:
            return self.give_up(reply.session, reply.seq, "late" if reply.problem == LATE else "unavailable", now)
        if self._harmonizes(reply.session, reply.seq):
            return self._harmonized(reply)
        flight = self._flight
        if flight is None or not flight.waits_for(reply.session, reply.seq):
            return Effects()
        if flight.opens:
            return Effects(request=self._request_plan(flight.asked, warm_start.settled(reply, flight.situation), now))
        return self._planned(reply, flight, now)

    def give_up(self, session: str, seq: int, reason: KeepReason, now: float) -> Effects:
        """Say that no worker answers the request `seq` of `session`. A request that is not under way has no effect."""
        if self._harmonizes(session, seq):
            return self._give_up_harmony(seq, reason)
        flight = self._flight
        if flight is None or not flight.waits_for(session, seq):
            return Effects()
        return Effects((Keep(seq, reason),), self._next_request(now), warm_start=reason if flight.opens else None)

    def _planned(self, reply: PlanReply, flight: _Flight, now: float) -> Effects:
        """Answer the tick with its plan, and ask for the tick that waited."""
        situation = flight.situation
        reply, unrefined = filled(reply, flight.request, situation)
        planned = planned_from(reply, flight.request, situation, unrefined)
        changed, overlap = revision(situation.previous, planned)
        settles = situation.jam.warm_start != self._played().warm_start
        if settles:
            self._untold = situation.jam.warm_start
            self._jam = self._played()._replace(warm_start=self._untold)
        self._previous = planned
        self._sent[planned.seq] = planned
        if len(self._sent) > MAX_SENT_PLANS:
            del self._sent[next(iter(self._sent))]
        timing = timing_of(reply, gateway_ms=(now - flight.asked.arrived) * 1000.0, unrefined=unrefined)
        return Effects(
            (plan_message(planned, timing, self._untold),),
            self._next_request(now),
            revised_chords=changed,
            planned_overlap=overlap,
            warm_start="done" if settles else None,
        )

    # ---- messages ----

    def _hello(self) -> Effects:
        if self._welcomed:
            raise ProtocolError(ErrorCode.HELLO_FIRST, field="$.type", expected="one hello, at the start", got="a second hello")
        self._welcomed = True
        welcome = Welcome(
            session=self._id,
            seed=self._seed,
            version=PROTOCOL_VERSION,
            models=list(live_models(self._models)),
            settings=self._settings,
            limits=self._limits,
        )
        return Effects((welcome,))

    def _configure(self, message: Configure) -> Effects:
        """Apply the given settings together or not at all (S2)."""
        given = {name: value for name, value in msgspec.structs.asdict(message).items() if value is not None}
        self._check_settings(message)
        if message.temperature is not None:
            self._temperature_chosen = True
        elif message.model is not None and not self._temperature_chosen:
            given["temperature"] = self._models[message.model].temperature
        settings = msgspec.structs.replace(self._settings, **given)
        if self._jam is not None and settings.beats_per_bar != self._settings.beats_per_bar:  # G4
            self._bar_line = self._jam.frame - place_in_bar(self._jam.frame, self._settings.beats_per_bar, self._bar_line)
        self._settings = settings
        return Effects((self._configured(),))

    def _history(self, message: History) -> Effects:
        """Replace what is known (H1). No answer of its own (H6), but the ticks it overtakes get theirs."""
        resumed = resume(message, self._settings, self._limits.history_frames)
        effects = self._abandon()
        self._jam = resumed.jam
        self._least_frame = message.frame
        self._applied = self._previous = resumed.planned
        if resumed.planned is not None:
            self._least_seq = max(self._least_seq, resumed.planned.seq + 1)
        if message.seed is not None:
            self._seed = message.seed
        self._bar_line = message.bar_line
        self._untold = None
        return effects

    def _reset(self) -> Effects:
        """Forget the jam; the grid begins anew with a bar line at frame 0 (S4, G1)."""
        effects = self._abandon()
        self._jam = None
        self._least_frame = 0
        self._applied = self._previous = self._untold = None
        self._bar_line = 0
        return effects._replace(messages=(*effects.messages, self._configured()))

    def _tick(self, tick: Tick, now: float) -> Effects:
        jam = self._jam or begin(tick.frame)
        check_tick(tick, jam, least_frame=self._least_frame, least_seq=self._least_seq)
        sounding = self._sounding(tick, jam)
        events = [NoteEvent(event.frame, event.pitch, event.on) for event in tick.events]
        silence_frames = self._settings.silence_beats * FRAMES_PER_BEAT
        started = range(max(jam.frame + 1, silence_frames), tick.frame + 1)
        self._jam = play(jam, tick.frame, events, sounding)
        self._least_frame = tick.frame + 1
        self._least_seq = tick.seq + 1
        if sounding.planned is not None and sounding.planned is not self._applied:
            self._applied = sounding.planned
            self._sent = {seq: sent for seq, sent in self._sent.items() if seq > sounding.planned.seq}  # only newer plans count (P3)
            self._untold = None
        messages, request = self._answer(_Asked(tick.seq, now), now)
        return Effects(
            messages,
            request,
            acknowledged=tick.applied.seq if tick.applied else None,
            played_frames=(len(started), silent_frames(self._jam, len(started))),
            late_frames=unplanned_frames(sounding, started),
            decision_age_frames=decision_age(sounding, tick.frame) if tick.frame >= silence_frames else None,
            note_in_chord=note_in_chord(self._jam, jam.frame),
        )

    # ---- whole melodies ----

    def _harmonize(self, message: Harmonize) -> Effects:
        """Begin to harmonise (W1)."""
        if self._harmony is not None:
            raise ProtocolError(ErrorCode.BUSY, field="$.harmonize", expected="one at a time", got="another", seq=message.seq)
        model = offline_model(self._models)
        if model is None:
            expected = "an offline model in this gateway"
            raise ProtocolError(ErrorCode.UNKNOWN_MODEL, field="$.harmonize", expected=expected, got="none", seq=message.seq)
        harmony = harmony_for(message, session=self._id + HARMONIZE, model=model.name, settings=self._settings, seed=self._seed)
        if harmony.done:
            return Effects((harmony.next_part(),))
        self._harmony = harmony
        return Effects(request=harmony.next_request())

    def _harmonizes(self, session: str, seq: int) -> bool:
        return self._harmony is not None and (self._harmony.session, self._harmony.seq) == (session, seq)

    def _harmonized(self, reply: PlanReply) -> Effects:
        """Tell a part, and ask for the next one (W2)."""
        harmony = self._harmony
        assert harmony is not None, "expected a reply that is waited for"
        part = harmony.take(reply)
        if harmony.done:
            self._harmony = None
        return Effects((part,), harmony.next_request())

    def _give_up_harmony(self, seq: int, reason: KeepReason) -> Effects:
        self._harmony = None
        expected, got = "chords from a worker in time", f"none ({reason})"
        return Effects((error_message(ProtocolError(ErrorCode.UNAVAILABLE, field="$.harmonize", expected=expected, got=got, seq=seq)),))

    # ---- checks ----

    def _check_settings(self, message: Configure) -> None:
        live = live_models(self._models)
        if message.model is not None and message.model not in live:
            known = ", ".join(live) or "no model yet"
            raise ProtocolError(ErrorCode.UNKNOWN_MODEL, field="$.configure.model", expected=f"one of: {known}", got=repr(message.model))
        lookahead = self._settings.lookahead_beats if message.lookahead_beats is None else message.lookahead_beats
        commit = self._settings.commit_beats if message.commit_beats is None else message.commit_beats
        if commit > lookahead:
            named, bound = ("commit_beats", f"at most lookahead_beats = {lookahead}")
            if message.commit_beats is None:
                named, bound = ("lookahead_beats", f"at least commit_beats = {commit}")
            got = str(getattr(message, named))
            raise ProtocolError(ErrorCode.BAD_SETTING, field=f"$.configure.{named}", expected=bound, got=got)

    def _sounding(self, tick: Tick, jam: Jam) -> Sounding:
        """Which plan sounded in which of the frames since the last tick (T5); without news the plan before sounds on."""
        applied: Applied | None = tick.applied
        if applied is None or (self._applied is not None and applied.seq == self._applied.seq):
            return Sounding(None, self._applied, 0)
        planned = self._sent.get(applied.seq)
        if planned is None:
            expected = "the seq of a plan sent since the one applied before"
            raise refused(tick, ErrorCode.UNKNOWN_PLAN, "applied.seq", expected, applied.seq)
        if not jam.frame < applied.from_frame <= tick.frame:
            expected = f"a frame from {jam.frame + 1} to {tick.frame}, since the last tick"
            raise refused(tick, ErrorCode.BAD_FIELD, "applied.from_frame", expected, applied.from_frame)
        return Sounding(self._applied, planned, applied.from_frame)

    # ---- answers ----

    def _answer(self, asked: _Asked, now: float) -> tuple[tuple[GatewayMessage, ...], PlanRequest | None]:
        """Answer a tick at once, send it on or let it wait; a tick that waited is superseded (T6)."""
        messages: tuple[GatewayMessage, ...] = ()
        if self._waiting is not None:
            messages = (Keep(self._waiting.seq, "superseded"),)
            self._waiting = None
        if is_listening(self._situation()):
            return (*messages, Keep(asked.seq, "listening")), None
        if self._flight is None and is_spared(self.relief, self._situation()):
            return (*messages, Keep(asked.seq, "busy")), None
        self._waiting = asked
        return messages, None if self._flight else self._next_request(now)

    def _next_request(self, now: float) -> PlanRequest | None:
        """End the flight there was and start one for the waiting tick, if there is one."""
        asked, self._waiting, self._flight = self._waiting, None, None
        if asked is None:
            return None
        situation, offline = self._situation(), offline_model(self._models)
        if offline is None or not warm_start.is_due(situation):
            return self._request_plan(asked, situation, now)
        session, waited_ms = self._id + WARM_START, (now - asked.arrived) * 1000.0
        request = warm_start.opening_request(situation, offline.name, session=session, seq=asked.seq, waited_ms=waited_ms)
        self._flight = _Flight(asked, request, situation)
        return request

    def _request_plan(self, asked: _Asked, situation: Situation, now: float) -> PlanRequest:
        request = plan_request(situation, session=self._id, seq=asked.seq, waited_ms=(now - asked.arrived) * 1000.0)
        self._flight = _Flight(asked, request, situation)
        return request

    def _abandon(self) -> Effects:
        """Forget all plans; ticks without answer are superseded."""
        unanswered = [self._flight.request.seq] if self._flight else []
        unanswered += [self._waiting.seq] if self._waiting else []
        self._flight = self._waiting = None
        self._sent = {}
        messages = tuple(Keep(seq, "superseded") for seq in unanswered)
        return Effects(messages, acknowledged=self._least_seq - 1 if self._least_seq else None)

    def _played(self) -> Jam:
        assert self._jam is not None, "expected a tick before a plan"
        return self._jam

    def _situation(self) -> Situation:
        settings = relieved(self.relief, self._settings)
        return Situation(self._played(), self._previous, settings, self._seed, self._bar_line)

    def _configured(self) -> Configured:
        """The settings, and the first frame of the next plan that is asked for (S1); 0 before the first tick."""
        if self._jam is None:
            return Configured(self._settings, 0)
        return Configured(self._settings, self._least_frame if self._waiting else self._least_frame + 1)
