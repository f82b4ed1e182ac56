"""Figures of an accompaniment, computed by hand."""

import numpy as np
import pytest

from schema.chords import parse_symbol
from schema.tokens import chord_hold, chord_onset, note_hold, note_onset
from training.evaluate import (
    RESAMPLES,
    Accompanied,
    Planning,
    curve,
    figures,
    first_bar_gain,
    in_chord,
    measure,
    resamples,
)

C, AM, G9, FS = (parse_symbol(symbol).chord for symbol in ("C", "Am", "G9", "F#"))


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
    in_first = [False] * 4 + [True] * 8  # D in C, then E in C and Am
    in_second = [True] * 12 + [False] * 8  # A in Am, B flat in G9
    assert result.note_in_chord == pytest.approx(np.mean(in_first + in_second))
    assert result.note_in_chord_by_song == pytest.approx((8 / 12 + 12 / 20) / 2)
    assert result.first_bar == pytest.approx((8 + 12) / (12 + 12))  # 16 frames, of which the song has 12, and 12 frames
    assert result.change_on_bar == pytest.approx(2 / 5)  # onsets at 4, 9, 13 of 16 and at 0, 12 of 12
    assert result.change_on_beat == pytest.approx(3 / 5)
    assert result.beats_per_change == pytest.approx(36 / 4 / 5)
    assert result.silent_share == pytest.approx(4 / 36)
    assert result.chords_per_song == 2.0
    assert result.length_entropy == pytest.approx(np.log(5))  # 5, 4, 3, 12 and 8 frames: all different
    assert result.overlong_share == 0.0
    assert (result.onset_interval_emd, result.revised_share, result.steps_per_plan) == (None, None, None)


def test_the_first_bar_begins_where_chords_may():
    """Frames 8 to 20 in 3/4: a bar, wherever the bar line is. C under C, then under D; the second song rests there."""
    melody = notes((62, 8), (60, 9), (62, 23))
    song = Accompanied(melody, chords((None, 8), (C, 32)), 3, first=8)
    assert figures([song]).first_bar == pytest.approx(9 / 12)
    resting = song._replace(melody=notes((None, 20), (62, 20)))
    measured = measure([song, resting], [song, resting])
    assert (measured.figures.first_bar, measured.high.first_bar) == (pytest.approx(9 / 12), pytest.approx(9 / 12))
    assert measured.low.first_bar == 0.0  # both draws are of the song that rests
    assert figures([resting]).first_bar == 0.0


def test_the_distance_of_onset_intervals_by_hand():
    """Notes at 4 and 20. Human chords at 4 and 22: intervals 0 and 2. Others at 0 (no note yet: last bin), 4 (0) and 22 (2)."""
    melody = notes((None, 4), (60, 16), (62, 20))
    human = [Accompanied(melody, chords((None, 4), (C, 18), (AM, 18)), 4, first=0)]
    other = [Accompanied(melody, chords((C, 4), (AM, 18), (C, 18)), 4, first=0)]
    # One third of the chords lies 17 bins up: taken in equal parts from bin 0 (over 17 bins) and bin 2 (over 15).
    assert figures(other, human).onset_interval_emd == pytest.approx(1000 * (17 + 15) / 6 / 17)
    assert figures(human, human).onset_interval_emd == 0.0


def test_a_late_chord_counts_as_17_frames_late_at_most():
    melody = notes((60, 80))
    early, late, later = ([Accompanied(melody, chords((None, at), (C, 80 - at)), 4, first=0)] for at in (0, 17, 60))
    assert figures(late, early).onset_interval_emd == figures(later, early).onset_interval_emd == pytest.approx(1000)


def test_lengths_by_hand():
    """Chords of 4, 4, 32 and 33 frames, one broken off by N; the same chord struck again is another one."""
    song = Accompanied(notes((60, 80)), chords((C, 4), (C, 4), (AM, 32), (None, 7), (C, 33)), 4, first=0)
    result = figures([song])
    assert result.overlong_share == pytest.approx(1 / 4)
    assert result.length_entropy == pytest.approx(-(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25)))
    measured = measure([song], [song])
    assert (measured.songs, measured.frames, len(measured.chord_lengths)) == (1, 80, 34)
    assert {at: share for at, share in enumerate(measured.chord_lengths) if share} == {4: 0.5, 32: 0.25, 33: 0.25}


