"""Chords: qualities, lead-sheet and Harte symbols, pitch classes. Pure.

A chord is a root (pitch class) and a quality. A slash bass is parsed and kept beside the chord in
`ChordSymbol`; it is not part of the chord itself, because plans choose their own bass (`voicing`).
What does not map is refused with `UnknownChord`, never rewritten to some other chord.
"""

import re
from typing import NamedTuple


class Quality(NamedTuple):
    """One chord quality in both spellings; intervals are semitones above the root, root first."""

    name: str
    intervals: tuple[int, ...]
    lead_sheet: str
    harte: str


# Chosen from the corpora (together >= 99 % of chord time, see DECISIONS). The order is part of the vocabulary: append only.
QUALITIES = (
    Quality("maj", (0, 4, 7), "", "maj"),
    Quality("min", (0, 3, 7), "m", "min"),
    Quality("7", (0, 4, 7, 10), "7", "7"),
    Quality("maj7", (0, 4, 7, 11), "maj7", "maj7"),
    Quality("min7", (0, 3, 7, 10), "m7", "min7"),
    Quality("dim", (0, 3, 6), "dim", "dim"),
    Quality("dim7", (0, 3, 6, 9), "dim7", "dim7"),
    Quality("hdim7", (0, 3, 6, 10), "m7b5", "hdim7"),
    Quality("aug", (0, 4, 8), "aug", "aug"),
    Quality("sus2", (0, 2, 7), "sus2", "sus2"),
    Quality("sus4", (0, 5, 7), "sus4", "sus4"),
    Quality("6", (0, 4, 7, 9), "6", "maj6"),
    Quality("min6", (0, 3, 7, 9), "m6", "min6"),
    Quality("9", (0, 4, 7, 10, 2), "9", "9"),
    Quality("add9", (0, 4, 7, 2), "add9", "maj(9)"),
    Quality("minmaj7", (0, 3, 7, 11), "mMaj7", "minmaj7"),
    Quality("7sus4", (0, 5, 7, 10), "7sus4", "sus4(b7)"),
    Quality("7b9", (0, 4, 7, 10, 1), "7b9", "7(b9)"),
    Quality("7#5", (0, 4, 8, 10), "7#5", "7(#5)"),
    Quality("maj9", (0, 4, 7, 11, 2), "maj9", "maj9"),
    Quality("min9", (0, 3, 7, 10, 2), "m9", "min9"),
)
QUALITY_NAMES = tuple(q.name for q in QUALITIES)
ROOT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
NO_CHORD = "N"

_BY_NAME = {q.name: q for q in QUALITIES}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROOT = re.compile(r"([A-G])([#b]*)")
_ACCIDENTALS = str.maketrans({"♯": "#", "♭": "b", "△": "M", "Δ": "M", "°": "o", "ø": "h", "−": "-"})
# Other spellings met in lead sheets; the printed one is the first column of QUALITIES.
_ALIASES = {
    "M": "maj",
    "maj": "maj",
    "major": "maj",
    "min": "min",
    "-": "min",
    "mi": "min",
    "minor": "min",
    "dom7": "7",
    "M7": "maj7",
    "ma7": "maj7",
    "j7": "maj7",
    "min7": "min7",
    "-7": "min7",
    "mi7": "min7",
    "o": "dim",
    "o7": "dim7",
    "h": "hdim7",
    "h7": "hdim7",
    "-7b5": "hdim7",
    "min7b5": "hdim7",
    "m7-5": "hdim7",
    "+": "aug",
    "sus": "sus4",
    "maj6": "6",
    "M6": "6",
    "-6": "min6",
    "min6": "min6",
    "add2": "add9",
    "minmaj7": "minmaj7",
    "mM7": "minmaj7",
    "-M7": "minmaj7",
    "m(maj7)": "minmaj7",
    "7sus": "7sus4",
    "sus7": "7sus4",
    "7(b9)": "7b9",
    "+7": "7#5",
    "aug7": "7#5",
    "7+": "7#5",
    "7(#5)": "7#5",
    "M9": "maj9",
    "min9": "min9",
    "-9": "min9",
}
_HARTE_ALIASES = {"aug(b7)": "7#5", "maj(2)": "add9", "maj(b7)": "7", "min(b7)": "min7", "dim(b7)": "hdim7"}
_LEAD_SHEET = {q.lead_sheet: q.name for q in QUALITIES} | _ALIASES
_HARTE = {q.harte: q.name for q in QUALITIES} | _HARTE_ALIASES
_DEGREES = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 14, 11: 17, 13: 21}


