"""MIDI melodies as simulation and benchmarks replay them. Shell."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schema.melody import NoteEvent, frames_of_events
from sideman_client.midi import read_melody

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"


class WrittenTune(NamedTuple):
    """A melody without chords."""

    name: str
    melody: np.ndarray  # int [T] melody values
    chords: np.ndarray  # int [T] zeros: nobody wrote any
    beats_per_bar: int


def read_tune(path: Path) -> WrittenTune:
    """The melody of a MIDI file on the grid. Raises UnreadableTune."""
    tune = read_melody(path)
    values = frames_of_events([NoteEvent(event.frame, event.pitch, event.on) for event in tune.events], tune.num_frames)
    return WrittenTune(path.stem, np.array(values, np.int16), np.zeros(len(values), np.int16), tune.beats_per_bar)


class NoTunes(RuntimeError):
    """There is nothing to replay."""

    def __str__(self) -> str:
        return f"expected the project's melodies in {FIXTURES}, got none: run it in a checkout, or name a corpus with --data"


def fixture_tunes() -> Sequence[WrittenTune]:
    """The small melodies that come with the project's tests. Raises NoTunes outside a checkout."""
    tunes = [read_tune(path) for path in sorted(FIXTURES.glob("*.mid"))]
    if not tunes:
        raise NoTunes
    return tunes
