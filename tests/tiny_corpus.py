"""A POP909 folder of a few made-up songs: two for training, two to stop by, one for the test. Shell."""

import random
from pathlib import Path

import mido

TICKS = 480
ROW_S = 0.5
TRAIN, VALID, TEST = ("001", "002"), ("017", "029"), ("015",)  # `training.windows.split` goes by number
LABELS = ("C:maj", "A:min", "F:maj", "G:7")


def write_tiny_corpus(folder: Path, beats: int = 64) -> None:
    """Songs of so many beats, a chord a bar, below folder/pop909."""
    for number in (*TRAIN, *VALID, *TEST):
        _write_song(folder / "pop909" / "POP909" / number, beats, random.Random(number))


def _write_song(home: Path, beats: int, rng: random.Random) -> None:
    home.mkdir(parents=True)
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="MELODY"), mido.MetaMessage("set_tempo", tempo=round(ROW_S * 1e6))])
    for row in range(beats):
        pitch = rng.randrange(55, 80)  # at random: tunes that are alike would stay on one side of the split
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=TICKS // 2 if row else 0))
        track.append(mido.Message("note_off", note=pitch, time=TICKS // 2))
    midi = mido.MidiFile(ticks_per_beat=TICKS)
    midi.tracks.append(track)
    midi.save(home / f"{home.name}.mid")
    rows = [f"{row * ROW_S:.6f} {float(row % 2 == 0)} {float(row % 4 == 0)}" for row in range(beats + 17)]
    (home / "beat_midi.txt").write_text("\n".join(rows) + "\n")
    bars = [f"{bar * 4 * ROW_S:.6f}\t{(bar + 1) * 4 * ROW_S:.6f}\t{LABELS[bar % 4]}" for bar in range(beats // 4)]
    (home / "chord_midi.txt").write_text("\n".join(bars) + "\n")