class Chord(NamedTuple):
    """A chord without voicing: root 0..11 (C = 0) and the name of its quality."""

    root: int
    quality: str


class ChordSymbol(NamedTuple):
    """A parsed symbol: its chord (None for "no chord") and the pitch class of a slash bass, if written."""

    chord: Chord | None
    bass: int | None


class UnknownChord(ValueError):
    """A symbol that names no chord of the vocabulary."""

    def __init__(self, symbol: str, spelling: str) -> None:
        super().__init__(symbol, spelling)
        self.symbol = symbol
        self.spelling = spelling

    def __str__(self) -> str:
        example = "C:min7" if self.spelling == "Harte" else "Cm7"
        return f"expected a {self.spelling} chord symbol such as {example} or N, got {self.symbol!r}: use one of the listed qualities"


def pitch_classes(chord: Chord) -> frozenset[int]:
    """All tones of the chord, extensions included."""
    return frozenset((chord.root + i) % 12 for i in _BY_NAME[chord.quality].intervals)


def transpose(chord: Chord, semitones: int) -> Chord:
    """The same chord, `semitones` higher."""
    return Chord((chord.root + semitones) % 12, chord.quality)


def print_symbol(chord: Chord | None) -> str:
    """Lead-sheet spelling (`F#m7b5`); "N" for no chord."""
    return NO_CHORD if chord is None else ROOT_NAMES[chord.root] + _BY_NAME[chord.quality].lead_sheet


def print_harte(chord: Chord | None) -> str:
    """Harte spelling (`F#:hdim7`); "N" for no chord."""
    return NO_CHORD if chord is None else f"{ROOT_NAMES[chord.root]}:{_BY_NAME[chord.quality].harte}"


def parse_symbol(text: str) -> ChordSymbol:
    """Read a lead-sheet symbol such as `Bbmaj7` or `D/F#`. Raises UnknownChord."""
    head, bass = _split_bass(text.translate(_ACCIDENTALS).strip(), text)
    if head in (NO_CHORD, "N.C.", "NC"):
        return ChordSymbol(None, None)
    root, rest = _split_root(head, text, "lead-sheet")
    if rest not in _LEAD_SHEET:
        raise UnknownChord(text, "lead-sheet")
    return ChordSymbol(Chord(root, _LEAD_SHEET[rest]), bass)


def parse_harte(text: str) -> ChordSymbol:
    """Read a Harte label such as `Eb:min7/b3` or `N`. Raises UnknownChord."""
    head, _, degree = text.strip().partition("/")
    if head == NO_CHORD:
        return ChordSymbol(None, None)
    name, _, shorthand = head.partition(":")
    root, rest = _split_root(name, text, "Harte")
    quality = _HARTE.get(shorthand or "maj")
    if rest or quality is None:
        raise UnknownChord(text, "Harte")
    bass = (root + _degree_semitones(degree, text)) % 12 if degree else None
    return ChordSymbol(Chord(root, quality), bass)


def from_pitch_classes(tones: frozenset[int], bass: int) -> Chord | None:
    """The chord with exactly these tones; of several readings the one rooted on `bass`, then QUALITIES' order. None if none fits."""
    fits = [
        (root != bass, index, Chord(root, quality.name))
        for index, quality in enumerate(QUALITIES)
        for root in tones
        if pitch_classes(Chord(root, quality.name)) == tones
    ]
    return min(fits)[2] if fits else None


def _split_bass(text: str, original: str) -> tuple[str, int | None]:
    head, slash, bass = text.partition("/")
    if not slash or bass == "9":  # C6/9 is not a slash chord, and not in the vocabulary either
        return text, None
    root, rest = _split_root(bass, original, "lead-sheet")
    if rest:
        raise UnknownChord(original, "lead-sheet")
    return head, root


def _split_root(text: str, original: str, spelling: str) -> tuple[int, str]:
    match = _ROOT.match(text)
    if match is None:
        raise UnknownChord(original, spelling)
    letter, accidentals = match.groups()
    shift = accidentals.count("#") - accidentals.count("b")
    return (_LETTERS[letter] + shift) % 12, text[match.end() :]


def _degree_semitones(degree: str, original: str) -> int:
    match = re.fullmatch(r"([#b]*)(\d{1,2})", degree)
    if match is None or int(match[2]) not in _DEGREES:
        raise UnknownChord(original, "Harte")
    return _DEGREES[int(match[2])] + match[1].count("#") - match[1].count("b")
