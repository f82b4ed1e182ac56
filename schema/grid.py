"""The musical grid: tempo, frames, beats, bars and the history window. Pure.

A frame is a sixteenth note, the smallest step of the grid; a beat is a quarter note.
All frame numbers count from the bar line on which the session's grid starts (frame 0).
"""

import math

FRAMES_PER_BEAT = 4
MIN_BEATS_PER_BAR = 2
MAX_BEATS_PER_BAR = 12
WINDOW_BEATS = 64
WINDOW_FRAMES = WINDOW_BEATS * FRAMES_PER_BEAT
HOP_BEATS = 16
HOP_FRAMES = HOP_BEATS * FRAMES_PER_BEAT


def frame_seconds(tempo_bpm: float) -> float:
    """Length of one frame: a quarter of a beat, 0.125 s at 120 BPM."""
    return 60.0 / tempo_bpm / FRAMES_PER_BEAT


def frame_budget_ms(tempo_bpm: float) -> float:
    """The time a plan may take from tick to arrival: exactly one frame."""
    return frame_seconds(tempo_bpm) * 1000.0


def frame_at(seconds: float, tempo_bpm: float) -> int:
    """The frame in which a moment falls; rounded down, so no note is stamped into the future.

    A frame begins where it is computed to begin: a ten-millionth of a second forgives the rounding of n * frame_seconds.
    """
    return math.floor((seconds + 1e-7) / frame_seconds(tempo_bpm))


def bar_frames(beats_per_bar: int) -> int:
    """Frames in one bar."""
    return beats_per_bar * FRAMES_PER_BEAT


def place_in_bar(frame: int, beats_per_bar: int, bar_line: int = 0) -> int:
    """Frames since the last bar line; `bar_line` is any frame on which a bar begins."""
    return (frame - bar_line) % bar_frames(beats_per_bar)


def window_start(first_frame: int, lookahead_frames: int) -> int:
    """First frame of the history window of a plan for [first_frame, first_frame + lookahead_frames).

    Windows start at multiples of a hop, so that a key/value cache stays exact from plan to plan
    between two hops (DESIGN 4). History and plan together never exceed WINDOW_FRAMES.
    """
    overflow = first_frame + lookahead_frames - WINDOW_FRAMES
    return max(0, -(-overflow // HOP_FRAMES) * HOP_FRAMES)
