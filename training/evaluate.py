"""What an accompaniment is like, in numbers: melody and chord values in, figures out. Pure.

Note-in-chord as in ReaLchords (arXiv 2506.14723, section 5): of the frames that have both a note and a chord, the share whose pitch
class is a chord tone (extensions count, a slash bass does not); pooled over all frames, and as the mean of songs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from schema.chords import pitch_classes
from schema.tokens import NOTHING, NUM_CHORD_VALUES, NUM_CHORDS, NUM_PITCHES, chord_of

_TONES = np.zeros((NUM_CHORD_VALUES, 12), bool)  # chord value x pitch class: is a tone of it
for _value in range(1, NUM_CHORD_VALUES):
    _chord = chord_of(_value)
    assert _chord is not None
    _TONES[_value, list(pitch_classes(_chord))] = True


class Accompanied(NamedTuple):
    """One melody with chords under it, from `first` on (what comes before is silence or priming and does not count)."""

    melody: np.ndarray  # int [T] melody values
    chords: np.ndarray  # int [T] chord values
    beats_per_bar: int
    first: int


class Figures(msgspec.Struct, frozen=True):
    """Figures of a set of songs."""

    songs: int
    frames: int
    note_in_chord: float  # pooled over frames
    note_in_chord_by_song: float  # mean of songs
    change_on_bar: float  # share of chord changes on a bar line
    change_on_beat: float
    beats_per_change: float
    silent_share: float  # frames without a chord
    chords_per_song: float  # different chords


def in_chord(melody: np.ndarray, chords: np.ndarray) -> np.ndarray:
    """For every frame with a note and a chord: whether the note is a chord tone."""
    both = (melody != NOTHING) & (chords != NOTHING)
    return np.asarray(_TONES[chords[both], (melody[both] - 1) % NUM_PITCHES % 12])


def figures(songs: Sequence[Accompanied]) -> Figures:
    """All figures of a set of songs."""
    hits = [in_chord(song.melody[song.first :], song.chords[song.first :]) for song in songs]
    heard = [song.chords[song.first :] for song in songs]
    onsets = [np.flatnonzero((song.chords > 0) & (song.chords <= NUM_CHORDS)) for song in songs]
    onsets = [frames[frames >= song.first] for frames, song in zip(onsets, songs, strict=True)]
    on_bar = sum(int((frames % (4 * song.beats_per_bar) == 0).sum()) for frames, song in zip(onsets, songs, strict=True))
    on_beat = sum(int((frames % 4 == 0).sum()) for frames in onsets)
    num_onsets = max(1, sum(len(frames) for frames in onsets))
    num_frames = sum(len(chords) for chords in heard)
    return Figures(
        songs=len(songs),
        frames=num_frames,
        note_in_chord=_mean(np.concatenate(hits)),
        note_in_chord_by_song=_mean([h.mean() for h in hits if len(h)]),
        change_on_bar=on_bar / num_onsets,
        change_on_beat=on_beat / num_onsets,
        beats_per_change=num_frames / 4 / num_onsets,
        silent_share=sum(int((chords == NOTHING).sum()) for chords in heard) / num_frames,
        chords_per_song=float(np.mean([len(set((chords[chords > 0] - 1) % NUM_CHORDS)) for chords in heard])),
    )


def _mean(values: np.ndarray | Sequence[float]) -> float:
    """0 where there is nothing to count: an accompaniment that never plays is never right."""
    return float(np.mean(values)) if len(values) else 0.0
