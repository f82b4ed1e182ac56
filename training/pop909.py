"""POP909 in its public layout (Wang et al., ISMIR 2020), with the chords of POP909-CL or its own. Shell.

Flow of one song: seconds of the MIDI file -> beats (rows of `beat_midi.txt`) -> frames; bar lines where most chords change.
POP909-CL's files hold the same notes on a grid of their own, one constant number of beats away: their chords are moved onto POP909's.
"""

import statistics
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple
from xml.etree import ElementTree

import mido
import numpy as np

from schema.chords import Chord, UnknownChord, from_pitch_classes, parse_harte
from schema.grid import FRAMES_PER_BEAT
from schema.melody import NoteSpan
from training.corpora import MAX_TUNE_FRAMES, Bar, ChordChange, Conversion, CorpusProblem, Tune, convert

OFF_GRID = frozenset({"014", "040", "282", "326", "537"})  # melody off any grid
CORRECTIONS = Path("pop909_cl", "POP909_processed")  # beside the folder of POP909
SHIFT_PARTS = 24  # POP909-CL is quantised to 24 parts of a beat
MIN_COINCIDENT = 0.5  # share of a file's notes that must lie on POP909's after the shift

Labels = Literal["corrected", "chord_midi"]


class _Row(NamedTuple):
    """A chord between two positions in beats; None is N, a string names no chord of the vocabulary."""

    start: float
    end: float
    chord: Chord | str | None


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


def read_pop909(folder: Path, chords: Labels = "corrected") -> Conversion:
    """Every song of POP909 (`POP909/NNN/NNN.mid` and its text files). Raises CorpusProblem if none is there.

    "corrected" takes the chords of POP909-CL where `pop909_cl` beside `folder` has a usable file, else `chord_midi.txt`, and says so
    in `Conversion.replaced`; "chord_midi" takes `chord_midi.txt` everywhere.
    """
    names = sorted(p.name for p in (folder / "POP909").glob("[0-9][0-9][0-9]") if p.is_dir())
    if not names:
        raise CorpusProblem(f"expected the folders POP909/001 .. POP909/909 in {folder}, got none: point to the unpacked POP909 data set")
    replaced: dict[str, str] = {}
    files = _correction_files(folder.parent / CORRECTIONS, replaced) if chords == "corrected" else {}
    titles = _read_titles(folder / "POP909/index.xlsx", replaced)

    def read(name: str) -> Tune:
        if name in OFF_GRID:
            raise CorpusProblem("melody lies off any grid")
        return _read_song(folder / "POP909" / name, titles.get(name), files, replaced)

    result = convert("pop909", names, read)
    result.replaced = {name: why for name, why in replaced.items() if name not in result.refused}
    return result


def _correction_files(folder: Path, replaced: dict[str, str]) -> dict[str, Path]:
    """Files of POP909-CL by song; one public file name holds a space."""
    files = {path.stem.strip(): path for path in sorted(folder.glob("*.mid"))}
    if not files:
        replaced["pop909_cl"] = f"expected POP909-CL in {folder}, got no MIDI file: chord_midi.txt is read everywhere"
    return files


