"""Songs in POP909's public layout, written by hand in rows (beats), and what was read of them."""

from dataclasses import dataclass, field
from pathlib import Path

import mido

from schema.chords import print_symbol
from schema.tokens import NUM_CHORDS, chord_of
from training.corpora import Conversion, Song

TICKS = 480


@dataclass
class Score:
    """A song in rows (beats): what a POP909 folder says about it, in a form that is easy to write by hand."""

    notes: list[tuple[float, float, int]]
    chords: list[tuple[float, float, str]]
    rows: range = range(49)
    tempi: list[tuple[float, float]] = field(default_factory=lambda: [(0, 0.5)])  # (from row, seconds a row)
    strong_every: int = 2
    downbeats: tuple[int, ...] = ()
    track: str = "MELODY"

    def seconds(self, row: float) -> float:
        total = 0.0
        for (start, length), end in zip(self.tempi, [*(s for s, _ in self.tempi[1:]), float("inf")], strict=True):
            total += (min(row, end) - start) * length if row > start or start == 0 else 0.0
        return total

    def write(self, folder: Path, number: str = "001") -> Path:
        home = folder / "POP909" / number
        home.mkdir(parents=True)
        self._midi().save(home / f"{number}.mid")
        beats = [f"{self.seconds(r):.9f} {float(r % self.strong_every == 0)} {float(r in self.downbeats)}" for r in self.rows]
        (home / "beat_midi.txt").write_text("\n".join(beats) + "\n\n")
        rows = [f"{self.seconds(a):.9f}\t{self.seconds(b):.9f}\t{label}" for a, b, label in self.chords]
        (home / "chord_midi.txt").write_text("\n".join(rows) + "\n\n")
        return home

    def _midi(self) -> mido.MidiFile:
        conductor = [(round(row * TICKS), mido.MetaMessage("set_tempo", tempo=round(s * 1e6))) for row, s in self.tempi]
        melody = [(0, mido.Message("control_change", control=64, value=127))]
        for start, end, pitch in self.notes:
            melody.append((round(start * TICKS), mido.Message("note_on", note=pitch, velocity=90)))
            melody.append((round(end * TICKS), mido.Message("note_on", note=pitch, velocity=0)))
        melody.sort(key=lambda item: (item[0], getattr(item[1], "velocity", 0) > 0))
        midi = mido.MidiFile(ticks_per_beat=TICKS)
        midi.tracks += [midi_track("", conductor), midi_track(self.track, melody)]
        return midi


def midi_track(name: str, events: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    before = 0
    for tick, message in events:
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def quarters(first: int, last: int) -> list[tuple[float, float, int]]:
    """A note on every row, half a row long."""
    return [(row, row + 0.5, 60 + row % 5) for row in range(first, last)]


def every_bar(*labels: str, first: int = 0, rows: int = 4) -> list[tuple[float, float, str]]:
    return [(first + i * rows, first + (i + 1) * rows, label) for i, label in enumerate(labels)]


def only(result: Conversion) -> Song:
    assert result.refused == {}
    assert len(result.songs) == 1
    return result.songs[0]


def struck(song: Song) -> dict[int, str]:
    """Frame -> symbol of every chord onset."""
    return {f: print_symbol(chord_of(int(v))) for f, v in enumerate(song.chords) if 1 <= v <= NUM_CHORDS}


EIGHT = ["C:maj", "A:min", "F:maj/3", "G:7"] * 2
