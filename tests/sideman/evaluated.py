"""Songs and toy residents for the tests of `sideman evaluate`. Pure."""

import numpy as np

from inference.loop import Resident
from inference.planner import Bucket
from inference.toy_engine import ToyEngine
from schema.chords import parse_symbol
from schema.engine_messages import ModelInfo
from schema.tokens import chord_hold, chord_onset, note_hold, note_onset
from training.corpora import Song

BUCKETS = (Bucket(1, 1, 4), Bucket(4, 1, 1), Bucket(4, 1, 4), Bucket(4, 64, 1))
C, F = parse_symbol("C").chord, parse_symbol("F").chord


def song(name="test/a", frames=96, pitch=60, beats_per_bar=4):
    """A note a beat, a chord a bar."""
    bar = 4 * beats_per_bar
    melody = [(note_hold if f % 4 else note_onset)(pitch + f // 4 % 5) for f in range(frames)]
    chords = [(chord_hold if f % bar else chord_onset)((C, F)[f // bar % 2]) for f in range(frames)]
    return Song(name, "pop909", "pop", beats_per_bar, np.array(melody, np.int16), np.array(chords, np.int16))


SONGS = [song(), song("test/b", frames=80, pitch=62), song("test/c", frames=208, pitch=55, beats_per_bar=3)]


def toy(name="toy", variant="online"):
    """A resident that answers by hand."""
    return Resident(ModelInfo(name, variant, 0.8), ToyEngine(4, offline=variant == "offline"), BUCKETS)