def _read_song(home: Path, title: str | None, files: dict[str, Path], replaced: dict[str, str]) -> Tune:
    beats = _read_beats(home / "beat_midi.txt")
    midi = _open_midi(home / f"{home.name}.mid")
    melody = _notes_of(_track(midi, "MELODY"))
    seconds = _clock(midi)
    start_beats, end_beats = beats.beat_at(seconds(melody[:, 0])), beats.beat_at(seconds(melody[:, 1]))
    frames_per_row = 6 if _is_triplet(start_beats) else FRAMES_PER_BEAT
    rows = _read_chords(home / "chord_midi.txt", beats)
    if files:
        try:
            rows = _corrected_rows(files, home.name, midi, beats)
        except (OSError, EOFError, ValueError, LookupError, ArithmeticError) as problem:
            replaced[home.name] = f"chord_midi.txt instead of POP909-CL: {problem}"
    rows_per_bar = _rows_per_bar(beats)
    bar_frames = rows_per_bar * frames_per_row
    phase = _bar_phase(rows, beats, rows_per_bar)
    first_row = int(np.floor((start_beats.min() - phase + 1e-6) / rows_per_bar)) * rows_per_bar + phase
    spans = [
        NoteSpan(round(s * frames_per_row), round(e * frames_per_row), int(p))
        for s, e, p in zip(start_beats - first_row, end_beats - first_row, melody[:, 2], strict=True)
    ]
    num_bars = -(-max(s.end for s in spans) // bar_frames)
    if num_bars > MAX_TUNE_FRAMES // bar_frames:
        raise CorpusProblem(f"expected at most {MAX_TUNE_FRAMES} frames, got {num_bars} bars: a time in the files is wrong")
    bars = [Bar(bar_frames, bar_frames)] * num_bars
    return Tune(home.name, title, spans, _changes(rows, first_row, frames_per_row), bars)


def _changes(rows: Sequence[_Row], first_row: int, frames_per_row: int) -> list[ChordChange]:
    """Chord rows as changes in frames; between rows that do not meet there is no chord."""
    changes: list[ChordChange] = []
    for row in rows:
        start, end = (round((beat - first_row) * frames_per_row) for beat in (row.start, row.end))
        if end > start:
            changes += [ChordChange(start, row.chord), ChordChange(end, None)]
    return changes


def _open_midi(path: Path) -> mido.MidiFile:
    """Raises CorpusProblem for what is no readable MIDI file."""
    try:
        return mido.MidiFile(path)
    except (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError) as problem:
        raise CorpusProblem(f"expected a MIDI file in {path.name}, got {problem or type(problem).__name__}") from None


def _track(midi: mido.MidiFile, name: str) -> mido.MidiTrack:
    track = next((t for t in midi.tracks if t.name.strip().upper() == name), None)
    if track is None:
        raise CorpusProblem(f"expected a track named {name}, got {[t.name for t in midi.tracks]}")
    return track


def _notes_of(track: mido.MidiTrack) -> np.ndarray:
    """Onset tick, end tick and pitch of the notes of a track, in order of time."""
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
        raise CorpusProblem(f"expected notes in the track {track.name.strip().upper()}, got none")
    return np.array(sorted(notes))


def _absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    tick = 0
    result = []
    for message in track:
        tick += message.time
        result.append((tick, message))
    return result


def _clock(midi: mido.MidiFile) -> Callable[[np.ndarray], np.ndarray]:
    """Ticks to seconds, through all tempo changes of all tracks."""
    changes = sorted((tick, m.tempo) for t in midi.tracks for tick, m in _absolute(t) if m.type == "set_tempo")
    ticks, seconds, tempi = [0], [0.0], [500_000]
    for tick, tempo in changes:
        seconds.append(seconds[-1] + mido.tick2second(tick - ticks[-1], midi.ticks_per_beat, tempi[-1]))
        ticks.append(tick)
        tempi.append(tempo)
    tick_of, second_of, step = np.array(ticks), np.array(seconds), np.array(tempi) * 1e-6 / midi.ticks_per_beat

    def to_seconds(at: np.ndarray) -> np.ndarray:
        row = np.searchsorted(tick_of, at, side="right") - 1
        return np.asarray(second_of[row] + (at - tick_of[row]) * step[row])

    return to_seconds


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


def _read_chords(path: Path, beats: _Beats) -> list[_Row]:
    """Rows of a chord file, their ends on the nearest beat; same labels in a row are joined."""
    result: list[_Row] = []
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
        result.append(_Row(start, end, chord))
    if not result:
        raise CorpusProblem(f"expected chord rows in {path.name}, got none")
    return _joined(result)


def _joined(rows: Sequence[_Row]) -> list[_Row]:
    """Rows of one chord that meet become one row."""
    result: list[_Row] = []
    for row in rows:
        if result and result[-1].chord == row.chord and result[-1].end == row.start:
            result[-1] = result[-1]._replace(end=row.end)
        else:
            result.append(row)
    return result


def _corrected_rows(files: dict[str, Path], name: str, midi: mido.MidiFile, beats: _Beats) -> list[_Row]:
    """The chords of POP909-CL in beats of POP909. Raises CorpusProblem if the file is missing or holds other notes."""
    if name not in files:
        raise CorpusProblem("no such file")
    corrected = _open_midi(files[name])
    sounding = [track for track in corrected.tracks if any(m.type == "note_on" for m in track)]
    if len(sounding) < 2:
        raise CorpusProblem("expected a score and a last track of block chords, got only one track with notes")
    *scores, chords = (_notes_of(track) for track in sounding)
    theirs = np.concatenate(scores)
    ours = np.concatenate([_notes_of(track) for track in midi.tracks if any(m.type == "note_on" for m in track)])
    our_beats = beats.beat_at(_clock(midi)(ours[:, 0]))
    shift = _shift(our_beats, ours[:, 2], theirs[:, 0] / corrected.ticks_per_beat, theirs[:, 2])
    rows = []
    for tick in np.unique(chords[:, 0]):
        block = chords[chords[:, 0] == tick]
        end = int(block[:, 1].max())
        rows.append(_Row(tick / corrected.ticks_per_beat + shift, end / corrected.ticks_per_beat + shift, _name_block(block[:, 2])))
    cut = [row._replace(end=min(row.end, after.start)) for row, after in pairwise(rows)]
    return _joined([*cut, rows[-1]])


def _shift(our_beats: np.ndarray, our_pitches: np.ndarray, their_beats: np.ndarray, their_pitches: np.ndarray) -> float:
    """The commonest difference in beats over notes of equal pitch, in SHIFT_PARTS of a beat.

    Not that of the first notes: those before the first beat were moved, which would spoil one song in eleven.
    """
    differences = [
        np.round((our_beats[our_pitches == pitch][:, None] - their_beats[their_pitches == pitch][None, :]) * SHIFT_PARTS).ravel()
        for pitch in np.intersect1d(our_pitches, their_pitches)
    ]
    if not differences:
        raise CorpusProblem("no note of it is in POP909's file")
    values, counts = np.unique(np.concatenate(differences).astype(np.int64), return_counts=True)
    if counts.max() < MIN_COINCIDENT * len(their_beats):
        raise CorpusProblem(f"{counts.max()} of its {len(their_beats)} notes lie on POP909's, expected at least {MIN_COINCIDENT:.0%}")
    return float(values[int(np.argmax(counts))]) / SHIFT_PARTS


def _name_block(pitches: np.ndarray) -> Chord | str:
    """The chord of notes struck together, the lowest as bass; their pitch classes as text if they name none."""
    chord = from_pitch_classes(frozenset(int(p) % 12 for p in pitches), int(pitches.min()) % 12)
    return chord or " ".join(str(p) for p in sorted({int(p) % 12 for p in pitches}))


def _rows_per_bar(beats: _Beats) -> int:
    """4 if every second row is strong, 3 if every third."""
    gap = statistics.mode(np.diff(np.flatnonzero(beats.strong > 0.5)).tolist() or [2])
    return 3 if gap == 3 else 4


def _bar_phase(rows: Sequence[_Row], beats: _Beats, rows_per_bar: int) -> int:
    """Row (modulo the bar) on which most chords change; the file's guessed downbeats break ties."""
    votes = [0.0] * rows_per_bar
    for row in rows:
        votes[round(row.start) % rows_per_bar] += 1.0
    for beat in np.flatnonzero(beats.downbeat > 0.5):
        votes[int(beat) % rows_per_bar] += 1e-4
    return int(np.argmax(votes))


def _read_titles(path: Path, replaced: dict[str, str]) -> dict[str, str]:
    """Title of each song from the first two columns of `index.xlsx`; without a readable one no song has a title."""
    try:
        with zipfile.ZipFile(path) as archive:
            sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError) as problem:
        replaced["index.xlsx"] = f"no titles, variants are found by their notes alone: {problem}"
        return {}
    namespace = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    rows = [["".join(cell.itertext()) for cell in row.iter(f"{namespace}c")] for row in sheet.iter(f"{namespace}row")]
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1]}
