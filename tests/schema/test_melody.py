"""Melody on the grid, from events and from spans."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.melody import NoteEvent, NoteSpan, advance, frames_of_events, frames_of_spans, released
from schema.tokens import NOTHING, NUM_PITCHES, first_break, is_onset, note_hold, note_onset, pitch_of
from tests.schema_strategies import SOME, note_events

VECTORS = json.loads((Path(__file__).parents[2] / "schema/vectors/melody.json").read_text())
FRAMES = 24


def on(frame: int, pitch: int) -> NoteEvent:
    return NoteEvent(frame, pitch, True)


def off(frame: int, pitch: int) -> NoteEvent:
    return NoteEvent(frame, pitch, False)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_g3_golden_vectors(vector: dict[str, Any]):
    """G3: note events give the melody values, and the runs a history tells, that every SDK must give."""
    events = [NoteEvent(e["frame"], e["pitch"], e["on"]) for e in vector["events"]]
    values = vector["values"]
    assert frames_of_events(events, len(values)) == values
    spans = [NoteSpan(run["start"], run["start"] + run["length"], run["pitch"]) for run in vector["melody"]]
    assert frames_of_spans(spans, len(values)) == values


def test_a_frame_follows_from_the_one_before():
    """Without events a note sounds on; its release ends it; a release of another key does not; an onset replaces it."""
    sounding = note_onset(60)
    assert advance(sounding, []) == advance(note_hold(60), [off(1, 61)]) == note_hold(60)
    assert advance(sounding, [off(1, 60)]) == advance(NOTHING, []) == NOTHING
    assert advance(sounding, [off(1, 60), on(1, 64), on(1, 67)]) == advance(sounding, [on(1, 64)]) == note_onset(64)


def test_released_in_its_own_frame():
    """Only the note that won the frame counts, and only a release after its onset."""
    assert released([on(0, 60), off(0, 60)])
    assert not released([])
    assert not released([off(0, 60), on(0, 60)])
    assert not released([on(0, 60), on(0, 64), off(0, 64)])
    assert released([on(0, 60), on(0, 64), off(0, 60)])


@SOME
@given(note_events(FRAMES))
def test_g3_any_events_give_a_grammatical_melody(events: list[NoteEvent]):
    """G3: one value per frame, holds only after their note, and an onset exactly where a first key goes down."""
    values = frames_of_events(events, FRAMES)
    assert len(values) == FRAMES
    assert first_break(values, NUM_PITCHES) is None
    for frame, value in enumerate(values):
        downs = [event.pitch for event in events if event.on and event.frame == frame]
        assert is_onset(value, NUM_PITCHES) == bool(downs)
        if downs:
            assert pitch_of(value) == downs[0]


@SOME
@given(note_events(FRAMES), st.integers(0, FRAMES))
def test_events_after_the_end_change_nothing(events: list[NoteEvent], num_frames: int):
    """The melody of fewer frames is the head of the melody of more: the future never reaches back."""
    assert frames_of_events(events, num_frames) == frames_of_events(events, FRAMES)[:num_frames]


@st.composite
def overlapping_spans(draw: st.DrawFn) -> list[NoteSpan]:
    """Spans that may overlap and share frames, but never hold one key twice at a time."""
    spans: list[NoteSpan] = []
    free = dict.fromkeys(range(58, 62), 0)
    for start in sorted(draw(st.lists(st.integers(0, FRAMES - 1), max_size=10))):
        keys = [pitch for pitch, frame in free.items() if frame <= start]
        if keys:
            pitch = draw(st.sampled_from(keys))
            end = start + draw(st.integers(1, 8))
            free[pitch] = end
            spans.append(NoteSpan(start, end, pitch))
    return spans


@SOME
@given(overlapping_spans(), st.randoms(use_true_random=False))
def test_events_and_spans_say_the_same(spans: list[NoteSpan], shuffler: Any):
    """The spans of a score and the key events of playing it give one melody; only ties care about the spans' order."""
    timed = [(s.start, 1, i, on(s.start, s.pitch)) for i, s in enumerate(spans)]
    timed += [(s.end, 0, i, off(s.end, s.pitch)) for i, s in enumerate(spans)]
    events = [event for *_, event in sorted(timed, key=lambda item: item[:3])]
    assert frames_of_spans(spans, FRAMES) == frames_of_events(events, FRAMES)
    by_start = {span.start: span for span in reversed(spans)}
    shuffled = list(by_start.values())
    shuffler.shuffle(shuffled)
    assert frames_of_spans(shuffled, FRAMES) == frames_of_spans(by_start.values(), FRAMES)


def test_spans_by_hand():
    """A span without length lasts one frame, a later span cuts the one before, gaps are silence, what lies outside is left out."""
    spans = [NoteSpan(3, 3, 62), NoteSpan(0, 9, 60), NoteSpan(3, 9, 67), NoteSpan(6, 8, 64), NoteSpan(-2, 4, 50), NoteSpan(99, 100, 50)]
    assert frames_of_spans(spans, 9) == [61, 189, 189, 63, 0, 0, 65, 193, 0]
    assert frames_of_spans([], 3) == [0, 0, 0]
    assert frames_of_spans(spans, 0) == []
