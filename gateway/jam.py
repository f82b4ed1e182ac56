"""What has sounded in a jam so far: melody and chords on the grid, frame by frame. Pure.

A `Jam` is a value: a tick makes a new one, so a refused message leaves no trace (E2). It keeps the last WINDOW_FRAMES
frames, all that any plan looks at. Frames that nobody reported are rests without a chord.

The melody of `frame` itself is open: its notes so far are in `events`, and the next tick may add to them (T2).
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schema.chords import pitch_classes
from schema.client_messages import Tick
from schema.codes import ErrorCode, ProtocolError
from schema.grid import WINDOW_FRAMES
from schema.melody import NoteEvent, advance, released
from schema.plan import ChordPlan, sound
from schema.tokens import NOTHING, NUM_CHORDS, chord_of, is_onset, pitch_of

MAX_JUMP_FRAMES = 256  # T4


class Planned(NamedTuple):
    """A plan as it was sent; `pitches` and `decided` have one entry per frame of the plan."""

    seq: int
    plan: ChordPlan
    pitches: tuple[tuple[int, ...], ...]
    decided: tuple[int | None, ...]  # frame of the tick that last chose the chord freely; None if that was before a `history`

    def covers(self, frame: int) -> bool:
        """Whether the plan has a chord for this frame."""
        return self.plan.first_frame <= frame < self.plan.end_frame


class Sounding(NamedTuple):
    """Which plan sounds when: `earlier` below `from_frame`, `planned` from there on (T5)."""

    earlier: Planned | None
    planned: Planned | None
    from_frame: int

    def at(self, frame: int) -> Planned | None:
        """The plan that is followed in this frame, whether or not it covers it."""
        return self.planned if frame >= self.from_frame else self.earlier

    def covers(self, frame: int) -> bool:
        """Whether a plan says what sounds in this frame; otherwise the running chord goes on (P5)."""
        planned = self.at(frame)
        return planned is not None and planned.covers(frame)


class WarmStart(NamedTuple):
    """How the models take the silence once a chord has sounded: chord values of [first_frame, end_frame), which never sound (P10)."""

    first_frame: int
    chords: tuple[int, ...]

    @property
    def end_frame(self) -> int:
        """The end of the silence, as it was when this was settled."""
        return self.first_frame + len(self.chords)

    def shown(self, chords: Sequence[int], first_frame: int) -> list[int]:
        """Chords that sounded from `first_frame` on as the models see them: these in place of the N before the first, if there is one."""
        if not any(chords):
            return list(chords)
        silence = itertools.takewhile(NOTHING.__eq__, chords)
        end_frame = min(self.end_frame, first_frame + sum(1 for _ in silence))
        return [
            self.chords[frame - self.first_frame] if self.first_frame <= frame < end_frame else value
            for frame, value in enumerate(chords, first_frame)
        ]


class Jam(NamedTuple):
    """Values of the last frames, at most WINDOW_FRAMES chords; the newest chord is that of `frame`, the newest melody that before it."""

    frame: int
    chords: tuple[int, ...] = (NOTHING,)
    melody: tuple[int, ...] = ()
    events: tuple[NoteEvent, ...] = ()  # notes of `frame` so far, in order of time
    melody_before: int = NOTHING  # what a note held into `frame` continues; silence if the frame before released its own note
    voicing: tuple[int, ...] = ()  # pitches of the last chord struck
    warm_start: WarmStart | None = None

    @property
    def first_frame(self) -> int:
        """The earliest frame that is still known."""
        return self.frame - len(self.melody)

    @property
    def running(self) -> int:
        """The chord value of `frame`."""
        return self.chords[-1]


def begin(frame: int) -> Jam:
    """The jam before its first tick, which is for `frame`: as far back as a tick may reach, nothing sounds."""
    return Jam(max(0, frame - MAX_JUMP_FRAMES))


def check_tick(tick: Tick, jam: Jam, *, least_frame: int, least_seq: int) -> None:
    """Rules T1, T2 and T4. Raises ProtocolError."""
    if tick.seq < least_seq:
        raise refused(tick, ErrorCode.BAD_FIELD, "seq", f"{least_seq} or more, rising from tick to tick", tick.seq)
    if tick.frame < least_frame:
        raise refused(tick, ErrorCode.FRAME_BACKWARDS, "frame", f"{least_frame} or later", tick.frame)
    if tick.frame > jam.frame + MAX_JUMP_FRAMES:
        raise refused(tick, ErrorCode.FRAME_JUMP, "frame", f"{jam.frame + MAX_JUMP_FRAMES} or earlier", tick.frame)
    earliest = jam.frame
    for index, event in enumerate(tick.events):
        if not earliest <= event.frame <= tick.frame:
            expected = f"a frame from {earliest} to {tick.frame}, in order of time"
            raise refused(tick, ErrorCode.BAD_EVENT, f"events[{index}].frame", expected, event.frame)
        earliest = event.frame


def refused(tick: Tick, code: ErrorCode, field: str, expected: str, got: int) -> ProtocolError:
    """The error for a tick that breaks a rule."""
    return ProtocolError(code, field=f"$.tick.{field}", expected=expected, got=str(got), seq=tick.seq)


def play(jam: Jam, frame: int, events: Iterable[NoteEvent], sounding: Sounding) -> Jam:
    """The jam at a tick for `frame`: every frame below it is complete, the chord of `frame` sounds, its melody is open."""
    heard, melody_before, open_events = _listen(jam, frame, events)
    chords, voicing = _follow(jam, frame, sounding)
    return Jam(
        frame,
        chords=(*jam.chords, *chords)[-WINDOW_FRAMES:],
        melody=(*jam.melody, *heard)[1 - WINDOW_FRAMES :],
        events=open_events,
        melody_before=melody_before,
        voicing=voicing,
        warm_start=jam.warm_start,
    )


def open_melody(jam: Jam) -> tuple[int, ...]:
    """The melody value of `frame`, if it cannot change any more: the first note that begins in a frame wins (G3). Else empty."""
    return (advance(jam.melody_before, jam.events),) if any(event.on for event in jam.events) else ()


def heard(jam: Jam) -> list[int]:
    """Melody values of [first_frame, frame + 1); what is played in `frame` may still change."""
    return [*jam.melody, advance(jam.melody_before, jam.events)]


def unplanned_frames(sounding: Sounding, frames: Iterable[int]) -> int:
    """How many of the frames began without a plan that covers them."""
    return sum(not sounding.covers(frame) for frame in frames)


def silent_frames(jam: Jam, count: int) -> int:
    """In how many of the newest `count` frames, up to that of the last tick, no chord sounds."""
    return sum(value == NOTHING for value in jam.chords[max(0, len(jam.chords) - count) :])


def decision_age(sounding: Sounding, frame: int) -> int | None:
    """Frames between the tick that last chose the chord of `frame` freely and `frame`; None where that is unknown."""
    planned = sounding.at(frame)
    if planned is None or not planned.covers(frame):
        return None
    decided = planned.decided[frame - planned.plan.first_frame]
    return None if decided is None else frame - decided


def note_in_chord(jam: Jam, since: int) -> tuple[int, int]:
    """Of the complete frames from `since` with a note over a chord: in how many it is a chord tone, and their number."""
    offset = max(0, since - jam.first_frame)
    hits = judged = 0
    for note, value in zip(jam.melody[offset:], jam.chords[offset:-1], strict=True):
        pitch, chord = pitch_of(note), chord_of(value)
        if pitch is not None and chord is not None:
            judged += 1
            hits += pitch % 12 in pitch_classes(chord)
    return hits, judged


def _listen(jam: Jam, frame: int, events: Iterable[NoteEvent]) -> tuple[list[int], int, tuple[NoteEvent, ...]]:
    """Melody values of [jam.frame, frame), what the note of `frame` continues, and the events of `frame`."""
    by_frame: dict[int, list[NoteEvent]] = {jam.frame: list(jam.events)}
    for event in events:
        by_frame.setdefault(event.frame, []).append(event)
    values: list[int] = []
    before = jam.melody_before
    for complete in range(jam.frame, frame):
        here = by_frame.get(complete, [])
        values.append(advance(before, here))
        before = NOTHING if released(here) else values[-1]
    return values, before, tuple(by_frame.get(frame, ()))


def _follow(jam: Jam, frame: int, sounding: Sounding) -> tuple[Sequence[int], tuple[int, ...]]:
    """Chord values of [jam.frame + 1, frame + 1) as they sounded, and the pitches of the last chord struck."""
    values: list[int] = []
    running, voicing = jam.running, jam.voicing
    for current in range(jam.frame + 1, frame + 1):
        planned = sounding.at(current)
        running = sound(planned.plan if planned else None, current, running)
        if planned and is_onset(running, NUM_CHORDS):  # only a plan that covers the frame strikes a chord
            voicing = planned.pitches[current - planned.plan.first_frame]
        values.append(running)
    return values, voicing
