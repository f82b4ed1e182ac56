"""The Nottingham Music Database as cleaned at Jukedeck (GPL v3): ABC tunes with chord symbols. Shell.

Reads as much of ABC as these files use. What it does not know refuses the tune by name. Flow of one tune: header -> parts of
measures (`_Writer`) -> order of parts, repeats and endings played out (`training.scores`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from schema.chords import Chord
from training.corpora import Conversion, CorpusProblem, Tune, convert
from training.scores import Measure, WrittenChord, WrittenNote, play_order, tune_of

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTHS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F#": 6, "C#": 7, "F": -1, "Bb": -2, "Eb": -3, "Ab": -4, "Db": -5, "Gb": -6}
_MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_SHARPS = "FCGDAEB"
_QUALITIES = {"": "maj", "m": "min", "7": "7", "m7": "min7", "maj7": "maj7", "d": "dim", "d7": "dim7", "a": "aug", "a7": "7#5"} | {
    "6": "6",
    "m6": "min6",
    "9": "9",
    "7b9": "7b9",
}
_TUPLETS = {2: Fraction(3, 2), 3: Fraction(2, 3), 4: Fraction(3, 4), 6: Fraction(2, 6)}
_WORD = re.compile(
    r'"(?P<chord>[^"]*)"'
    r"|(?P<ending>\[\d)"
    r"|(?P<bar>(?:[:|]|\|\])+)"
    r"|\((?P<tuplet>\d)"
    r"|\[\+?(?P<stack>[^\]|:]+)\](?P<stack_length>\d*/*\d*)"
    r"|(?P<accidental>\^\^|__|[\^_=]?)(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
    r"|(?P<rest>[zx])(?P<rest_length>\d*/*\d*)"
    r"|(?P<tie>-)"
    r"|(?P<nothing>(?:[\s)~\\]|\((?!\d)|![^!]*!)+)"
)
_NOTE = re.compile(r"(\^\^|__|[\^_=]?)([A-Ga-g])([,']*)(\d*/*\d*)")


def read_nottingham(folder: Path) -> Conversion:
    """Every tune of `ABC_cleaned/*.abc`. Raises CorpusProblem if no file is there."""
    files = sorted((folder / "ABC_cleaned").glob("*.abc"))
    if not files:
        raise CorpusProblem(f"expected files ABC_cleaned/*.abc in {folder}, got none: point to the Nottingham data set")
    tunes: dict[str, str] = {}
    unread: dict[str, str] = {}
    for path in files:
        try:
            found = {f"{path.stem}/{number}": text for number, text in _tunes(path.read_text(encoding="utf-8", errors="replace"))}
        except OSError as problem:
            unread[path.name] = str(problem)
            continue
        tunes |= found
        if not found:
            unread[path.name] = "expected tunes that begin with X:, got none"
    result = convert("nottingham", tunes, lambda name: _read_tune(name, tunes[name]))
    result.refused |= unread
    return result


def _tunes(text: str) -> Iterator[tuple[str, str]]:
    """Number and text of each tune of a file; a number used twice is told apart by its place."""
    seen: set[str] = set()
    for place, tune in enumerate(re.split(r"^X:", text, flags=re.MULTILINE)[1:], start=1):
        number = tune.partition("\n")[0].strip() or "?"
        number = f"{number} at {place}" if number in seen else number
        seen.add(number)
        yield number, tune.partition("\n")[2]


def _read_tune(name: str, text: str) -> Tune:
    writer = _Writer()
    title: str | None = None
    order: str | None = None
    in_body = False
    for line in text.splitlines():
        line = line.partition("%")[0].strip()
        if match := re.match(r"([A-Z]):(.*)", line):
            key, value = match[1], match[2].strip()
            if key == "T":
                title = title or value
            elif key == "Y" or (key == "P" and not in_body):
                order = value if key == "Y" else order or value
            else:
                writer.direct(key, value)
            in_body = in_body or key == "K"
        elif in_body:
            writer.write(line)
    return tune_of(name, title, _played(writer.finished(), order))


def _played(parts: dict[str, list[Measure]], order: str | None) -> list[Measure]:
    """The measures in playing order. Without an order the parts follow as written.

    A part written with its repeat and named twice in a row is played once with its repeat: the order only spells the repeat out.
    """
    names = [letter for letter in order or "" if letter.isalpha()] or list(parts)
    if names[0] not in parts and "" in parts:  # the first part is not always marked
        parts = {names[0] if name == "" else name: measures for name, measures in parts.items()}
    if missing := sorted(set(names) - set(parts)):
        raise CorpusProblem(f"expected the parts {' '.join(names)}, got no part {' '.join(missing)}")
    result: list[Measure] = []
    if "" in parts and order:
        result += [parts[""][index] for index in play_order(parts[""])]
    before: str | None = None
    for part in names:
        measures = parts[part]
        if part == before and any(measure.backward for measure in measures[-1:]):
            before = None
            continue
        result += [measures[index] for index in play_order(measures)]
        before = part
    return result


@dataclass
class _Writer:
    """Lines of a tune's body into measures, part by part."""

    parts: dict[str, list[Measure]] = field(default_factory=dict)
    part: str = ""
    metre: Fraction = Fraction(4)
    unit: Fraction | None = None
    key: dict[str, int] = field(default_factory=dict)  # letter -> semitones
    measure: Measure = field(default_factory=lambda: Measure(Fraction(4)))
    accidentals: dict[tuple[str, str], int] = field(default_factory=dict)
    endings: frozenset[int] = frozenset()
    tuplet: tuple[int, Fraction] = (0, Fraction(1))  # notes left in it, what each is stretched by

    def direct(self, field_name: str, value: str) -> None:
        """Take note of a field; those about people and dances mean nothing here."""
        if field_name == "M":
            self._bar_line()
            self.metre = _metre(value)
            self.measure.metre = self.metre
        elif field_name == "L":
            self.unit = 4 * Fraction(value.replace(" ", ""))
        elif field_name == "K":
            self.key = _key(value)
        elif field_name == "P":
            self._bar_line()
            self.endings = frozenset()
            self.part = value[:1]

    def write(self, line: str) -> None:
        """Read a line of music. Raises CorpusProblem for what is none."""
        at = 0
        while at < len(line):
            match = _WORD.match(line, at)
            if match is None or match.end() == at:
                raise CorpusProblem(f"expected ABC music, got {line[at : at + 12]!r}")
            self._word(match)
            at = match.end()

    def _word(self, match: re.Match[str]) -> None:
        if match["chord"] is not None:
            self._chord(match["chord"].strip().strip("()").strip())
        elif match["ending"]:
            self._bar_line()
            self.endings = frozenset({int(match["ending"][1:])})
        elif match["bar"]:
            self._bar(match["bar"])
        elif match["tuplet"]:
            self.tuplet = (int(match["tuplet"]), _TUPLETS.get(int(match["tuplet"]), Fraction(2, int(match["tuplet"]) or 2)))
        elif match["stack"]:
            self._stack(match["stack"], match["stack_length"])
        elif match["letter"]:
            self._note(self._pitch(match["accidental"], match["letter"], match["octave"]), match["length"])
        elif match["rest"]:
            self._note(None, match["rest_length"])
        elif match["tie"]:
            self._tie()

    def _chord(self, text: str) -> None:
        """A symbol; a second one at the same place is for the second time through. A blank one is no change."""
        if not text:
            return
        chords = self.measure.chords
        if chords and chords[-1].start == self.measure.length:
            chords[-1] = WrittenChord(chords[-1].start, (*chords[-1].times, chord_of_symbol(text)))
        else:
            chords.append(WrittenChord(self.measure.length, (chord_of_symbol(text),)))

    def _stack(self, notes: str, length: str) -> None:
        """Notes struck together: the top one is the tune, the first one's length counts."""
        found = [match.groups() for match in _NOTE.finditer(notes)]
        if not found or _NOTE.sub("", notes).strip(" -"):
            raise CorpusProblem(f"expected notes in brackets, got [{notes}]")
        self._note(max(self._pitch(*note[:3]) for note in found), length or found[0][3])
        if notes.endswith("-"):
            self._tie()

    def _note(self, pitch: int | None, length: str) -> None:
        left, stretch = self.tuplet
        duration = self._unit() * _multiple(length) * (stretch if left else 1)
        self.tuplet = (max(0, left - 1), stretch)
        if pitch is not None:
            self.measure.notes.append(WrittenNote(self.measure.length, duration, pitch))
        self.measure.length += duration

    def _tie(self) -> None:
        """The last note sounds on into the next, also where a bar line came between."""
        measure = self.measure if self.measure.notes else self.parts.get(self.part, [self.measure])[-1]
        if measure.notes:
            measure.notes[-1] = replace(measure.notes[-1], tied=True)

    def _unit(self) -> Fraction:
        """Length of a note without a number, in quarters; by default a sixteenth in metres under 3/4, else an eighth (ABC 2.1, 3.1.7)."""
        return self.unit or (Fraction(1, 4) if self.metre < 3 else Fraction(1, 2))

    def _pitch(self, accidental: str, letter: str, octave: str) -> int:
        """MIDI pitch; an accidental holds for its letter and octave to the bar line."""
        place = (letter, octave)
        if accidental:
            self.accidentals[place] = accidental.count("^") - accidental.count("_")
        shift = self.accidentals.get(place, self.key.get(letter.upper(), 0))
        above = 12 * (letter.islower() + octave.count("'") - octave.count(","))
        pitch = 60 + _LETTERS[letter.upper()] + above + shift
        if not 0 <= pitch < 128:
            raise CorpusProblem(f"expected pitches from 0 to 127, got {pitch}")
        return pitch

    def _bar(self, signs: str) -> None:
        self._bar_line()
        written = self.parts.get(self.part, [])
        if signs.startswith(":") and written:
            written[-1].backward = True
        if signs.startswith(":") or "||" in signs or signs.endswith((":", "]")):
            self.endings = frozenset()
        if signs.endswith(":") and (len(signs) > 1):
            self.measure.forward = True

    def _bar_line(self) -> None:
        """Close the measure; one without notes is still open, its chords and repeat sign belong to the next."""
        self.accidentals = {}
        if self.measure.length:
            self.measure.endings = self.endings
            self.parts.setdefault(self.part, []).append(self.measure)
            self.measure = Measure(self.metre)

    def finished(self) -> dict[str, list[Measure]]:
        """The measures by part. Raises CorpusProblem if there are none."""
        self._bar_line()
        if not self.parts:
            raise CorpusProblem("expected music after the field K:, got none")
        return self.parts


