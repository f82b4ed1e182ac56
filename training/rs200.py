"""RS 200, "A Corpus Study of Rock Music" (de Clercq and Temperley), version 2.1: melodies and Roman numerals. Shell.

Melody and harmony are one file each, measure by measure; steps and numerals share their measure equally. The metre is the melody
file's. Notes are onsets only: each is held to the next one, at most MAX_NOTE_FRAMES.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

from schema.chords import QUALITIES, Chord
from schema.grid import FRAMES_PER_BEAT
from schema.melody import NoteSpan
from training.corpora import Bar, ChordChange, Conversion, CorpusProblem, Tune, convert, frame_of

MAX_NOTE_FRAMES = 8
MAX_RESTS = 1000
FREE_BAR = Bar(2, 2)  # a measure marked [0] has no metre: shorter than any bar, so that it is cut out
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii")
_NUMERAL = re.compile(r"([#b]*)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)([xhoad]?)(|7|9|11|6|64|65|43|42)(s4|b9)?")
_QUALITY_BY_TONES = {frozenset(q.intervals): q.name for q in QUALITIES}
_DOTS = {"_": 4, "-": 3, "=": 6}


class _Step(NamedTuple):
    """One equal share of a measure: a pitch, a chord, "no chord", or None where what was before goes on."""

    content: int | Chord | str | None
    no_chord: bool = False


class _Measure(NamedTuple):
    """One measure as written; `metre` in quarters, 0 where it is free."""

    metre: Fraction
    steps: list[_Step]


def read_rs200(folder: Path) -> Conversion:
    """Every song `rs200_melody/SONG_ANALYST.mel` with the harmony of the same analyst. Raises CorpusProblem if none is there."""
    files = {path.stem.rpartition("_")[0]: path for path in sorted((folder / "rs200_melody").glob("*_*.mel"))}
    if not files:
        raise CorpusProblem(f"expected files rs200_melody/SONG_ANALYST.mel in {folder}, got none: point to the unpacked RS 200 corpus")
    harmonies = folder / "rs200_harmony_exp"
    result = convert("rs200", files, lambda name: _read_song(name, files[name], harmonies))
    analysed = {path.stem.rpartition("_")[0] for path in harmonies.glob("*_*.txt")}
    return result.refuse(analysed - set(files), "expected a melody file, got only a harmony file")


def _read_song(name: str, melody_path: Path, harmonies: Path) -> Tune:
    text = melody_path.read_text(encoding="utf-8")
    title = next((line.strip("% \t") for line in text.splitlines() if line.startswith("%")), None)
    melody = list(_measures(text, _Voice()))
    harmony = list(_measures((harmonies / f"{melody_path.stem}.txt").read_text(encoding="utf-8"), _Analysis()))
    if len(melody) != len(harmony):
        raise CorpusProblem(f"expected as many measures in melody and harmony, got {len(melody)} and {len(harmony)}")
    bars: list[Bar] = []
    notes: list[tuple[int, int]] = []
    changes: list[ChordChange] = []
    at = 0
    for tune, chords in zip(melody, harmony, strict=True):
        bar = Bar(frame_of(tune.metre), frame_of(tune.metre)) if tune.metre else FREE_BAR
        notes += [(at + frame, step.content) for frame, step in _placed(tune.steps, bar.frames) if isinstance(step.content, int)]
        for frame, step in _placed(chords.steps, bar.frames):
            if step.no_chord:
                changes.append(ChordChange(at + frame, None))
            elif isinstance(step.content, Chord | str):
                changes.append(ChordChange(at + frame, step.content))
        bars.append(bar)
        at += bar.frames
    return _sung(Tune(name, title or name, _held(notes, at), changes, bars))


def _sung(tune: Tune) -> Tune:
    """The tune without the measures before its first note and after its last: long intros and fades are chords alone."""
    starts = list(accumulate((bar.frames for bar in tune.bars), initial=0))
    first = bisect_right(starts, tune.notes[0].start) - 1
    last = bisect_right(starts, tune.notes[-1].end - 1)
    begin = starts[first]
    notes = [NoteSpan(note.start - begin, note.end - begin, note.pitch) for note in tune.notes]
    changes = [ChordChange(change.frame - begin, change.chord) for change in tune.changes]
    return Tune(tune.name, tune.title, notes, changes, tune.bars[first:last])


def _placed(steps: list[_Step], bar_frames: int) -> Iterator[tuple[int, _Step]]:
    """Steps with the frame of the measure in which they begin."""
    for index, step in enumerate(steps):
        yield frame_of(Fraction(index * bar_frames, len(steps) * FRAMES_PER_BEAT)), step


def _held(onsets: list[tuple[int, int]], num_frames: int) -> list[NoteSpan]:
    """Onsets as notes: each lasts to the next one."""
    if not onsets:
        raise CorpusProblem("expected notes, got none: the melody file holds rests only")
    following = [after for _, (after, _) in pairwise(onsets)] + [num_frames]
    return [NoteSpan(at, min(after, at + MAX_NOTE_FRAMES), pitch) for (at, pitch), after in zip(onsets, following, strict=True)]


def _tokens(text: str) -> Iterator[str]:
    """Words of a file without comments and warnings; directives keep their brackets."""
    for line in text.splitlines():
        if not line.startswith("Warning"):
            yield from re.findall(r"\[[^\]]*\]|\||R\*\d+|[^\s|\[\]]+", line.partition("%")[0])


class _Part(Protocol):
    """What the words of a file mean, read in order."""

    def direct(self, directive: str) -> None:
        """Take note of a key, an octave or a mode signature."""

    def steps(self, word: str) -> list[_Step]:
        """The steps a word stands for."""


def _measures(text: str, part: _Part) -> Iterator[_Measure]:
    """The measures of a file. `R*4` stands for four empty ones, the last of which the next bar line closes."""
    metre = Fraction(4)
    steps: list[_Step] = []
    for token in _tokens(text):
        if token == "|":
            yield _Measure(metre, steps)
            steps = []
        elif token.startswith("["):
            directive = token.strip("[] ")
            if match := re.fullmatch(r"(\d+)/(\d+)", directive):
                metre = Fraction(4 * int(match[1]), int(match[2]))
            elif directive == "0":
                metre = Fraction(0)
            else:
                part.direct(directive)
        elif token.startswith("R*"):
            if (count := int(token[2:])) > MAX_RESTS:
                raise CorpusProblem(f"expected at most {MAX_RESTS} empty measures, got {token}")
            for _ in range(count - 1):
                yield _Measure(metre, [])
        else:
            steps += part.steps(token)
    if steps:
        raise CorpusProblem("expected a bar line at the end, got an open measure: the file may be cut off")


def _pitch_class(directive: str) -> int:
    """Pitch class of a key such as `Bb`. Raises CorpusProblem."""
    if not re.fullmatch(r"[A-G][#b]?", directive):
        raise CorpusProblem(f"expected a key, a metre, an octave or a signature in brackets, got [{directive}]")
    return (_LETTERS[directive[0]] + directive.count("#") - directive[1:].count("b")) % 12


@dataclass
class _Voice:
    """The melody file: scale degrees, each the nearest to the last pitch (a tritone goes up) unless `^` or `v` say otherwise."""

    tonic: int | None = None
    signature: tuple[int, ...] = (0,) * 7
    octave: int | None = None
    last: int | None = None

    def direct(self, directive: str) -> None:
        """Take note of a key, an octave or a mode signature."""
        if match := re.fullmatch(r"OCT=(\d)", directive):
            self.octave = int(match[1])
        elif re.fullmatch(r"[.b#]{7}", directive):
            self.signature = tuple({"b": -1, "#": 1}.get(mark, 0) for mark in directive)
        else:
            self.tonic = _pitch_class(directive)
            self.signature = (0,) * 7

    def steps(self, word: str) -> list[_Step]:
        """One step for each dot and digit; `_`, `-` and `=` are four, three and six dots."""
        result: list[_Step] = []
        if word == "R":
            return result
        shift = octaves = 0
        natural = False
        for mark in word:
            if mark == "." or mark in _DOTS:
                result += [_Step(None)] * _DOTS.get(mark, 1)
            elif mark in "#bn":
                natural = True
                shift += {"#": 1, "b": -1, "n": 0}[mark]
            elif mark in "^v":
                octaves += 1 if mark == "^" else -1
            elif mark in "1234567":
                degree = int(mark) - 1
                result.append(_Step(self._pitch(_SCALE[degree] + (shift if natural else self.signature[degree]), octaves)))
                shift = octaves = 0
                natural = False
            else:
                raise CorpusProblem(f"expected scale degrees and dots, got {word!r}")
        return result

    def _pitch(self, above_tonic: int, octaves: int) -> int:
        if self.tonic is None:
            raise CorpusProblem("expected a key such as [C] before the first note, got none")
        pitch_class = (self.tonic + above_tonic) % 12
        if self.octave is not None or self.last is None:
            pitch = 12 * ((4 if self.octave is None else self.octave) + 1) + pitch_class
            self.octave = None
        else:
            pitch = self.last + (pitch_class - self.last + 5) % 12 - 5
        self.last = pitch + 12 * octaves
        if not 0 <= self.last < 128:
            raise CorpusProblem(f"expected pitches from 0 to 127, got {self.last}")
        return self.last


@dataclass
class _Analysis:
    """The harmony file: Roman numerals against the major scale of the key."""

    tonic: int | None = None

    def direct(self, directive: str) -> None:
        """Take note of a key."""
        self.tonic = _pitch_class(directive)

    def steps(self, word: str) -> list[_Step]:
        """One step: a chord, `.` for the one before, `R` for none."""
        if word == ".":
            return [_Step(None)]
        if word == "R":
            return [_Step(None, no_chord=True)]
        if self.tonic is None:
            raise CorpusProblem("expected a key such as [C] before the first numeral, got none")
        return [_Step(chord_of_numeral(word, self.tonic))]


def chord_of_numeral(numeral: str, tonic: int) -> Chord | str:
    """The chord of a Roman numeral such as `V65/ii` in a key; the numeral itself if the vocabulary has no such chord."""
    head, slash, applied = numeral.partition("/")
    if slash:
        target = _NUMERAL.fullmatch(applied)
        if target is None:
            return numeral
        tonic += _degree(target)[1]
    match = _NUMERAL.fullmatch(head)
    if match is None:
        return numeral
    degree, semitones = _degree(match)
    if match[4] == "11" and not match[3] and not match[5]:  # the major triad a tone below over the root: the bass is not part of the chord
        return Chord((tonic + semitones - 2) % 12, "maj")
    tones = _tones(match, (_SCALE[(degree + 6) % 7] - semitones) % 12)
    quality = _QUALITY_BY_TONES.get(frozenset(tones)) if tones else None
    return Chord((tonic + semitones) % 12, quality) if quality else numeral


def _degree(match: re.Match[str]) -> tuple[int, int]:
    """Index of the scale degree, and its semitones above the tonic with the accidental."""
    degree = _NUMERALS.index(match[2].lower())
    return degree, _SCALE[degree] + match[1].count("#") - match[1].count("b")


def _tones(match: re.Match[str], scale_seventh: int) -> set[int] | None:
    """Intervals above the root; plain sevenths are the scale's over a major triad and minor over a minor one. None for no known form."""
    _, numeral, mark, figures, extra = match.groups()
    minor = numeral.islower()
    third, fifth = (3 if minor else 4), 7
    seventh = 10 if minor else scale_seventh
    if mark in ("h", "o", "x"):
        third, fifth, seventh = 3, 6, (10 if mark == "h" else 9)
    elif mark == "a":
        third, fifth = 4, 8
    elif mark == "d":
        seventh = 10
    if extra == "s4":
        third = 5
    tones = {0, third, fifth}
    if figures in ("7", "65", "43", "42", "9"):
        tones.add(seventh)
    elif mark in ("h", "x", "d") or figures == "11":
        return None
    if figures == "9":
        tones.add(2)
    if extra == "b9":
        tones.add(1)
    return tones
