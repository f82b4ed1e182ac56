"""The vocabulary and its grammar."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from schema.chords import QUALITY_NAMES, Chord
from schema.client_messages import Density, Style
from schema.tokens import (
    DENSITIES,
    HOLD_ACTION,
    NOTHING,
    NUM_CHORD_ACTIONS,
    NUM_CHORD_VALUES,
    NUM_CHORDS,
    NUM_MELODY_ACTIONS,
    NUM_MELODY_VALUES,
    NUM_PITCHES,
    STYLES,
    action_of,
    chord_hold,
    chord_index,
    chord_of,
    chord_onset,
    first_break,
    held,
    is_onset,
    may_follow,
    note_hold,
    note_onset,
    pitch_of,
    sounded,
    value_of,
    vocabulary_hash,
)
from tests.schema_strategies import SOME, counts, grammatical


def test_values_of_chords_are_dense_and_distinct():
    """N, onsets and holds of all chords fill 0 .. NUM_CHORD_VALUES - 1 exactly, and each names its chord."""
    every = [Chord(root, quality) for root in range(12) for quality in QUALITY_NAMES]
    assert [chord_index(c) for c in every] == list(range(NUM_CHORDS))
    values = [NOTHING, *map(chord_onset, every), *map(chord_hold, every)]
    assert values == list(range(NUM_CHORD_VALUES))
    assert [chord_of(v) for v in values] == [None, *every, *every]


def test_values_of_notes_are_dense_and_distinct():
    """Silence, onsets and holds of all pitches fill 0 .. NUM_MELODY_VALUES - 1 exactly, and each names its pitch."""
    pitches = list(range(NUM_PITCHES))
    values = [NOTHING, *map(note_onset, pitches), *map(note_hold, pitches)]
    assert values == list(range(NUM_MELODY_VALUES))
    assert [pitch_of(v) for v in values] == [None, *pitches, *pitches]


def test_a_hold_is_what_follows_an_onset_by_itself():
    """What sounds sounds on as a hold of the same; N stays N."""
    chord = Chord(7, "7")
    assert held(chord_onset(chord), NUM_CHORDS) == held(chord_hold(chord), NUM_CHORDS) == chord_hold(chord)
    assert held(note_onset(60), NUM_PITCHES) == note_hold(60)
    assert held(NOTHING, NUM_CHORDS) == NOTHING
    assert [is_onset(v, NUM_CHORDS) for v in (0, 1, NUM_CHORDS, NUM_CHORDS + 1)] == [False, True, True, False]


@SOME
@given(counts, st.data())
def test_grammar_and_actions_agree(count: int, data: st.DataObject):
    """A value may follow exactly when its own action produces it, and a produced value may always follow."""
    previous = data.draw(st.integers(0, 2 * count))
    value = data.draw(st.integers(0, 2 * count) | st.just(held(previous, count)))
    action = data.draw(st.integers(0, count + 1))
    assert may_follow(previous, value, count) == (value_of(action_of(value, count), previous, count) == value)
    produced = value_of(action, previous, count)
    assert 0 <= produced <= 2 * count
    assert may_follow(previous, produced, count)
    assert action_of(produced, count) == action or (action == HOLD_ACTION and produced == previous == NOTHING)


@SOME
@given(counts, st.data())
def test_only_a_running_sound_may_be_held(count: int, data: st.DataObject):
    """A hold stands only after the same sound; N and onsets stand anywhere."""
    previous = data.draw(st.integers(0, 2 * count))
    sound = data.draw(st.integers(1, count))
    assert may_follow(previous, NOTHING, count)
    assert may_follow(previous, sound, count)
    assert may_follow(previous, sound + count, count) == (previous in (sound, sound + count))


@SOME
@given(counts, st.data())
def test_first_break_finds_the_first_value_that_may_not_follow(count: int, data: st.DataObject):
    """Grammatical values have no break; after one value is spoilt the break is where the pairs say."""
    values = data.draw(grammatical(count, min_size=1, first_may_hold=True))
    assert first_break(values, count) is None
    spoilt = list(values)
    spoilt[data.draw(st.integers(0, len(values) - 1))] = data.draw(st.integers(-2, 2 * count + 2))
    pairs = zip([spoilt[0], *spoilt], spoilt, strict=False)
    bad = [i for i, (before, value) in enumerate(pairs) if not 0 <= value <= 2 * count or (i and not may_follow(before, value, count))]
    assert first_break(spoilt, count) == (bad[0] if bad else None)


def test_first_break_by_hand():
    """The first value may be a hold; a hold of another sound, a hold after N and a foreign number are breaks."""
    c, d = chord_onset(Chord(0, "maj")), chord_onset(Chord(2, "min"))
    assert first_break([], NUM_CHORDS) is None
    assert first_break([c + NUM_CHORDS, c + NUM_CHORDS, NOTHING, d, d + NUM_CHORDS, d], NUM_CHORDS) is None
    assert first_break([c, d + NUM_CHORDS], NUM_CHORDS) == 1
    assert first_break([c, NOTHING, c + NUM_CHORDS], NUM_CHORDS) == 2
    assert first_break([NUM_CHORD_VALUES], NUM_CHORDS) == first_break([-1], NUM_CHORDS) == 0


@SOME
@given(counts, st.data())
def test_sounded_values_obey_the_grammar(count: int, data: st.DataObject):
    """P4: what sounds is what was planned, with a hold of something not running struck; what already fits is untouched."""
    previous = data.draw(st.integers(0, 2 * count))
    values = data.draw(st.lists(st.integers(0, 2 * count), max_size=12))
    heard = sounded(values, previous, count)
    assert len(heard) == len(values)
    assert all(may_follow(before, value, count) for before, value in zip([previous, *heard], heard, strict=False))
    assert [v - count if v > count else v for v in heard] == [v - count if v > count else v for v in values]
    assert sounded(heard, previous, count) == heard


def test_a_late_hold_is_struck():
    """P4: a plan that continues a chord which is not sounding strikes it, once."""
    c, d = chord_onset(Chord(0, "maj")), chord_onset(Chord(2, "min"))
    assert sounded([c + NUM_CHORDS, c + NUM_CHORDS], d, NUM_CHORDS) == [c, c + NUM_CHORDS]


def test_words_on_the_wire_are_the_vocabulary():
    """The densities and styles a client may name are those a model was trained with."""
    assert get_args(Density) == DENSITIES
    assert get_args(Style) == STYLES
    assert DENSITIES[0] == STYLES[0] == "unspecified"


def test_sizes():
    """Counts follow from 12 roots and 128 pitches; an action is nothing, hold or one of the onsets."""
    assert 12 * len(QUALITY_NAMES) == NUM_CHORDS
    assert NUM_CHORD_ACTIONS == NUM_CHORDS + 2
    assert NUM_MELODY_ACTIONS == NUM_PITCHES + 2 == 130


def test_vocabulary_hash_is_pinned():
    """Weights depend on this number: a change of it makes every checkpoint unreadable, so it is changed on purpose only."""
    assert vocabulary_hash() == "743fba03b5fc2f322ac2f46a44dc056d8d9a835d92ef59436afcbede6aa624d2"
