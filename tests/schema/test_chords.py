"""Chords: both spellings, pitch classes, transposition, and what is refused."""

import pytest
from hypothesis import given

from schema.chords import (
    QUALITIES,
    QUALITY_NAMES,
    ROOT_NAMES,
    Chord,
    ChordSymbol,
    UnknownChord,
    from_pitch_classes,
    parse_harte,
    parse_symbol,
    pitch_classes,
    print_harte,
    print_symbol,
    transpose,
)
from tests.schema_strategies import FEW, chords, semitones

ALL_CHORDS = [Chord(root, quality) for root in range(12) for quality in QUALITY_NAMES]


def test_both_spellings_round_trip():
    """Every one of the 12 x qualities chords reads back from both spellings, and no two share one."""
    assert [parse_symbol(print_symbol(c)) for c in ALL_CHORDS] == [ChordSymbol(c, None) for c in ALL_CHORDS]
    assert [parse_harte(print_harte(c)) for c in ALL_CHORDS] == [ChordSymbol(c, None) for c in ALL_CHORDS]
    assert len({print_symbol(c) for c in ALL_CHORDS}) == len({print_harte(c) for c in ALL_CHORDS}) == len(ALL_CHORDS)


def test_no_chord_round_trips():
    """N is no chord in both spellings."""
    assert print_symbol(None) == print_harte(None) == "N"
    assert parse_symbol("N") == parse_symbol("N.C.") == parse_symbol("NC") == parse_harte("N") == ChordSymbol(None, None)


def test_symbols_fit_on_the_wire():
    """Every printed symbol, a slash bass included, fits the protocol's 16 characters."""
    assert max(len(print_symbol(c)) for c in ALL_CHORDS) + len("/Bb") <= 16


@pytest.mark.parametrize(
    ("text", "chord", "bass"),
    [
        ("C", Chord(0, "maj"), None),
        (" F#m7b5 ", Chord(6, "hdim7"), None),
        ("F♯m7♭5", Chord(6, "hdim7"), None),
        ("B♭△7", Chord(10, "maj7"), None),
        ("E−7", Chord(4, "min7"), None),
        ("Bø7", Chord(11, "hdim7"), None),
        ("G°7", Chord(7, "dim7"), None),
        ("Cb", Chord(11, "maj"), None),
        ("B##", Chord(1, "maj"), None),
        ("Dbb9", Chord(0, "9"), None),
        ("Bb", Chord(10, "maj"), None),
        ("Am(maj7)", Chord(9, "minmaj7"), None),
        ("G7sus", Chord(7, "7sus4"), None),
        ("C+", Chord(0, "aug"), None),
        ("D/F#", Chord(2, "maj"), 6),
        ("Am7/G", Chord(9, "min7"), 7),
        ("C/Bb", Chord(0, "maj"), 10),
    ],
)
def test_lead_sheet_spellings(text: str, chord: Chord, bass: int | None):
    """Signs, aliases and slash basses met in lead sheets are read."""
    assert parse_symbol(text) == ChordSymbol(chord, bass)


@pytest.mark.parametrize(
    ("text", "chord", "bass"),
    [
        ("C", Chord(0, "maj"), None),
        ("Eb:min7/b3", Chord(3, "min7"), 6),
        ("F#:hdim7/b5", Chord(6, "hdim7"), 0),
        ("C/5", Chord(0, "maj"), 7),
        ("A:maj/9", Chord(9, "maj"), 11),
        ("G:sus4(b7)", Chord(7, "7sus4"), None),
        ("D:aug(b7)", Chord(2, "7#5"), None),
        (" C:maj(9) ", Chord(0, "add9"), None),
        ("N", None, None),
    ],
)
def test_harte_labels(text: str, chord: Chord | None, bass: int | None):
    """Harte labels are read, the bass as a degree above the root."""
    assert parse_harte(text) == ChordSymbol(chord, bass)


@pytest.mark.parametrize("text", ["", "H", "c", "C13", "C6/9", "C/", "C/X", "C/Gb7", "N7", "Cmaj7#11", "/", "C D", "é"])
def test_unknown_symbols_are_refused(text: str):
    """A symbol outside the vocabulary is refused with a sentence, never rewritten."""
    with pytest.raises(UnknownChord) as caught:
        parse_symbol(text)
    assert str(caught.value) == (f"expected a lead-sheet chord symbol such as Cm7 or N, got {text!r}: use one of the listed qualities")


@pytest.mark.parametrize("text", ["", "C:13", "Cm:min", "X", "X/3", "C:maj/8", "C:maj/x", "C:(3,5)", "C:maj/" + "9" * 5000, "Hb:maj"])
def test_unknown_labels_are_refused(text: str):
    """A Harte label outside the vocabulary, X (unknown) included, is refused with a sentence."""
    with pytest.raises(UnknownChord) as caught:
        parse_harte(text)
    assert str(caught.value) == f"expected a Harte chord symbol such as C:min7 or N, got {text!r}: use one of the listed qualities"


def test_pitch_classes_by_hand():
    """Tones include the extensions."""
    assert pitch_classes(Chord(0, "maj")) == {0, 4, 7}
    assert pitch_classes(Chord(11, "9")) == {11, 3, 6, 9, 1}
    assert pitch_classes(Chord(9, "7b9")) == {9, 1, 4, 7, 10}


def test_qualities_are_well_formed():
    """Three to five different tones, root first; no two qualities have the same ones."""
    for quality in QUALITIES:
        assert quality.intervals[0] == 0
        assert 3 <= len(set(quality.intervals)) == len(quality.intervals) <= 5
        assert all(0 <= interval < 12 for interval in quality.intervals)
    assert len({frozenset(q.intervals) for q in QUALITIES}) == len(QUALITIES)
    assert len(set(ROOT_NAMES)) == 12


@FEW
@given(chords, semitones)
def test_transposition_moves_every_tone(chord: Chord, shift: int):
    """Tones of the transposed chord are the transposed tones; a shift back restores the chord, an octave does nothing."""
    moved = transpose(chord, shift)
    assert pitch_classes(moved) == {(tone + shift) % 12 for tone in pitch_classes(chord)}
    assert transpose(moved, -shift) == chord == transpose(chord, 12)
    assert parse_symbol(print_symbol(moved)).chord == parse_harte(print_harte(moved)).chord == moved


@FEW
@given(chords, semitones)
def test_naming_by_tones_follows_transposition(chord: Chord, shift: int):
    """With the root as the bass every chord is found again from its tones, in every key."""
    assert from_pitch_classes(pitch_classes(chord), chord.root) == chord
    assert from_pitch_classes(pitch_classes(transpose(chord, shift)), (chord.root + shift) % 12) == transpose(chord, shift)


def test_ambiguous_tones_are_named_after_the_bass():
    """C E G A is C6 over C and Am7 over A; over another bass the vocabulary's order decides; unknown sets have no name."""
    tones = frozenset({0, 4, 7, 9})
    assert from_pitch_classes(tones, 0) == Chord(0, "6")
    assert from_pitch_classes(tones, 9) == Chord(9, "min7")
    assert from_pitch_classes(tones, 4) == Chord(9, "min7")
    assert from_pitch_classes(frozenset({0, 1, 2}), 0) is None
    assert from_pitch_classes(frozenset(), 0) is None
