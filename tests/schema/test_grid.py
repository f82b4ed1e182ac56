"""The grid: frames, bars and the history window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.grid import (
    FRAMES_PER_BEAT,
    HOP_FRAMES,
    MAX_BEATS_PER_BAR,
    MIN_BEATS_PER_BAR,
    WINDOW_FRAMES,
    bar_frames,
    frame_at,
    frame_budget_ms,
    frame_seconds,
    place_in_bar,
    window_start,
)
from tests.schema_strategies import FEW

tempi = st.floats(20, 300)
lookaheads = st.integers(1, 40)  # 8 beats, and what an earlier commit may add
frames = st.integers(0, 1_000_000)
metres = st.integers(MIN_BEATS_PER_BAR, MAX_BEATS_PER_BAR)


@pytest.mark.parametrize(("bpm", "seconds"), [(120, 0.125), (150, 0.1), (60, 0.25), (20, 0.75), (300, 0.05)])
def test_g1_a_frame_is_a_quarter_of_a_beat(bpm: float, seconds: float):
    """G1: a frame lasts 15 / bpm seconds, and that is the budget of a plan."""
    assert frame_seconds(bpm) == pytest.approx(seconds)
    assert frame_budget_ms(bpm) == pytest.approx(1000 * seconds)


@FEW
@given(st.floats(0, 36_000), tempi)
def test_g3_a_moment_is_rounded_down(seconds: float, bpm: float):
    """G3: a moment lies in the frame that began at or before it, never in a later one."""
    frame = frame_at(seconds, bpm)
    assert frame * frame_seconds(bpm) <= seconds + 2e-7
    assert seconds < (frame + 1) * frame_seconds(bpm) + 1e-9


@FEW
@given(frames, tempi)
def test_g1_a_frame_begins_where_it_is_computed_to_begin(frame: int, bpm: float):
    """G1: n frames from the start is frame n, whatever the tempo's rounding, and a microsecond before is not."""
    assert frame_at(frame * frame_seconds(bpm), bpm) == frame
    assert frame_at(frame * frame_seconds(bpm) - 1e-6, bpm) == frame - 1
    assert [frame_at(s, 150) for s in (0.3, 0.6, 0.7)] == [3, 6, 7]


def test_g3_the_middle_of_a_frame_belongs_to_it():
    """G3: anything between two grid lines belongs to the earlier one, before frame 0 too."""
    assert [frame_at(s, 120) for s in (0.0, 0.124, 0.125, 0.1875, 0.25, -0.01)] == [0, 0, 1, 1, 2, -1]


@FEW
@given(frames, metres, st.integers(0, 1000))
def test_g4_places_count_from_the_bar_line(frame: int, beats: int, bar_line: int):
    """G4: places run from 0 on the bar line to the last frame of the bar, whichever bar line is named."""
    place = place_in_bar(frame, beats, bar_line)
    assert 0 <= place < bar_frames(beats) == beats * FRAMES_PER_BEAT
    assert place_in_bar(bar_line, beats, bar_line) == 0
    assert place_in_bar(frame + 1, beats, bar_line) == (place + 1) % bar_frames(beats)
    assert place == place_in_bar(frame, beats, bar_line + 3 * bar_frames(beats))


def test_window_start_by_hand():
    """The window stays at 0 until history and plan fill it, then moves on by whole hops."""
    assert [window_start(n, 16) for n in (0, 240, 241, 304, 305)] == [0, 0, 64, 64, 128]


@FEW
@given(frames, lookaheads)
def test_window_starts_on_a_hop_and_never_overflows(first_frame: int, lookahead: int):
    """Windows begin at a multiple of a hop, not after the plan, and history and plan fit."""
    start = window_start(first_frame, lookahead)
    assert start % HOP_FRAMES == 0
    assert 0 <= start <= first_frame
    assert first_frame + lookahead - start <= WINDOW_FRAMES


@FEW
@given(frames, lookaheads)
def test_window_keeps_as_much_history_as_the_hop_allows(first_frame: int, lookahead: int):
    """One hop earlier would overflow: no history is thrown away without need."""
    start = window_start(first_frame, lookahead)
    assert start == 0 or first_frame + lookahead - (start - HOP_FRAMES) > WINDOW_FRAMES


@FEW
@given(frames, lookaheads)
def test_window_is_monotone_and_still_between_hops(first_frame: int, lookahead: int):
    """Over a hop of successive plans the start moves forward once, by one hop."""
    starts = [window_start(n, lookahead) for n in range(first_frame, first_frame + HOP_FRAMES + 1)]
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] == (HOP_FRAMES if starts[-1] > 0 else 0)
    assert len(set(starts)) <= 2