def test_planning_is_pooled_over_plans():
    """Three plans of 2 steps and one of 10; 2 of 20 open frames revised."""
    song = Accompanied(notes((60, 8)), chords((C, 8)), 4, 0, Planning(3, 6, 20, 1))
    result = figures([song, song._replace(planning=Planning(1, 10, 0, 1))])
    assert (result.steps_per_plan, result.revised_share) == (4.0, 0.1)
    assert figures([song, song._replace(planning=None)]).steps_per_plan is None


def test_intervals_come_from_drawing_songs():
    """Two songs, one all right and one all wrong: a resample has 0, 1 or 2 right ones; 95 % of them lie between none and all."""
    right = Accompanied(notes((60, 8)), chords((C, 8)), 4, first=0)
    wrong = Accompanied(notes((61, 8)), chords((C, 8)), 4, first=0)
    measured = measure([right, wrong], [right, wrong])
    assert [f.note_in_chord for f in (measured.low, measured.figures, measured.high)] == [0.0, 0.5, 1.0]
    assert [f.note_in_chord_by_song for f in (measured.low, measured.figures, measured.high)] == [0.0, 0.5, 1.0]
    assert measured.low.beats_per_change == measured.high.beats_per_change == 2.0


def test_the_bootstrap_is_always_the_same():
    draws = resamples(5)
    assert draws.shape == (RESAMPLES, 5)
    assert (draws.sum(axis=1) == 5).all()
    assert (draws == resamples(5)).all()
    assert 0.9 < draws.mean() < 1.1
    assert len(np.unique(draws, axis=0)) > 100


def test_every_resample_of_one_song_is_that_song():
    song = Accompanied(notes((60, 4), (62, 4)), chords((C, 8)), 4, 0, Planning(1, 1, 1, 1))
    measured = measure([song], [song])
    assert measured.low == measured.figures == measured.high


def test_a_curve_by_hand():
    """Beats of three songs; the second rests in its second beat, the third is over before it. Nobody plays in the last."""
    songs = [
        Accompanied(notes((60, 6), (61, 2), (None, 4)), chords((C, 12)), 4, 0, Planning(1, 1, 1, 1)),
        Accompanied(notes((61, 4), (None, 8)), chords((C, 12)), 4, 0, Planning(1, 1, 1, 1)),
        Accompanied(notes((64, 4)), chords((C, 4)), 4, 0, Planning(1, 1, 1, 1)),
    ]
    drawn = curve("model", "live", songs, 3)
    assert drawn.value[:2] == [pytest.approx(2 / 3), 0.5]
    assert drawn.low[1] == drawn.high[1] == 0.5  # one song has a say
    assert drawn.low[0] < 2 / 3 < drawn.high[0]
    assert all(np.isnan(ends[2]) for ends in (drawn.value, drawn.low, drawn.high))
    assert (drawn.name, drawn.kind) == ("model", "live")


def test_a_curve_begins_where_chords_may():
    """The first two beats do not count; the song ends in the third of those that do."""
    song = Accompanied(notes((61, 8), (60, 4), (61, 4), (64, 2)), chords((None, 8), (C, 10)), 4, first=8)
    drawn = curve("model", "live", [song], 4)
    assert drawn.value[:3] == [1.0, 0.0, 1.0]
    assert np.isnan(drawn.value[3])


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


def test_a_gain_in_the_first_bar_is_paired():
    """Songs differ widely, the gain is the same in each: its interval is narrow. One frame of sixteen more fits."""

    def heard(fitting):
        return Accompanied(notes(*[(60, 1)] * fitting, *[(61, 1)] * (32 - fitting)), chords((C, 32)), 4, 0)

    worse, better = [heard(n) for n in (0, 4, 8, 12)], [heard(n + 1) for n in (0, 4, 8, 12)]
    assert first_bar_gain(better, worse) == pytest.approx((1 / 16, 1 / 16, 1 / 16))
    assert first_bar_gain(worse, worse) == (0.0, 0.0, 0.0)
