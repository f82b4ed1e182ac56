"""Readers for the public corpora: raw files in, songs on the grid out. Shell.

Nothing unmappable is rewritten: a song without a usable grid is refused with its reason, a stretch without
a chord name cuts the song in two. `read_pop909` returns what was read and what was left out, and why.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mido
import numpy as np

from schema.chords import Chord, UnknownChord, parse_harte
from schema.grid import FRAMES_PER_BEAT
from schema.melody import NoteSpan, frames_of_spans
from schema.tokens import NOTHING, chord_hold, chord_onset

POP909_OFF_GRID = frozenset({"014", "040", "282", "326", "537"})  # melody off any grid
MIN_PIECE_FRAMES = 16 * FRAMES_PER_BEAT


@dataclass(frozen=True)
class Song:
    """One piece of music on the grid; `melody` and `chords` hold one value per frame, frame 0 is a bar line."""

    name: str
    corpus: str
    style: str
    beats_per_bar: int
    melody: np.ndarray  # int16 [T]
    chords: np.ndarray  # int16 [T]


@dataclass
class Conversion:
    """What a reader made of a corpus."""

    songs: list[Song] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unmapped_frames: int = 0
    total_frames: int = 0


class CorpusProblem(ValueError):
    """A song, or a whole corpus, that cannot be read; the text says what was expected, what was found and what to do."""


@dataclass(frozen=True)
class _Beats:
    """Rows of a beat file: seconds of each beat, and the guessed downbeats."""

    seconds: np.ndarray  # [B]
    strong: np.ndarray  # [B] 1.0 on the rows that begin a half bar (4/4) or bar (3/4)
    downbeat: np.ndarray  # [B]

    def beat_at(self, seconds: np.ndarray) -> np.ndarray:
        """Position in beats, linear between rows, continued with the nearest step outside them."""
        rows = np.clip(np.searchsorted(self.seconds, seconds, side="right") - 1, 0, len(self.seconds) - 2)
        start = self.seconds[rows]
        return np.asarray(rows + (seconds - start) / (self.seconds[rows + 1] - start))


def read_pop909(folder: Path) -> Conversion:
    """Every song of POP909 in its public layout (`POP909/NNN/NNN.mid` and its text files). Raises CorpusProblem if none is there."""
    homes = sorted(p for p in (folder / "POP909").glob("[0-9][0-9][0-9]") if p.is_dir())
    if not homes:
        raise CorpusProblem(f"expected the folders POP909/001 .. POP909/909 in {folder}, got none: point to the unpacked POP909 data set")
    result = Conversion()
    for home in homes:
        if home.name in POP909_OFF_GRID:
            result.refused[home.name] = "melody lies off any grid"
            continue
        try:
            pieces, unmapped, total = _read_pop909_song(home)
        except (OSError, ValueError, EOFError, LookupError, ArithmeticError, mido.KeySignatureError) as problem:
            result.refused[home.name] = str(problem) or type(problem).__name__
            continue
        result.songs += pieces
        result.unmapped_frames += unmapped
        result.total_frames += total
    return result


def _read_pop909_song(home: Path) -> tuple[list[Song], int, int]:
    beats = _read_beats(home / "beat_midi.txt")
    starts, ends, pitches = _read_notes(home / f"{home.name}.mid", "MELODY")
    start_beats, end_beats = beats.beat_at(starts), beats.beat_at(ends)
    frames_per_row = 6 if _is_triplet(start_beats) else FRAMES_PER_BEAT
    chord_rows = _read_chords(home / "chord_midi.txt", beats)
    rows_per_bar = _rows_per_bar(beats)
    bar_frames = rows_per_bar * frames_per_row
    if bar_frames % FRAMES_PER_BEAT:
        raise CorpusProblem(f"a bar of {bar_frames} frames is no whole number of beats")
    phase = _bar_phase(chord_rows, beats, rows_per_bar)
    first_row = int(np.floor((start_beats.min() - phase + 1e-6) / rows_per_bar)) * rows_per_bar + phase
    spans = [
        NoteSpan(round(s * frames_per_row), round(e * frames_per_row), int(p))
        for s, e, p in zip(start_beats - first_row, end_beats - first_row, pitches, strict=True)
    ]
    num_frames = -(-max(s.end for s in spans) // bar_frames) * bar_frames
    melody = np.array(frames_of_spans(spans, num_frames), np.int16)
    chords, known = _chord_frames(chord_rows, first_row, frames_per_row, num_frames)
    pieces = [
        Song(
            f"pop909/{home.name}" + (f"+{start}" if start else ""),
            "pop909",
            "pop",
            bar_frames // FRAMES_PER_BEAT,
            melody[start:end],
            chords[start:end],
        )
        for start, end in _known_pieces(known, bar_frames)
    ]
    return pieces, int((~known).sum()), num_frames


def _read_notes(path: Path, track_name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onsets and ends in seconds (through all tempo changes) and pitches of one named track, in order of time."""
    midi = mido.MidiFile(path)
    tempo_changes = sorted((tick, m.tempo) for t in midi.tracks for tick, m in _absolute(t) if m.type == "set_tempo")
    ticks, seconds, tempi = [0], [0.0], [500_000]
    for tick, tempo in tempo_changes:
        seconds.append(seconds[-1] + mido.tick2second(tick - ticks[-1], midi.ticks_per_beat, tempi[-1]))
        ticks.append(tick)
        tempi.append(tempo)

    def to_seconds(tick: int) -> float:
        row = int(np.searchsorted(ticks, tick, side="right")) - 1
        return float(seconds[row] + mido.tick2second(tick - ticks[row], midi.ticks_per_beat, tempi[row]))

    track = next((t for t in midi.tracks if t.name.strip().upper() == track_name), None)
    if track is None:
        raise CorpusProblem(f"expected a track named {track_name}, got {[t.name for t in midi.tracks]}")
    notes: list[tuple[int, int, int]] = []
    open_notes: dict[int, int] = {}
    for tick, message in _absolute(track):
        if message.type not in ("note_on", "note_off"):
            continue
        began = open_notes.pop(message.note, None)
        if began is not None:
            notes.append((began, tick, message.note))
        if message.type == "note_on" and message.velocity > 0:
            open_notes[message.note] = tick
    if not notes:
        raise CorpusProblem(f"expected notes in the track {track_name}, got none")
    notes.sort()
    return (
        np.array([to_seconds(n[0]) for n in notes]),
        np.array([to_seconds(n[1]) for n in notes]),
        np.array([n[2] for n in notes]),
    )


