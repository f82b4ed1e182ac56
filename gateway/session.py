"""One jam as a state machine: client messages and worker replies go in, messages and plan requests come out. Pure.

A message is checked as a whole before anything is assigned, so a refused one leaves the session as it was (E2).

Flow of one tick: what sounded is brought up to its frame (`jam`), then it is answered in one of four ways (T3):
    listening    at once, during the initial silence
    request      to a worker, if none is under way; answered by `receive_reply` or `give_up`
    waiting      while a request is under way, so that each plan builds on the one before; a newer tick supersedes it
    superseded   waiting or under way when `history` or `reset` replaced the jam
The caller submits `Effects.request`, and reports its outcome once. Outcomes of abandoned requests are ignored.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.jam import MAX_JUMP_FRAMES, Jam, Planned, Sounding, begin, decision_age, note_in_chord, play, unplanned_frames
from gateway.planning import Situation, is_listening, plan_message, plan_request, planned_from, revision
from gateway.resume import resume
from schema.client_messages import (
    PROTOCOL_VERSION,
    Applied,
    Bye,
    ClientMessage,
    Configure,
    Configured,
    GatewayMessage,
    Hello,
    History,
    Keep,
    KeepReason,
    Limits,
    Reset,
    Settings,
    Tick,
    Timing,
    Welcome,
)
from schema.codes import BYE, Close, ErrorCode, ProtocolError
from schema.engine_messages import ModelInfo, PlanReply, PlanRequest
from schema.grid import FRAMES_PER_BEAT, place_in_bar
from schema.melody import NoteEvent

MAX_SENT_PLANS = 128  # not applied yet; the outbox closes long before (4002)


class Effects(NamedTuple):
    """What the shell does next, and what it measures."""

    messages: tuple[GatewayMessage, ...] = ()  # to the client, in this order
    request: PlanRequest | None = None  # to the pool
    close: Close | None = None  # after the messages
    acknowledged: int | None = None  # plans up to this seq are applied or void
    late_frames: int = 0  # frames after the silence that began without a plan (P5)
    decision_age_frames: int | None = None  # of the chord that sounds now
    revised_chords: int = 0  # frames of `planned_overlap` whose chord the new plan changed
    planned_overlap: int = 0  # frames that the new plan and the one before cover and the one before left open
    note_in_chord: tuple[int, int] = (0, 0)  # newly complete frames with note and chord: in how many the note is a chord tone, and all


class _Asked(NamedTuple):
    """A tick that is to be answered by a plan."""

    seq: int
    arrived: float


class _Flight(NamedTuple):
    """The request under way, with all that its reply is read against."""

    asked: _Asked
    request: PlanRequest
    situation: Situation


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

    def receive(self, message: ClientMessage, now: float) -> Effects:
        """Answer a client message. Raises ProtocolError, with the state untouched (E2)."""
        if isinstance(message, Hello):
            return self._hello()
        if not self._welcomed:
            seq = message.seq if isinstance(message, Tick) else None
            kind = str(message.__struct_config__.tag)
            raise ProtocolError(ErrorCode.HELLO_FIRST, field="$.type", expected="hello", got=kind, seq=seq)
        match message:
            case Tick():
                return self._tick(message, now)
            case Configure():
                return self._configure(message)
            case History():
                return self._history(message)
            case Reset():
                return self._reset()
            case Bye():  # pragma: no branch - mypy knows that these are all
                return Effects(close=BYE)

    def receive_reply(self, reply: PlanReply, now: float) -> Effects:
        """Turn a worker's reply into the answer of its tick, and ask for the tick that waited. A reply nobody waits for has no effect."""
        flight = self._flight
        if flight is None or flight.request.seq != reply.seq:
            return Effects()
        if reply.problem:
            return self.give_up(reply.seq, "unavailable", now)
        planned = planned_from(reply, flight.request, flight.situation)
        changed, overlap = revision(flight.situation.previous, planned)
        self._previous = planned
        self._sent[planned.seq] = planned
        if len(self._sent) > MAX_SENT_PLANS:
            del self._sent[next(iter(self._sent))]
        message = plan_message(planned, _timing(reply, flight.asked, now))
        return Effects((message,), self._next_request(now), revised_chords=changed, planned_overlap=overlap)

    def give_up(self, seq: int, reason: KeepReason, now: float) -> Effects:
        """Answer the tick `seq` without a plan, and ask for the tick that waited. A tick that is not under way has no effect."""
        if self._flight is None or self._flight.request.seq != seq:
            return Effects()
        return Effects((Keep(seq, reason),), self._next_request(now))

    # ---- messages ----

    def _hello(self) -> Effects:
        if self._welcomed:
            raise ProtocolError(ErrorCode.HELLO_FIRST, field="$.type", expected="one hello, at the start", got="a second hello")
        self._welcomed = True
        welcome = Welcome(
            session=self._id,
            seed=self._seed,
            version=PROTOCOL_VERSION,
            models=list(self._models),
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
        return effects

    def _reset(self) -> Effects:
        """Forget the jam; the grid begins anew with a bar line at frame 0 (S4, G1)."""
        effects = self._abandon()
        self._jam = None
        self._least_frame = 0
        self._applied = self._previous = None
        self._bar_line = 0
        return effects._replace(messages=(*effects.messages, self._configured()))

    def _tick(self, tick: Tick, now: float) -> Effects:
        jam = self._jam or begin(tick.frame)
        self._check_tick(tick, jam)
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
        messages, request = self._answer(_Asked(tick.seq, now), now)
        return Effects(
            messages,
            request,
            acknowledged=tick.applied.seq if tick.applied else None,
            late_frames=unplanned_frames(sounding, started),
            decision_age_frames=decision_age(sounding, tick.frame) if tick.frame >= silence_frames else None,
            note_in_chord=note_in_chord(self._jam, jam.frame),
        )

    # ---- checks ----

    def _check_settings(self, message: Configure) -> None:
        if message.model is not None and message.model not in self._models:
            known = ", ".join(self._models) or "no model yet"
            raise ProtocolError(ErrorCode.UNKNOWN_MODEL, field="$.configure.model", expected=f"one of: {known}", got=repr(message.model))
        lookahead = self._settings.lookahead_beats if message.lookahead_beats is None else message.lookahead_beats
        commit = self._settings.commit_beats if message.commit_beats is None else message.commit_beats
        if commit > lookahead:
            named, bound = ("commit_beats", f"at most lookahead_beats = {lookahead}")
            if message.commit_beats is None:
                named, bound = ("lookahead_beats", f"at least commit_beats = {commit}")
            got = str(getattr(message, named))
            raise ProtocolError(ErrorCode.BAD_SETTING, field=f"$.configure.{named}", expected=bound, got=got)

    def _check_tick(self, tick: Tick, jam: Jam) -> None:
        """Rules T1, T2 and T4."""
        if tick.seq < self._least_seq:
            raise _refused(tick, ErrorCode.BAD_FIELD, "seq", f"{self._least_seq} or more, rising from tick to tick", tick.seq)
        if tick.frame < self._least_frame:
            raise _refused(tick, ErrorCode.FRAME_BACKWARDS, "frame", f"{self._least_frame} or later", tick.frame)
        if tick.frame > jam.frame + MAX_JUMP_FRAMES:
            raise _refused(tick, ErrorCode.FRAME_JUMP, "frame", f"{jam.frame + MAX_JUMP_FRAMES} or earlier", tick.frame)
        earliest = jam.frame
        for index, event in enumerate(tick.events):
            if not earliest <= event.frame <= tick.frame:
                expected = f"a frame from {earliest} to {tick.frame}, in order of time"
                raise _refused(tick, ErrorCode.BAD_EVENT, f"events[{index}].frame", expected, event.frame)
            earliest = event.frame

    def _sounding(self, tick: Tick, jam: Jam) -> Sounding:
        """Which plan sounded in which of the frames since the last tick (T5); without news the plan before sounds on."""
        applied: Applied | None = tick.applied
        if applied is None or (self._applied is not None and applied.seq == self._applied.seq):
            return Sounding(None, self._applied, 0)
        planned = self._sent.get(applied.seq)
        if planned is None:
            expected = "the seq of a plan sent since the one applied before"
            raise _refused(tick, ErrorCode.UNKNOWN_PLAN, "applied.seq", expected, applied.seq)
        if not jam.frame < applied.from_frame <= tick.frame:
            expected = f"a frame from {jam.frame + 1} to {tick.frame}, since the last tick"
            raise _refused(tick, ErrorCode.BAD_FIELD, "applied.from_frame", expected, applied.from_frame)
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
        self._waiting = asked
        return messages, None if self._flight else self._next_request(now)

    def _next_request(self, now: float) -> PlanRequest | None:
        """End the flight there was and start one for the waiting tick, if there is one."""
        asked, self._waiting, self._flight = self._waiting, None, None
        if asked is None:
            return None
        situation = self._situation()
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

    def _situation(self) -> Situation:
        assert self._jam is not None, "expected a tick before a plan"
        return Situation(self._jam, self._previous, self._settings, self._seed, self._bar_line)

    def _configured(self) -> Configured:
        """The settings, and the first frame of the next plan that is asked for (S1); 0 before the first tick."""
        if self._jam is None:
            return Configured(self._settings, 0)
        return Configured(self._settings, self._least_frame if self._waiting else self._least_frame + 1)


def _refused(tick: Tick, code: ErrorCode, field: str, expected: str, got: int) -> ProtocolError:
    return ProtocolError(code, field=f"$.tick.{field}", expected=expected, got=str(got), seq=tick.seq)


def _timing(reply: PlanReply, asked: _Asked, now: float) -> Timing:
    return Timing(
        gateway_ms=(now - asked.arrived) * 1000.0,
        queue_ms=reply.queue_ms,
        device_ms=reply.device_ms,
        steps=reply.steps,
        reused=reply.reused,
        batch=reply.batch,
    )
