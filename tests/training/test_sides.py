"""Songs of a run: as reader and split give them, variants of what is kept apart for the test, what does not fit in one sentence."""

import shutil

import msgspec
import pytest

from tests.tiny_corpus import TRAIN, VALID, write_tiny_corpus
from tests.training.test_train_mle import BOTH, CONFIG, write_folk, write_rock
from training.corpora import CorpusProblem
from training.pop909 import read_pop909
from training.sides import sides_of
from training.split import split


def test_songs_of_the_first_recipe_are_those_of_pop909(tmp_path, capsys):
    """Through the cache and back: the same songs on the same sides in the same order as the reader and the split give."""
    write_tiny_corpus(tmp_path / "data")
    expected = split(read_pop909(tmp_path / "data/pop909", "chord_midi").songs)
    for _ in range(2):
        for side, want in zip(sides_of(CONFIG, tmp_path / "data", tmp_path / "frames"), expected, strict=True):
            assert [s.name for s in side] == [s.name for s in want]
            assert all((a.melody == b.melody).all() and (a.chords == b.chords).all() for a, b in zip(side, want, strict=True))


def test_variants_of_what_is_kept_apart_leave_the_training_side(tmp_path, capsys):
    """If Nottingham is there, a song that is a variant of one of its tunes is for the test; if not, that is said."""
    write_tiny_corpus(tmp_path / "data")
    config = msgspec.structs.replace(CONFIG, apart=("nottingham",))
    assert len(sides_of(config, tmp_path / "data", tmp_path / "frames").train) == 2
    assert "nottingham is not in " in capsys.readouterr().out
    write_folk(tmp_path / "data", f"pop909/{TRAIN[0]}")
    sides = sides_of(config, tmp_path / "data", tmp_path / "frames")
    assert [s.name for s in sides.train] == [f"pop909/{TRAIN[1]}"]
    assert {"nottingham/jigs/1", f"pop909/{TRAIN[0]}"} <= {s.name for s in sides.test}
    assert "nottingham (GPL-3.0): 1 tunes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mix": {"pop909": 1.0}}, "expected a positive share in mix for each of pop909, rs200, got"),
        ({"mix": {"pop909": 1.0, "rs200": 0.0}}, "expected a positive share in mix"),
        ({"mix": {"pop909": 1.0, "rs200": float("nan")}}, "expected a positive share in mix"),
        ({"apart": ("rs200",)}, "expected corpora that are trained on or kept apart, got rs200 in both lists"),
        ({"corpora": ("pop909", "openewld"), "mix": None}, "expected .* in .*openewld"),
    ],
)
def test_a_config_that_does_not_fit_the_corpora_is_refused(tmp_path, capsys, change, said):
    write_tiny_corpus(tmp_path)
    write_rock(tmp_path)
    with pytest.raises(CorpusProblem, match=said):
        sides_of(msgspec.structs.replace(BOTH, **change), tmp_path, tmp_path / "frames")


def test_a_corpus_that_is_too_small_is_refused(tmp_path, capsys):
    """Each corpus must have a song to train on, and one of them a song to stop by."""
    write_tiny_corpus(tmp_path)
    write_rock(tmp_path)
    for number in (0, 1, 5):  # those on the training side
        (tmp_path / f"rs200/rs200_melody/song{number}_dt.mel").unlink()
    with pytest.raises(CorpusProblem, match=r"got 2 and 3, none of rs200 to train on: the corpus in .* is too small"):
        sides_of(BOTH, tmp_path, tmp_path / "frames")
    for number in VALID:
        shutil.rmtree(tmp_path / "pop909/POP909" / number)
    with pytest.raises(CorpusProblem, match=r"songs to stop by, got 2 and 0: the corpus in .* is too small"):
        sides_of(CONFIG, tmp_path, tmp_path / "frames")