def _absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    tick = 0
    result = []
    for message in track:
        tick += message.time
        result.append((tick, message))
    return result


def _read_beats(path: Path) -> _Beats:
    rows = np.array([[float(x) for x in line.split()] for line in path.read_text().splitlines() if line.strip()])
    if rows.ndim != 2 or rows.shape[1] < 3 or len(rows) < 8:
        raise CorpusProblem(f"expected at least 8 rows of three numbers in {path.name}, got shape {rows.shape}")
    if not np.isfinite(rows).all() or (np.diff(rows[:, 0]) <= 0).any():
        raise CorpusProblem(f"expected rising seconds in {path.name}, got rows that stand still or go back")
    return _Beats(rows[:, 0], rows[:, 1], rows[:, 2])


def _is_triplet(onset_beats: np.ndarray) -> bool:
    """Whether far more onsets fit thirds of a row than quarters: the row is then a dotted quarter (finds the known songs exactly)."""
    part = onset_beats % 1.0

    def off_grid(parts: int) -> float:
        return float((np.abs(part * parts - np.round(part * parts)) / parts > 0.03).mean())

    return off_grid(4) - off_grid(3) > 0.12


def _read_chords(path: Path, beats: _Beats) -> list[tuple[int, int, Chord | str | None]]:
    """Rows (first beat row, end row, chord); None is N, a string is a label that names no chord. Same labels in a row are joined."""
    result: list[tuple[int, int, Chord | str | None]] = []
    for line in path.read_text().splitlines():
        if not line.strip():
            continue
        start_s, end_s, label = line.split()
        start, end = (round(float(b)) for b in beats.beat_at(np.array([float(start_s), float(end_s)])))
        if end <= start:
            continue
        chord: Chord | str | None
        try:
            chord = parse_harte(label).chord
        except UnknownChord:
            chord = label
        if result and result[-1][2] == chord and result[-1][1] == start:
            result[-1] = (result[-1][0], end, chord)
        else:
            result.append((start, end, chord))
    if not result:
        raise CorpusProblem(f"expected chord rows in {path.name}, got none")
    return result


def _rows_per_bar(beats: _Beats) -> int:
    """4 if every second row is strong, 3 if every third."""
    gap = statistics.mode(np.diff(np.flatnonzero(beats.strong > 0.5)).tolist() or [2])
    return 3 if gap == 3 else 4


def _bar_phase(chord_rows: Sequence[tuple[int, int, Chord | str | None]], beats: _Beats, rows_per_bar: int) -> int:
    """Row (modulo the bar) on which most chords change; the file's guessed downbeats break ties."""
    votes = [0.0] * rows_per_bar
    for start, _, _ in chord_rows:
        votes[start % rows_per_bar] += 1.0
    for row in np.flatnonzero(beats.downbeat > 0.5):
        votes[int(row) % rows_per_bar] += 1e-4
    return int(np.argmax(votes))


def _chord_frames(
    chord_rows: Sequence[tuple[int, int, Chord | str | None]], first_row: int, frames_per_row: int, num_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Chord values per frame, and whether the corpus names the chord there. A chord already running at frame 0 is struck there."""
    values = np.zeros(num_frames, np.int16)
    known = np.ones(num_frames, bool)
    for start_row, end_row, chord in chord_rows:
        start, end = (max(0, (row - first_row) * frames_per_row) for row in (start_row, end_row))
        if isinstance(chord, str):
            known[start:end] = False
        elif chord is not None and start < min(end, num_frames):
            values[start:end] = chord_hold(chord)
            values[start] = chord_onset(chord)
    last = max(0, (chord_rows[-1][1] - first_row) * frames_per_row)
    values[last:] = NOTHING
    return values, known


def _known_pieces(known: np.ndarray, bar_frames: int) -> list[tuple[int, int]]:
    """Half-open stretches without unmapped chords, cut to begin on a bar line, long enough to be worth having."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    pieces = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        begin = -(-int(start) // bar_frames) * bar_frames
        if end - begin >= MIN_PIECE_FRAMES:
            pieces.append((begin, int(end)))
    return pieces
