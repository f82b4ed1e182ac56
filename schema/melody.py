"""Melody on the grid: note events or spans become one value per frame. Pure.

Monophonic: when several notes begin in one frame the first wins; the onset of a later frame replaces the
sounding note. A note belongs to the frame in which it began and lasts at least that frame.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schema.tokens import NOTHING, NUM_PITCHES, held, note_onset, pitch_of


class NoteEvent(NamedTuple):
    """A key going down (`on`) or up, stamped with the frame in which it happened."""

    frame: int
    pitch: int
    on: bool


class NoteSpan(NamedTuple):
    """A note over the half-open frames [start, end)."""

    start: int
    end: int
    pitch: int


def advance(previous: int, events: Iterable[NoteEvent]) -> int:
    """The value of a frame, given the value of the frame before and the events inside the frame in order of time."""
    onset = NOTHING
    sounding = pitch_of(previous)
    for event in events:
        if event.on and onset == NOTHING:
            onset = note_onset(event.pitch)
        elif not event.on and event.pitch == sounding:
            sounding = None
    if onset != NOTHING:
        return onset
    return NOTHING if sounding is None else held(previous, NUM_PITCHES)


def released(events: Iterable[NoteEvent]) -> bool:
    """Whether the note that began in this frame was also released in it, so that the next frame does not hold it."""
    onset: int | None = None
    off = False
    for event in events:
        if event.on and onset is None:
            onset = event.pitch
        elif not event.on and event.pitch == onset:
            off = True
    return off


def frames_of_events(events: Sequence[NoteEvent], num_frames: int) -> list[int]:
    """Melody values of frames [0, num_frames) from events in order of time."""
    by_frame: dict[int, list[NoteEvent]] = {}
    for event in events:
        by_frame.setdefault(event.frame, []).append(event)
    values: list[int] = []
    previous = NOTHING
    for frame in range(num_frames):
        here = by_frame.get(frame, [])
        values.append(advance(previous, here))
        previous = NOTHING if released(here) else values[-1]
    return values


def frames_of_spans(spans: Iterable[NoteSpan], num_frames: int) -> list[int]:
    """Melody values of frames [0, num_frames); spans in any order, cut where a later one begins."""
    first: dict[int, NoteSpan] = {}
    for span in sorted(spans, key=lambda s: s.start):
        first.setdefault(span.start, span)
    values: list[int] = []
    end = 0
    for frame in range(num_frames):
        if frame in first:
            end = max(first[frame].end, frame + 1)
            values.append(note_onset(first[frame].pitch))
        elif frame < end and values:
            values.append(held(values[-1], NUM_PITCHES))
        else:
            values.append(NOTHING)
    return values
