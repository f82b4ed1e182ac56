"""The client's side of one jam: what was played, what sounds now, what to tell the gateway. Pure.

A client calls, in this order, at the start of every frame f by its own clock: `note` for every note event that happened
before, `begin_frame(f)` for the chord that sounds in f, `tick(f)` for the message to send; and `receive` whenever a message
comes in. What a frame sounded is decided once, when it begins, from the newest plan there is (P3), and never changes.

`note` keeps only events that count on a monophonic grid (G3), so a frame reports three at most: a note ends, one begins, it ends.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from sideman_client.errors import EventOutOfOrder
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.chords import NO_CHORD
from sideman_client.generated.messages import (
    MAX_HISTORY_FRAMES,
    Applied,
    ChordRun,
    GatewayMessage,
    History,
    Keep,
    MelodyRun,
    NoteEvent,
    PendingPlan,
    Plan,
    Settings,
    SymbolRun,
    Tick,
)

MAX_JUMP_FRAMES = 256  # T4
MAX_TICK_EVENTS = 64
PLANS_BEGIN_FRAMES = 4  # from the first plan's first frame to the end of the initial silence (P7)


class Sounding(NamedTuple):
    """What one frame sounds: `struck` if the chord begins here, else it sounds on."""

    frame: int
    symbol: str
    pitches: tuple[int, ...]
    struck: bool
    planned: bool  # False: no plan says anything about this frame, so the running chord continues (P5)
    late: bool  # the plan made for this frame was due and not there when it began


@dataclass(frozen=True)
class Note:
    """A note of the melody over the frames [start, end); `end` is None while it sounds."""

    start: int
    end: int | None
    pitch: int


def run_at(plan: Plan | None, frame: int) -> ChordRun | None:
    """The run of the plan that holds this frame, if there is one."""
    if plan is None:
        return None
    return next((run for run in plan.chords if run.start <= frame < run.start + run.length), None)


def end_frame(plan: Plan) -> int:
    """First frame the plan says nothing about."""
    return max((run.start + run.length for run in plan.chords), default=plan.first_frame)


class Jam:
    """State of one jam; frames count from the bar line on which its grid starts."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings if settings is not None else Settings()
        self.seed: int | None = None
        self.bar_line = 0
        self.plan: Plan | None = None
        self.warm_start: list[SymbolRun] = []  # never sounds: for the gateway that has to go on (P10, H8)
        self.frames: list[Sounding] = []  # every frame that has begun, from frame 0
        self.melody: list[Note] = []
        self.late_frames = 0
        self._events: list[NoteEvent] = []
        self._unsent_index = 0
        self._carried: list[NoteEvent] = []  # releases that a history cannot express
        self._last_tick: Tick | None = None
        self._spared_seq: int | None = None
        self._applied: Applied | None = None
        self._newest_seq = 0  # of the plans taken
        self._next_seq = 1

    @property
    def ticked_frame(self) -> int | None:
        """The frame of the last tick, or None."""
        return self._last_tick.frame if self._last_tick is not None else None

    @property
    def silence_frames(self) -> int:
        """Length of the initial silence."""
        return self.settings.silence_beats * FRAMES_PER_BEAT

    def note(self, event: NoteEvent) -> None:
        """Take one note event; events come in order of time, none older than the last tick. Raises EventOutOfOrder."""
        oldest = max(self._events[-1].frame if self._events else 0, self.ticked_frame or 0)
        if event.frame < oldest:
            advice = "stamp a note with the frame in which it happens, and report it at the next tick"
            raise EventOutOfOrder(expected=f"note events of frame {oldest} or later", got=f"one of frame {event.frame}", advice=advice)
        last = self.melody[-1] if self.melody else None
        if event.on:
            if last is not None and last.start == event.frame:
                return
            if last is not None and last.end is None:
                self.melody[-1] = replace(last, end=event.frame)
            self.melody.append(Note(event.frame, None, event.pitch))
        else:
            if last is None or last.end is not None or last.pitch != event.pitch:
                return
            self.melody[-1] = replace(last, end=max(event.frame, last.start + 1))
        self._events.append(event)

    def receive(self, message: GatewayMessage) -> None:
        """Take what the gateway said; what is no concern of the jam is ignored."""
        if isinstance(message, Plan):
            if message.seq > self._newest_seq:
                self.plan, self._newest_seq = message, message.seq
                self.warm_start = message.warm_start or self.warm_start
        elif isinstance(message, Keep) and message.reason in ("listening", "busy"):
            self._spared_seq = message.seq

    def follow_settings(self, settings: Settings, asked_frame: int | None) -> None:
        """Take new settings, asked for after the tick of `asked_frame` (None: before any), or all settings of a new connection.

        G4: where the bar changes its length, the last bar line before stays one.
        """
        if asked_frame is not None and settings.beats_per_bar != self.settings.beats_per_bar:
            bar = self.settings.beats_per_bar * FRAMES_PER_BEAT
            self.bar_line = asked_frame - (asked_frame - self.bar_line) % bar
        self.settings = settings

    def begin_frame(self, frame: int) -> Sounding:
        """What sounds in `frame`, decided now for it and every frame before it that was skipped. The same answer ever after."""
        while len(self.frames) <= frame:
            self.frames.append(self._decide(len(self.frames)))
            self.late_frames += self.frames[-1].late
        return self.frames[frame]

    def needs_history(self, frame: int) -> bool:
        """Whether a tick for `frame` alone would be refused, so that `history(frame - 1)` must be sent before it (T4)."""
        jump = frame - (self.ticked_frame or 0)
        return frame > 0 and (jump > MAX_JUMP_FRAMES or self._due(frame) - self._unsent_index + len(self._carried) > MAX_TICK_EVENTS)

    def tick(self, frame: int, round_trip_ms: float | None = None) -> Tick:
        """The next tick, for a frame that has begun; what it reports will not be reported again."""
        self.begin_frame(frame)
        due = self._due(frame)
        events = (self._carried + self._events[self._unsent_index : due])[:MAX_TICK_EVENTS]
        message = Tick(seq=self._next_seq, frame=frame, events=events, applied=self._applied, round_trip_ms=round_trip_ms)
        self._carried, self._unsent_index, self._last_tick = [], due, message
        self._next_seq += 1
        return message

    def history(self, frame: int, max_frames: int = MAX_HISTORY_FRAMES) -> History:
        """The jam up to `frame`'s chord, a frame that has begun (H1 to H4). The next tick is for a later frame."""
        first = max(0, frame + 1 - max_frames)
        self._unsent_index = next((i for i, event in enumerate(self._events) if event.frame >= frame), len(self._events))
        self._carried = [NoteEvent(frame, note.pitch, False) for note in self.melody if note.end == frame > note.start]
        plan = self._pending_plan(frame)
        if plan is None or self._applied is None or self._applied.seq != plan.seq:
            self._applied = None
        return History(
            frame=frame,
            first_frame=first,
            melody=self.melody_runs(first, frame),
            chords=self.chord_runs(first, frame + 1),
            plan=plan,
            seed=self.seed,
            bar_line=self.bar_line,
            warm_start=self.warm_start if any(run.start + run.length > first for run in self.warm_start) else [],
        )

    def melody_runs(self, first: int, end: int) -> list[MelodyRun]:
        """The melody inside the frames [first, end); a note that still sounds is cut at `end`."""
        spans = ((max(n.start, first), end if n.end is None else min(n.end, end), n.pitch) for n in self.melody)
        return [MelodyRun(start, stop - start, pitch) for start, stop, pitch in spans if start < stop]

    def chord_runs(self, first: int, end: int) -> list[SymbolRun]:
        """The chords that sounded in the frames [first, end), without gaps."""
        starts = [f for f in range(first, end) if f == first or self._changes(f)]
        return [
            SymbolRun(start, stop - start, self.frames[start].symbol, start == 0 or self._changes(start))
            for start, stop in zip(starts, [*starts[1:], end], strict=True)
        ]

    def next_chord(self) -> ChordRun | None:
        """The first run of the plan that begins after the newest frame."""
        return next((run for run in (self.plan.chords if self.plan else []) if run.start >= len(self.frames)), None)

    def forgotten(self) -> "Jam":
        """The jam after a `reset`: melody, chords and plans are gone, settings and seed stay (S4)."""
        fresh = Jam(self.settings)
        fresh.seed, fresh._next_seq = self.seed, self._next_seq
        fresh._newest_seq = self._next_seq - 1
        return fresh

    def _decide(self, frame: int) -> Sounding:
        """P3 to P5: the newest plan's chord; struck where it begins or was not sounding; without one the running chord."""
        before = self.frames[-1] if self.frames else Sounding(-1, NO_CHORD, (), False, False, False)
        run = run_at(self.plan, frame)
        late = self._is_late(frame)
        if run is None:
            return Sounding(frame, before.symbol, before.pitches, struck=False, planned=False, late=late)
        if self.plan is not None and (self._applied is None or self._applied.seq != self.plan.seq):
            self._applied = Applied(self.plan.seq, frame)
        if run.symbol == before.symbol and not (run.onset and run.start == frame):
            return Sounding(frame, before.symbol, before.pitches, struck=False, planned=True, late=late)
        return Sounding(frame, run.symbol, tuple(run.pitches), struck=run.symbol != NO_CHORD, planned=True, late=late)

    def _is_late(self, frame: int) -> bool:
        """Whether a plan was due for this frame (its tick is the one before, P1) and a newer one than we have was to be expected."""
        if frame == 0 or frame < self.silence_frames - PLANS_BEGIN_FRAMES:
            return False
        if self._last_tick is not None and self._spared_seq == self._last_tick.seq:
            return False
        return self.plan is None or self.plan.first_frame < frame

    def _due(self, frame: int) -> int:
        """Index behind the last event that a tick for `frame` reports."""
        index = len(self._events)
        while index > self._unsent_index and self._events[index - 1].frame > frame:
            index -= 1
        return index

    def _changes(self, frame: int) -> bool:
        return frame == 0 or self.frames[frame].struck or self.frames[frame].symbol != self.frames[frame - 1].symbol

    def _pending_plan(self, frame: int) -> PendingPlan | None:
        """The plan from `frame + 1` on, as it will sound; None if it has nothing more to say."""
        plan = self.plan
        if plan is None or end_frame(plan) <= frame + 1:
            return None
        runs: list[SymbolRun] = []
        running = self.frames[frame].symbol
        for run in plan.chords:
            start = max(run.start, frame + 1)
            length = run.start + run.length - start
            if length > 0:
                onset = run.symbol != running or (run.onset and start == run.start)
                runs.append(SymbolRun(start, length, run.symbol, onset))
                running = run.symbol
        return PendingPlan(plan.seq, plan.committed_until, runs)
