"""Which side of the split a song is on."""

import dataclasses

import numpy as np
import pytest

from schema.chords import Chord
from schema.tokens import chord_hold, note_onset
from training.corpora import CORPORA, Song
from training.split import interval_shapes, normal_title, split, variants
from training.windows import transpose_melody

C = Chord(0, "maj")


def walk(name: str, seed: int, *, notes: int = 64, title: str | None = None, shift: int = 0) -> Song:
    """A melody of random notes, one a beat: no two seeds share nine of them; `shift` transposes it."""
    pitches = np.random.default_rng(seed).integers(40, 88, notes) + shift
    melody = np.where(np.arange(notes * 4) % 4 == 0, np.repeat(pitches, 4) + 1, 0).astype(np.int16)
    corpus = name.partition("/")[0]
    return Song(name, corpus, CORPORA[corpus].style, 4, melody, np.full(notes * 4, chord_hold(C), np.int16), title)


def sides_of(songs: list[Song]) -> dict[str, str]:
    """Side of each song by name."""
    where = {s.name: side for side, held in split(songs)._asdict().items() for s in held}
    assert len(where) == len(songs)
    return where


def test_split_is_by_name_and_pieces_stay_together():
    """Each song lies on exactly one side, the same every time and in any order; its pieces lie with it."""
    songs = [walk(f"pop909/{n:03d}{piece}", n * 2 + len(piece)) for n in range(1, 910) for piece in ("", "+96")]
    where = sides_of(songs)
    assert sides_of(songs[::-1]) == where
    assert all(where[f"{name}+96"] == side for name, side in where.items() if "+" not in name)


def test_split_is_pinned():
    """The shares are about 85, 5 and 10 %; these songs lie where they lay when the shipped weights were trained."""
    sides = split([walk(f"pop909/{n:03d}", n) for n in range(1, 910)])
    assert [len(side) for side in sides] == [780, 41, 88]
    assert [s.name for s in sides.valid[:2]] == ["pop909/017", "pop909/029"]
    assert [s.name for s in sides.test[:3]] == ["pop909/015", "pop909/022", "pop909/023"]


def test_variants_are_found_by_title_and_by_notes():
    """Tunes of one title, transposed covers and tunes that share a part are one group, also at second hand and between corpora."""
    one, other = walk("rs200/b", 1), walk("rs200/c", 2)
    shared = np.concatenate([one.melody[:120], walk("rs200/d", 3).melody[:160]])
    songs = [
        walk("pop909/050", 4, title="The Long Road (live)"),
        walk("openewld/x/y", 5, title="Long Road!"),
        walk("rs200/a", 1, shift=5),
        one,
        other,
        dataclasses.replace(other, name="rs200/d", melody=shared),
        walk("rs200/e", 6),
        walk("rs200/f", 7, notes=5),
        walk("rs200/g", 8, notes=5, title="(?)"),
    ]
    expected = {s.name: s.name for s in songs} | {"openewld/x/y": "pop909/050", "rs200/b": "rs200/a", "rs200/d": "rs200/a"}
    assert variants(songs) == expected
    assert variants(songs[::-1]) == expected
    where = sides_of(songs)
    assert all(where[name] == where[first] for name, first in expected.items())


def test_groups_keep_their_side_when_more_corpora_are_read():
    """A group goes where its first tune goes, in the order of the table of corpora: what is read later follows."""
    alone = [walk(f"pop909/{n:03d}", n) for n in range(1, 60)]
    covers = [walk(f"openewld/a/{n}", n, shift=2) for n in range(1, 60)] + [walk(f"rs200/{n}", n + 100) for n in range(20)]
    where = sides_of(alone)
    assert {name: side for name, side in sides_of(covers + alone).items() if name in where} == where


def test_nottingham_is_for_testing_only():
    """All of it lies in the test, and with it whatever is a variant of it."""
    songs = [walk(f"nottingham/jigs/{n}", n) for n in range(40)] + [walk(f"openewld/a/{n}", n) for n in range(20, 100)]
    where = sides_of(songs)
    assert all(where[f"nottingham/jigs/{n}"] == "test" for n in range(40))
    assert all(where[f"openewld/a/{n}"] == "test" for n in range(20, 40))
    assert {where[f"openewld/a/{n}"] for n in range(40, 100)} == {"train", "valid", "test"}


def test_what_is_kept_apart_can_be_chosen():
    """Any corpus can be kept for the test with all its variants, or none."""
    songs = [walk(f"rs200/{n}", n) for n in range(30)] + [walk(f"pop909/{n:03d}", n) for n in range(20, 60)]
    sides = split(songs, apart=("rs200",))
    assert {s.corpus for s in (*sides.train, *sides.valid)} == {"pop909"}
    assert {s.name for s in sides.train} <= {f"pop909/{n:03d}" for n in range(30, 60)}
    folk = [walk(f"nottingham/jigs/{n}", n) for n in range(40)]
    assert {side for side, held in split(folk, apart=())._asdict().items() if held} == {"train", "valid", "test"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [("The Rose", "rose"), ("Für  Élise", "fur elise"), ("Don't (take 2) [live]", "dont"), ("一剪梅", "一剪梅"), ("(?)", ""), ("A", "")],
)
def test_normal_titles(title: str, expected: str):
    """Case, accents, brackets, punctuation and articles do not tell titles apart."""
    assert normal_title(title) == expected


def test_interval_shapes():
    """Nine notes make one shape; transposition does not change it; one note repeated is none."""
    melody = np.array([note_onset(p) for p in (60, 62, 64, 65, 67, 69, 71, 72, 74, 74)])
    assert len(interval_shapes(melody)) == 2
    assert interval_shapes(melody) == interval_shapes(transpose_melody(melody, 5))
    assert interval_shapes(melody[:8]) == set()
    assert interval_shapes(np.full(20, note_onset(60))) == set()
