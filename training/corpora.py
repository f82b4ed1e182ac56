"""What all corpus readers share: songs on the grid, what may be cut from them, the table of corpora. Shell.

A reader makes a `Tune` of each file; `Conversion.add` cuts it into songs. Nothing unmappable is rewritten: a chord
outside the vocabulary or a broken bar ends the song and another begins after it; what is left out is counted and named.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from schema.chords import Chord
from schema.grid import FRAMES_PER_BEAT, MAX_BEATS_PER_BAR, MIN_BEATS_PER_BAR
from schema.melody import NoteSpan, frames_of_spans
from schema.tokens import chord_hold, chord_onset

MIN_PIECE_FRAMES = 16 * FRAMES_PER_BEAT
MAX_TUNE_FRAMES = 100_000  # an hour of music at 100 beats a minute: what is longer is a misprint


class Corpus(NamedTuple):
    """Facts about a corpus; `shippable` says whether weights trained on it may be given away under the product's licence."""

    folder: str
    title: str
    licence: str
    style: str
    shippable: bool


# In the order of reading. A group of variants takes its side of the split from its first song, so append only.
CORPORA = {
    "pop909": Corpus("pop909", "POP909", "MIT (transcriptions and labels; the songs are by others)", "pop", True),
    "openewld": Corpus("openewld", "OpenEWLD", "public domain in the United States (screened to 1929); files MIT", "standards", True),
    "rs200": Corpus("rs200", "RS 200 (de Clercq and Temperley)", "CC BY 4.0", "rock", True),
    "nottingham": Corpus("nottingham", "Nottingham Music Database (ABC_cleaned)", "GPL-3.0", "folk", False),
    "hooktheory": Corpus("hooktheory", "Hooktheory (SheetSage release)", "CC BY-NC-SA 3.0", "pop", False),
}


class CorpusProblem(ValueError):
    """A song, or a whole corpus, that cannot be read; the text says what was expected, what was found and what to do."""


@dataclass(frozen=True)
class Song:
    """One piece of music on the grid; `melody` and `chords` hold one value per frame, frame 0 is a bar line."""

    name: str
    corpus: str
    style: str
    beats_per_bar: int
    melody: np.ndarray  # int16 [T]
    chords: np.ndarray  # int16 [T]
    title: str | None = None

    @property
    def tune(self) -> str:
        """Name of the tune this is a piece of."""
        return self.name.partition("+")[0]


class ChordChange(NamedTuple):
    """A chord from a frame on: None is N, a string is a label that names no chord of the vocabulary."""

    frame: int
    chord: Chord | str | None


class Bar(NamedTuple):
    """One bar in playing order: its length, and the length its metre asks for."""

    frames: int
    metre_frames: int


class Stretch(NamedTuple):
    """Frames [start, end) with a bar line at `start` and every `bar_frames` from there."""

    start: int
    end: int
    bar_frames: int


@dataclass(frozen=True)
class Tune:
    """A whole piece as written, repeats played out, frame 0 where the first bar (or the pickup) begins."""

    name: str
    title: str | None
    notes: Sequence[NoteSpan]
    changes: Sequence[ChordChange]
    bars: Sequence[Bar]


