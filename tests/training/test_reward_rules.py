"""What each rule costs, on bars short enough to read, and that no rule costs where the agent had no choice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.chords import parse_symbol
from schema.tokens import NUM_CHORDS, chord_onset, note_hold, note_onset
from training.reward_rules import Rules, rules

BAR = 16


def onset(symbol: str) -> int:
    chord = parse_symbol(symbol).chord
    assert chord is not None
    return chord_onset(chord)


def played(*runs: tuple[str | None, int]) -> np.ndarray:
    """Chord values of (symbol, frames), each struck once; None is silence."""
    values: list[int] = []
    for symbol, frames in runs:
        values += [0] * frames if symbol is None else [onset(symbol), *[onset(symbol) + NUM_CHORDS] * (frames - 1)]
    return np.array([values], np.int32)


def told(chords: np.ndarray, *, free: np.ndarray | None = None, melody: np.ndarray | None = None) -> Rules:
    frames = chords.shape[1]
    ones = np.ones((1, frames), np.int32)
    at = np.arange(frames)[None]
    everywhere = np.ones((1, frames), bool)
    found = rules(chords, 61 * ones if melody is None else melody, at % BAR, at // BAR, everywhere if free is None else free)
    return Rules(*(np.asarray(reward) for reward in found))


def total(reward: np.ndarray) -> float:
    return pytest.approx(float(reward.sum()), abs=1e-5)


def test_people_who_change_on_the_bar_pay_nothing():
    """I IV V I over eight bars, back where it began, the melody on its roots."""
    chords = played(("C", BAR), ("F", BAR), ("G", BAR), ("C", BAR), ("F", BAR), ("C", BAR), ("G", BAR), ("G7", BAR), ("C", BAR))
    melody = np.array([[note_onset(pitch) for pitch in (60, 65, 67, 60, 65, 60, 67, 67, 60) for _ in range(BAR)]], np.int32)
    assert all(total(reward) == 0.0 for reward in told(chords, melody=melody))


def test_a_strange_note_costs_where_it_is_accented():
    """C sharp over C: on the beat as long as it lasts; off the beat from its second beat on; passing never."""
    chords = played(("C", 32))
    cases = {"on the beat": (0, 3, -0.15), "off the beat, long": (1, 6, -0.1), "passing": (2, 2, 0.0)}
    for name, (start, length, cost) in cases.items():
        melody = np.zeros_like(chords)
        melody[0, start : start + length] = [note_onset(61), *[note_hold(61)] * (length - 1)]
        assert total(told(chords, melody=melody).accent) == cost, name
    fits = np.full_like(chords, note_onset(64))
    assert total(told(chords, melody=fits).accent) == 0.0


def test_one_chord_for_ever_costs_whether_it_is_held_or_struck_again():
    """Beyond eight beats, a tenth a frame."""
    assert total(told(played(("C", 40))).overlong) == -0.8
    assert total(told(played(*[("C", 8)] * 5)).overlong) == -0.8
    assert total(told(played(("C", 32), ("F", 8))).overlong) == 0.0


def test_the_fifth_strike_of_a_chord_costs_for_all_five():
    assert total(told(played(*[("C", 4)] * 4)).repetition) == 0.0
    assert total(told(played(*[("C", 4)] * 5)).repetition) == -0.5
    assert total(told(played(*[("C", 4)] * 6)).repetition) == -0.6


def test_silence_costs_from_the_third_beat_on_in_rests_too():
    chords = played((None, 16), ("C", 16))
    assert total(told(chords).silence) == -0.8
    assert total(told(chords, melody=np.zeros_like(chords)).silence) == -0.8, "the melody rests, the band plays on"
    assert total(told(played(("C", 99), (None, 1))).silence) == 0.0, "one frame in a hundred is a breath"


def test_stopping_before_the_melody_does_costs():
    assert total(told(played(("C", 16), (None, 6))).early_stop) == -0.6
    assert total(told(played(("C", 16), (None, 6), ("C", 2))).early_stop) == 0.0


def test_a_chord_off_the_bar_costs_and_off_the_beat_costs_more():
    assert total(told(played(("C", 4), ("F", 12))).off_bar) == -0.05
    assert total(told(played(("C", 5), ("F", 11))).off_bar) == -0.2


def test_a_phrase_begins_with_a_change_and_eight_bars_with_a_return_or_a_cadence():
    four = [("C", BAR), ("F", BAR), ("G", BAR), ("A", BAR)]
    assert total(told(played(*four, ("F", BAR))).phrase) == 0.0
    assert total(told(played(*four[:3], ("C", 2 * BAR))).phrase) == -0.25, "held over the four-bar line"
    lost = [*four, *four[:3], ("F", BAR), ("Bb", BAR)]
    assert total(told(played(*lost)).phrase) == 0.0, "down a fifth from F to Bb"
    assert total(told(played(*lost[:-1], ("Eb", BAR))).phrase) == -0.25


def test_a_hold_of_another_chord_is_invalid():
    chords = played(("C", 4), ("F", 4))
    chords[0, 4] = onset("F") + NUM_CHORDS
    assert total(told(chords).invalid) == -10.0


@settings(deadline=None)  # the first example of each length compiles
@given(st.lists(st.sampled_from([0, onset("C"), onset("F"), onset("C") + NUM_CHORDS]), min_size=40, max_size=40))
def test_no_rule_ever_pays_and_none_costs_where_the_chords_are_forced(values: list[int]):
    chords = np.array([values], np.int32)
    assert all((reward <= 0).all() and np.isfinite(reward).all() for reward in told(chords))
    assert all((reward == 0).all() for reward in told(chords, free=np.zeros(chords.shape, bool)))
