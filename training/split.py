"""Which songs are for training, for stopping and for the test, so that variants of a tune stay on one side. Pure."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from schema.tokens import NOTHING, NUM_PITCHES
from training.corpora import CORPORA, Song

# Tunes are variants of one another if they share this part of the nine-note interval shapes of the shorter one (data/README.md).
SHAPE_NOTES = 9
SHARED_SHAPES = 0.15
OUT_OF_DISTRIBUTION = "nottingham"  # GPL: never in the training side, all of it is for testing


class Side(NamedTuple):
    """The songs of one side of the split."""

    train: list[Song]
    valid: list[Song]
    test: list[Song]


def split(songs: Sequence[Song], apart: Collection[str] = (OUT_OF_DISTRIBUTION,)) -> Side:
    """Deterministic by name: 5 % valid, 10 % test; pieces and variants of one tune stay together.

    A group goes where the hash of its first tune's name says (in the order of CORPORA, so that a corpus read later moves no group of an
    earlier one), or into the test if any of it is of a corpus that is kept `apart`. Split all corpora of an experiment in one call:
    variants are found among `songs` only.
    """
    first_of = variants(songs)
    foreign = {first_of[song.tune] for song in songs if song.corpus in apart}
    sides = Side([], [], [])
    for song in songs:
        first = first_of[song.tune]
        bucket = int(hashlib.sha256(first.encode()).hexdigest(), 16) % 100
        if first in foreign or 5 <= bucket < 15:
            sides.test.append(song)
        else:
            (sides.valid if bucket < 5 else sides.train).append(song)
    return sides


def variants(songs: Iterable[Song]) -> dict[str, str]:
    """The first tune of the group each tune belongs to: tunes of one title, or with SHARED_SHAPES of their interval shapes in common."""
    shapes: dict[str, set[bytes]] = {}
    titles: dict[str, str] = {}
    corpus_of: dict[str, str] = {}
    for song in songs:
        shapes.setdefault(song.tune, set()).update(interval_shapes(song.melody))
        corpus_of[song.tune] = song.corpus
        if title := normal_title(song.title or ""):
            titles[song.tune] = title
    order = list(CORPORA)
    tunes = sorted(shapes, key=lambda tune: (order.index(corpus_of[tune]), tune))
    first_of = {tune: tune for tune in tunes}

    def find(tune: str) -> str:
        while first_of[tune] != tune:
            tune = first_of[tune]
        return tune

    named: dict[str, str] = {}
    alike = [(named.setdefault(titles[tune], tune), tune) for tune in tunes if tune in titles]
    for one, other in alike + _sharing(tunes, shapes):
        first, second = sorted((find(one), find(other)), key=lambda tune: (order.index(corpus_of[tune]), tune))
        first_of[second] = first
    return {tune: find(tune) for tune in tunes}


def _sharing(tunes: Sequence[str], shapes: Mapping[str, set[bytes]]) -> list[tuple[str, str]]:
    """Pairs of tunes with enough shapes in common."""
    where: dict[bytes, list[int]] = {}
    pairs = []
    for index, tune in enumerate(tunes):
        shared = np.zeros(len(tunes), np.int32)
        for shape in shapes[tune]:
            earlier = where.setdefault(shape, [])
            shared[earlier] += 1
            earlier.append(index)
        for other in np.flatnonzero(shared).tolist():
            fewest = min(len(shapes[tune]), len(shapes[tunes[other]]))
            if shared[other] >= SHARED_SHAPES * fewest:
                pairs.append((tunes[other], tune))
    return pairs


def interval_shapes(melody: np.ndarray) -> set[bytes]:
    """The successions of intervals over SHAPE_NOTES notes; one note repeated is no shape."""
    pitches = melody[(melody != NOTHING) & (melody <= NUM_PITCHES)]
    intervals = np.diff(pitches).astype(np.int8)
    if len(intervals) < SHAPE_NOTES - 1:
        return set()
    rows = np.lib.stride_tricks.sliding_window_view(intervals, SHAPE_NOTES - 1)
    return {row.tobytes() for row in rows[rows.any(axis=1)]}


def normal_title(title: str) -> str:
    """A title without accents, case, brackets, punctuation and articles; empty if nothing is left."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))
    plain = re.sub(r"\([^)]*\)|\[[^\]]*\]|（[^）]*）", " ", plain).replace("'", "")
    words = re.findall(r"\w+", plain)
    return " ".join(word for word in words if word not in ("the", "a", "an"))
