"""The rule: keys and triads that a musician would name, and what the online variant may look at."""

import numpy as np
import pytest

from schema.chords import parse_symbol, print_symbol
from schema.tokens import NUM_CHORDS, chord_of, first_break, note_hold, note_onset
from training.rule_harmoniser import KEY_BEATS, best_triad, durations, harmonise, major_tonic

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def notes(*runs):
    """Values of (pitch or None, frames) one after the other."""
    values = [[note_onset(pitch)] + [note_hold(pitch)] * (frames - 1) if pitch else [0] * frames for pitch, frames in runs]
    return np.concatenate(values).astype(np.int16)


def bars(*pitches):
    """A bar of 4/4 on each pitch class set, in quarters."""
    return notes(*((pitch, 4) for bar in pitches for pitch in bar))


def symbols(chords, bar=16):
    return [print_symbol(chord_of(int(value))) for value in chords[::bar]]


def by_class(**frames):
    """Frames by pitch class, named as roots."""
    result = np.zeros(12, np.int64)
    for name, count in frames.items():
        result[parse_symbol(name.replace("s", "#")).chord.root] = count
    return result


TUNE = bars((60, 64, 67, 60), (69, 65, 72, 69), (67, 71, 62, 67), (60, 64, 60, 72))


def test_durations_count_frames_in_any_octave():
    assert durations(notes((60, 3), (None, 2), (72, 4), (61, 1))).tolist() == [7, 1] + [0] * 10


@pytest.mark.parametrize("semitones", range(12))
def test_the_key_of_a_scale(semitones):
    """Major, and minor as its relative major; leading note and tonic weigh as in real tunes."""
    major = np.roll(by_class(C=8, D=3, E=5, F=3, G=6, A=3, B=2), semitones)
    minor = np.roll(by_class(A=8, B=3, C=5, D=3, E=6, F=3, G=2), semitones)
    assert major_tonic(major) == major_tonic(minor) == semitones


def test_the_triad_that_holds_most_of_the_bar_wins_then_the_running_one_then_the_one_heard_longest():
    c, am, f = (parse_symbol(symbol).chord for symbol in ("C", "Am", "F"))
    heard = by_class(C=8, D=3, E=6, F=3, G=6, A=3, B=2)
    assert best_triad(heard, by_class(F=2, A=2), None) == f
    assert best_triad(heard, by_class(C=4), am) == am
    assert best_triad(heard, by_class(C=4), None) == c
    assert best_triad(heard, by_class(), am) == am
    assert best_triad(heard, by_class(), None) is None


def test_online_follows_a_bar_late_and_offline_on_time():
    assert symbols(harmonise(TUNE, 4, offline=True)) == ["C", "F", "G", "C"]
    assert symbols(harmonise(TUNE, 4)) == ["N", "C", "F", "G"]


def test_online_knows_nothing_of_its_own_bar():
    """Whatever is played from a bar line on, the chords below the next one are the same."""
    rng = np.random.default_rng(1)
    melody = notes(*((int(rng.choice(SCALE)), 2) for _ in range(64)))
    whole = harmonise(melody, 3)
    for line in range(0, len(melody), 12):
        other = np.concatenate([melody[:line], notes(*((int(rng.integers(50, 70)), 2) for _ in range(6)))])
        until = min(line + 12, len(melody))
        assert harmonise(other, 3)[:until].tolist() == whole[:until].tolist()


def test_the_grammar_holds_and_a_triad_that_wins_again_is_held():
    melody = bars((60, 64, 67, 60), (60, 64, 67, 60)).tolist() + [0] * 24
    for offline in (False, True):
        chords = harmonise(np.array(melody, np.int16), 4, offline=offline)
        assert first_break(chords.tolist(), NUM_CHORDS) is None
        struck = np.flatnonzero((chords > 0) & (chords <= NUM_CHORDS))
        assert struck.tolist() == ([0] if offline else [16])
        assert len(chords) == len(melody)


def test_online_follows_a_change_of_key_within_its_memory():
    """C major, then as long again in F sharp: only triads of the new key at the end."""
    half = np.concatenate([TUNE] * (KEY_BEATS // 16))
    moved = np.where(half > 0, half + 6, 0).astype(np.int16)
    chords = harmonise(np.concatenate([half, moved, moved]), 4)
    assert set(symbols(chords)[-4:]) <= {"F#", "B", "Db", "Ebm", "Abm", "Bbm"}


def test_silence_has_no_chord():
    assert not harmonise(np.zeros(40, np.int16), 4).any()
    assert len(harmonise(np.zeros(0, np.int16), 4)) == 0
