"""Figures of a whole corpus as data/README.md defines them, for the tests that check a reader against it."""

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from schema.tokens import NUM_CHORDS, NUM_PITCHES, first_break
from training.corpora import CORPORA, Conversion, Song
from training.evaluate import in_chord

DATA = Path(os.environ.get("SIDEMAN_DATA", "."))
needs_data = pytest.mark.skipif("SIDEMAN_DATA" not in os.environ, reason="SIDEMAN_DATA names no folder with the corpora")


def corpus_folder(name: str) -> Path:
    return DATA / CORPORA[name].folder


class CorpusFigures(NamedTuple):
    tunes: int
    beats: float
    note_in_chord_mean: float
    note_in_chord_pooled: float
    silent_melody: float
    no_chord: float
    quarters_per_change: float
    change_on_bar: float
    notes_per_quarter: float
    median_frames: float
    beats_per_bar: Counter[int]


def figures_of(result: Conversion) -> CorpusFigures:
    """Figures of all songs, pieces of one tune taken together; every song obeys the grammar and its corpus's style."""
    tunes: dict[str, list[Song]] = defaultdict(list)
    for song in result.songs:
        assert first_break(song.chords.tolist(), NUM_CHORDS) is None
        assert first_break(song.melody.tolist(), NUM_PITCHES) is None
        assert song.style == CORPORA[result.corpus].style
        tunes[song.tune].append(song)
    assert result.total_frames == result.kept_frames + result.unmapped_frames + result.unbarred_frames + result.short_frames
    hits = [np.concatenate([in_chord(song.melody, song.chords) for song in pieces]) for pieces in tunes.values()]
    melody = np.concatenate([song.melody for song in result.songs])
    chords = np.concatenate([song.chords for song in result.songs])
    changes = [np.flatnonzero((song.chords > 0) & (song.chords <= NUM_CHORDS)) for song in result.songs]
    on_bar = sum(int((frames % (4 * song.beats_per_bar) == 0).sum()) for frames, song in zip(changes, result.songs, strict=True))
    num_changes = sum(len(frames) for frames in changes)
    return CorpusFigures(
        tunes=len(tunes),
        beats=len(melody) / 4,
        note_in_chord_mean=float(np.mean([h.mean() for h in hits if len(h)])),
        note_in_chord_pooled=float(np.concatenate(hits).mean()),
        silent_melody=float((melody == 0).mean()),
        no_chord=float((chords == 0).mean()),
        quarters_per_change=len(melody) / 4 / num_changes,
        change_on_bar=on_bar / num_changes,
        notes_per_quarter=int(((melody > 0) & (melody <= NUM_PITCHES)).sum()) / (len(melody) / 4),
        median_frames=float(np.median([sum(len(song.melody) for song in pieces) for pieces in tunes.values()])),
        beats_per_bar=Counter(pieces[0].beats_per_bar for pieces in tunes.values()),
    )
