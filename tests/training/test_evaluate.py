"""Figures of an accompaniment, computed by hand."""

import numpy as np
import pytest

from schema.chords import parse_symbol
from schema.tokens import chord_hold, chord_onset, note_hold, note_onset
from training.evaluate import Accompanied, figures, in_chord

C, AM, G9 = (parse_symbol(symbol).chord for symbol in ("C", "Am", "G9"))


def chords(*runs):
    """Values of (chord or None, frames) one after the other."""
    values = [[chord_onset(chord)] + [chord_hold(chord)] * (frames - 1) if chord else [0] * frames for chord, frames in runs]
    return np.concatenate(values).astype(np.int16)


def notes(*runs):
    """Values of (pitch or None, frames) one after the other."""
    values = [[note_onset(pitch)] + [note_hold(pitch)] * (frames - 1) if pitch else [0] * frames for pitch, frames in runs]
    return np.concatenate(values).astype(np.int16)


def test_a_note_is_in_the_chord_in_any_octave_with_its_extensions():
    """Only frames with both count; onsets and holds alike."""
    melody = notes((60, 1), (76, 2), (61, 1), (None, 2), (69, 2), (57, 1), (64, 1))
    harmony = chords((C, 3), (C, 2), (None, 3), (G9, 2))
    assert in_chord(melody, harmony).tolist() == [True, True, True, False, True, False]


def test_figures_by_hand():
    """Two songs: 4/4 with four frames that do not count, and 3/4."""
    first = Accompanied(notes((60, 4), (62, 4), (64, 8)), chords((None, 4), (C, 5), (AM, 4), (C, 3)), 4, first=4)
    second = Accompanied(notes((69, 12), (70, 12)), chords((AM, 12), (G9, 8), (None, 4)), 3, first=0)
    result = figures([first, second])
    assert (result.songs, result.frames) == (2, 36)
    in_first = [False] * 4 + [True] * 8  # D in C, then E in C and Am
    in_second = [True] * 12 + [False] * 8  # A in Am, B flat in G9
    assert result.note_in_chord == pytest.approx(np.mean(in_first + in_second))
    assert result.note_in_chord_by_song == pytest.approx((8 / 12 + 12 / 20) / 2)
    assert result.change_on_bar == pytest.approx(2 / 5)  # onsets at 4, 9, 13 of 16 and at 0, 12 of 12
    assert result.change_on_beat == pytest.approx(3 / 5)
    assert result.beats_per_change == pytest.approx(36 / 4 / 5)
    assert result.silent_share == pytest.approx(4 / 36)
    assert result.chords_per_song == 2.0


def test_a_song_without_a_frame_of_note_and_chord_has_no_say_in_note_in_chord():
    silent = Accompanied(notes((None, 8)), chords((C, 8)), 4, first=0)
    heard = Accompanied(notes((60, 8)), chords((C, 8)), 4, first=0)
    result = figures([silent, heard])
    assert (result.note_in_chord, result.note_in_chord_by_song) == (1.0, 1.0)


def test_an_accompaniment_that_never_plays_is_silent_all_the_time():
    """No chord, no change: nothing is divided by zero."""
    result = figures([Accompanied(notes((60, 8)), chords((None, 8)), 4, first=0)])
    assert (result.silent_share, result.chords_per_song, result.change_on_bar, result.beats_per_change) == (1.0, 0.0, 0.0, 2.0)
    assert (result.note_in_chord, result.note_in_chord_by_song) == (0.0, 0.0)