def _multiple(text: str) -> Fraction:
    """The number after a note: `3/2`, `/2`, `/`, `//`, `2`."""
    numerator, slash, denominator = text.partition("/")
    divisor = int(denominator.strip("/") or 2 ** (1 + denominator.count("/"))) if slash else 1
    if not divisor:
        raise CorpusProblem(f"expected a length such as 3/2, got {text}")
    return Fraction(int(numerator or 1), divisor)


def _metre(value: str) -> Fraction:
    """Quarters in a bar. Raises CorpusProblem."""
    value = {"C": "4/4", "C|": "2/2"}.get(value, value)
    if (match := re.fullmatch(r"(\d+)/([1-9]\d*)", value)) is None:
        raise CorpusProblem(f"expected a metre such as 6/8, got {value!r}")
    return Fraction(4 * int(match[1]), int(match[2]))


def _key(value: str) -> dict[str, int]:
    """Semitones by letter of a key such as `F#m` or `Ador`. Raises CorpusProblem."""
    match = re.match(r"([A-G][#b]?)\s*([A-Za-z]*)", value)
    mode = match[2].lower()[:3] if match else ""
    if match is None or match[1] not in _FIFTHS or mode not in _MODES:
        raise CorpusProblem(f"expected a key such as D or Em, got {value!r}")
    fifths = _FIFTHS[match[1]] + _MODES[mode]
    return dict.fromkeys(_SHARPS[:fifths], 1) if fifths >= 0 else dict.fromkeys(_SHARPS[fifths:], -1)


def chord_of_symbol(text: str) -> Chord | str:
    """The chord of a symbol in this corpus's spelling (`Gd` diminished, `Ca` augmented, `D/f+` over F sharp); the text if it is none."""
    match = re.fullmatch(r"([A-G])([#b]?)([a-z0-9]*?)(/[A-Ga-g][+b#]?)?", text)
    if match is None or match[3] not in _QUALITIES:
        return text
    root = _LETTERS[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]
    return Chord(root % 12, _QUALITIES[match[3]])