@dataclass
class Conversion:
    """What a reader made of a corpus, and what it left out: total = kept + unmapped + unbarred + short."""

    corpus: str
    songs: list[Song] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # file or song -> why nothing of it was kept
    replaced: dict[str, str] = field(default_factory=dict)  # song -> why it was read from other labels than asked
    total_frames: int = 0
    unmapped_frames: int = 0  # under a chord outside the vocabulary
    unbarred_frames: int = 0  # in bars that are no whole number of beats
    short_frames: int = 0  # in rests shorter than MIN_PIECE_FRAMES, or without a note

    @property
    def kept_frames(self) -> int:
        """Frames of all songs."""
        return sum(len(song.melody) for song in self.songs)

    def add(self, tune: Tune) -> None:
        """Cut a tune into songs and count what is left out. Raises CorpusProblem if nothing is left."""
        if not tune.bars or all(change.chord is None for change in tune.changes):
            raise CorpusProblem("expected bars with chords, got none")
        if (length := sum(bar.frames for bar in tune.bars)) > MAX_TUNE_FRAMES:
            raise CorpusProblem(f"expected at most {MAX_TUNE_FRAMES} frames, got {length}: a length in the file is wrong")
        silence = max(0, tune.bars[0].metre_frames - tune.bars[0].frames)
        bars = [Bar(silence, tune.bars[0].metre_frames), *tune.bars] if silence else tune.bars
        num_frames = sum(bar.frames for bar in bars)
        notes = [NoteSpan(note.start + silence, note.end + silence, note.pitch) for note in tune.notes]
        melody = np.array(frames_of_spans(notes, num_frames), np.int16)
        chords, known = chord_frames([ChordChange(c.frame + silence, c.chord) for c in tune.changes], num_frames)
        kept = unmapped = unbarred = 0
        for stretch in stretches(bars):
            whole = slice(stretch.start, stretch.end)
            beats_per_bar, rest = divmod(stretch.bar_frames, FRAMES_PER_BEAT)
            if rest or not MIN_BEATS_PER_BAR <= beats_per_bar <= MAX_BEATS_PER_BAR:
                unbarred += stretch.end - stretch.start
                continue
            unmapped += int((~known[whole]).sum())
            for start, end in known_pieces(known[whole], stretch.bar_frames):
                begin, stop = start + stretch.start, end + stretch.start
                if melody[begin:stop].any():
                    self.songs.append(self._song(tune, begin, beats_per_bar, melody[begin:stop], chords[begin:stop]))
                    kept += stop - begin
        self.total_frames += num_frames
        self.unmapped_frames += unmapped
        self.unbarred_frames += unbarred
        self.short_frames += num_frames - kept - unmapped - unbarred
        if not kept:
            raise CorpusProblem(_nothing_left(num_frames, unmapped, unbarred, stretches(bars)))

    def refuse(self, names: Iterable[str], why: str) -> Self:
        """Name what could not be read at all."""
        self.refused |= dict.fromkeys(sorted(names), why)
        return self

    def _song(self, tune: Tune, start: int, beats_per_bar: int, melody: np.ndarray, chords: np.ndarray) -> Song:
        name = f"{self.corpus}/{tune.name}" + (f"+{start}" if start else "")
        return Song(name, self.corpus, CORPORA[self.corpus].style, beats_per_bar, melody, chords, tune.title)

    def counts(self) -> str:
        """One line of counts, then one line for each song refused or read from other labels."""
        lines = [self._headline()]
        lines += [f"  refused {name}: {why}" for name, why in sorted(self.refused.items())]
        lines += [f"  {name}: {why}" for name, why in sorted(self.replaced.items())]
        return "\n".join(lines)

    def summary(self) -> str:
        """One line of counts, then how many songs each reason refused and what was read from other labels."""
        reasons = Counter(self.refused.values()).most_common()
        lines = [self._headline()] + [f"  {count} refused: {why}" for why, count in reasons]
        lines += [f"  {name}: {why}" for name, why in sorted(self.replaced.items())]
        return "\n".join(lines)

    def _headline(self) -> str:
        total = max(1, self.total_frames)
        return (
            f"{self.corpus} ({CORPORA[self.corpus].licence}): {len({song.tune for song in self.songs})} tunes in {len(self.songs)} pieces, "
            f"{self.kept_frames / FRAMES_PER_BEAT:,.0f} beats; left out {self.unmapped_frames / total:.2%} under a chord outside the "
            f"vocabulary, {self.unbarred_frames / total:.2%} in odd bars, {self.short_frames / total:.2%} too short; "
            f"{len(self.refused)} refused, {len(self.replaced)} read otherwise than asked"
        )


def _nothing_left(num_frames: int, unmapped: int, unbarred: int, found: Sequence[Stretch]) -> str:
    if num_frames and unbarred == num_frames:
        return f"a bar of {found[0].bar_frames} frames is no whole number of beats from {MIN_BEATS_PER_BAR} to {MAX_BEATS_PER_BAR}"
    return (
        f"expected {MIN_PIECE_FRAMES} frames of melody with known chords in whole bars, got no such stretch in {num_frames} frames"
        f" ({unmapped} with a chord outside the vocabulary, {unbarred} in odd bars)"
    )


def convert(corpus: str, names: Iterable[str], read: Callable[[str], Tune]) -> Conversion:
    """A conversion of every name `read` can make a tune of; what it cannot is refused by name, the others go on."""
    result = Conversion(corpus)
    for name in names:
        try:
            result.add(read(name))
        except (OSError, EOFError, ValueError, LookupError, ArithmeticError, TypeError) as problem:
            result.refused[name] = str(problem) or type(problem).__name__
    return result


