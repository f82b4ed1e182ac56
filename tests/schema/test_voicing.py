"""Voicing: complete, in range, economical, without drift."""

import random
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.chords import QUALITY_NAMES, Chord, pitch_classes
from schema.voicing import CENTRE, HIGH, LOW, voice
from tests.schema_strategies import FEW, chords

ALL_CHORDS = [Chord(root, quality) for root in range(12) for quality in QUALITY_NAMES]
progressions = st.lists(st.none() | chords, min_size=1, max_size=8)


def voiced(progression: list[Chord | None], style: str) -> list[tuple[int, ...]]:
    result: list[tuple[int, ...]] = []
    for chord in progression:
        result.append(voice(chord, result[-1] if result else (), style))
    return result


def movement(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Semitones the upper voices move, each to its nearest neighbour, both ways."""
    there = sum(min(abs(p - q) for q in before[1:]) for p in after[1:])
    back = sum(min(abs(p - q) for p in after[1:]) for q in before[1:])
    return max(there, back)


def test_p9_no_chord_is_silence():
    """P9: an empty list is N, whatever sounded before."""
    assert voice(None) == voice(None, (36, 60, 64, 67)) == voice(None, style="close") == ()


@pytest.mark.parametrize("style", ["led", "close"])
@pytest.mark.parametrize("chord", ALL_CHORDS, ids=lambda c: f"{c.root}:{c.quality}")
def test_p9_every_tone_is_there(chord: Chord, style: str):
    """P9: root in the bass, then rising voices that with it make the whole chord and nothing else."""
    bass, *upper = voice(chord, style=style)
    assert bass == 36 + chord.root
    assert upper == sorted(set(upper))
    assert {pitch % 12 for pitch in (bass, *upper)} == pitch_classes(chord)
    expected = pitch_classes(chord)
    if style == "led" and len(expected) == 5:
        expected -= {chord.root}  # five tones: the root is left to the bass
    assert {pitch % 12 for pitch in upper} == expected
    assert len(upper) == len(expected)


@FEW
@given(progressions)
def test_led_voices_stay_in_range(progression: list[Chord | None]):
    """The upper voices stay inside LOW..HIGH and within an octave and a third of each other, above the bass."""
    for pitches in voiced(progression, "led"):
        if pitches:
            assert pitches[0] < LOW <= pitches[1] < pitches[-1] <= HIGH
            assert pitches[-1] - pitches[1] <= 16


@FEW
@given(chords, st.lists(st.integers(0, 127), max_size=6))
def test_any_previous_pitches_are_taken(chord: Chord, previous: list[int]):
    """Whatever is said to have sounded, the chord is complete and inside the range."""
    bass, *upper = voice(chord, tuple(previous))
    assert {pitch % 12 for pitch in (bass, *upper)} == pitch_classes(chord)
    assert LOW <= min(upper) <= max(upper) <= HIGH


@FEW
@given(progressions, st.sampled_from(["led", "close"]))
def test_voicing_is_deterministic(progression: list[Chord | None], style: str):
    """The same chords give the same pitches again; a repeated chord does not move."""
    assert voiced(progression, style) == voiced(progression, style)
    pitches = voiced(progression, style)[-1]
    assert voice(progression[-1], pitches, style) == pitches


def test_voices_do_not_drift():
    """Over 400 random chords the middle of the voicing stays near the centre, the last hundred like the first, and no voice sticks."""
    chooser = random.Random(7)
    played = voiced([chooser.choice(ALL_CHORDS) for _ in range(400)], "led")
    middles = [fmean(pitches[1:]) for pitches in played]
    assert abs(fmean(middles) - CENTRE) < 3
    assert abs(fmean(middles[:100]) - fmean(middles[-100:])) < 2
    assert max(abs(middle - CENTRE) for middle in middles) <= 10
    assert len({pitches[1] for pitches in played}) > 8
    assert len({pitches[-1] for pitches in played}) > 8


def test_led_moves_less_than_close():
    """Voice leading moves the upper voices no further than stacking close chords does, on average."""
    chooser = random.Random(8)
    progression: list[Chord | None] = [chooser.choice(ALL_CHORDS) for _ in range(300)]
    moved = {}
    for style in ("led", "close"):
        played = voiced(progression, style)
        moved[style] = fmean(movement(a, b) for a, b in pairwise(played))
    assert moved["led"] <= moved["close"]


def test_common_tones_stay():
    """C to Am keeps C and E and moves G to A; C to F keeps C."""
    c = voice(Chord(0, "maj"))
    assert set(voice(Chord(9, "min"), c)[1:]) - set(c[1:]) == {next(p for p in c[1:] if p % 12 == 7) + 2}
    assert len(set(voice(Chord(5, "maj"), c)[1:]) & set(c[1:])) == 1


def test_close_by_hand():
    """Close chords are stacked within the octave from C3, the bass an octave and more below."""
    assert voice(Chord(0, "maj"), style="close") == (36, 48, 52, 55)
    assert voice(Chord(7, "9"), (1, 2, 3), "close") == (43, 50, 53, 55, 57, 59)