def chord_frames(changes: Iterable[ChordChange], num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Chord values per frame, and whether the corpus names the chord there.

    Of changes in one frame the last counts; the same chord again is no change. A chord that runs already at frame 0 is struck there.
    """
    joined: list[ChordChange] = []
    for frame, chord in sorted(((max(0, c.frame), c.chord) for c in changes), key=lambda change: change[0]):
        while joined and joined[-1].frame == frame:
            joined.pop()
        if not joined or joined[-1].chord != chord:
            joined.append(ChordChange(frame, chord))
    values = np.zeros(num_frames, np.int16)
    known = np.ones(num_frames, bool)
    joined.append(ChordChange(num_frames, None))
    for (start, chord), (end, _) in pairwise(joined):
        end = min(end, num_frames)
        if isinstance(chord, str):
            known[start:end] = False
        elif chord is not None and start < end:
            values[start:end] = chord_hold(chord)
            values[start] = chord_onset(chord)
    return values, known


def stretches(bars: Iterable[Bar]) -> list[Stretch]:
    """The runs of bars of one metre, in order, without a gap.

    Incomplete bars that follow each other and add up (the last of a part and the pickup of the next) are one bar. One that nothing
    completes ends its run; one too long stands alone, as a bar of its own length.
    """
    whole: list[Bar] = []
    pending = Bar(0, 0)
    for bar in bars:
        if pending.frames and (pending.metre_frames != bar.metre_frames or pending.frames + bar.frames > bar.metre_frames):
            whole.append(pending)
            pending = Bar(0, 0)
        pending = Bar(pending.frames + bar.frames, bar.metre_frames)
        if pending.frames >= pending.metre_frames:
            whole.append(Bar(pending.frames, pending.frames))
            pending = Bar(0, 0)
    if pending.frames:
        whole.append(pending)
    result: list[Stretch] = []
    broken = True
    for bar in whole:
        if broken or result[-1].bar_frames != bar.metre_frames:
            start = result[-1].end if result else 0
            result.append(Stretch(start, start + bar.frames, bar.metre_frames))
        else:
            result[-1] = result[-1]._replace(end=result[-1].end + bar.frames)
        broken = bar.frames < bar.metre_frames
    return result


def known_pieces(known: np.ndarray, bar_frames: int) -> list[tuple[int, int]]:
    """Half-open stretches without unmapped chords, cut to begin on a bar line, long enough to be worth having."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    pieces = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        begin = -(-int(start) // bar_frames) * bar_frames
        if end - begin >= MIN_PIECE_FRAMES:
            pieces.append((begin, int(end)))
    return pieces


def frame_of(quarters: float | Fraction) -> int:
    """The nearest frame of a position in quarter notes; halves go up, so that equal lengths stay equal."""
    return math.floor(quarters * FRAMES_PER_BEAT + Fraction(1, 2))


def note_span(start: float | Fraction, end: float | Fraction, pitch: int) -> NoteSpan:
    """A note between two positions in quarter notes, at least one frame long."""
    first = frame_of(start)
    return NoteSpan(first, max(first + 1, frame_of(end)), pitch)


def readers() -> dict[str, Callable[[Path], Conversion]]:
    """The reader of every corpus in CORPORA."""
    from training.hooktheory import read_hooktheory  # here and not above: the readers import this file
    from training.nottingham import read_nottingham
    from training.openewld import read_openewld
    from training.pop909 import read_pop909
    from training.rs200 import read_rs200

    return {
        "pop909": read_pop909,
        "openewld": read_openewld,
        "rs200": read_rs200,
        "nottingham": read_nottingham,
        "hooktheory": read_hooktheory,
    }


def in_reading_order(names: Iterable[str]) -> list[str]:
    """The names in the order of CORPORA, each once. Raises CorpusProblem for a name that is not there."""
    asked = set(names)
    if unknown := sorted(asked - set(CORPORA)):
        raise CorpusProblem(f"expected names of corpora from {', '.join(CORPORA)}, got {', '.join(unknown)}")
    return [name for name in CORPORA if name in asked]


def check_shippable(names: Iterable[str]) -> None:
    """Raises CorpusProblem if weights trained on these corpora may not be given away under the product's licence."""
    if held := [f"{name} ({CORPORA[name].licence})" for name in in_reading_order(names) if not CORPORA[name].shippable]:
        raise CorpusProblem(
            f"expected corpora whose weights may be given away, got {', '.join(held)}: "
            "leave them out, or train for yourself with --allow-unshippable"
        )


def read_corpora(folder: Path, names: Sequence[str]) -> list[Conversion]:
    """The named corpora below `folder`, in the order of CORPORA, their counts printed. Raises CorpusProblem if one is not there."""
    result = []
    for name in in_reading_order(names):
        result.append(readers()[name](folder / CORPORA[name].folder))
        print(result[-1].counts(), flush=True)
    return result
