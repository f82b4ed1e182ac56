"""The family of reward models on a made-up corpus: trained, kept, not trained again, read back as it was."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from schema.tokens import NUM_CHORDS
from tests.tiny_corpus import write_tiny_corpus
from training.corpora import CorpusProblem
from training.fragments import Pairs
from training.reward_models import RewardSizes
from training.reward_store import load_rewards
from training.train_mle import BadConfig
from training.train_reward import Member, RewardConfig, read_config, run, shuffled
from training.windows import transpose_chords

CONFIG = RewardConfig(
    seeds=(1,),
    learning_rate=1e-3,
    weight_decay=0.0,
    held_out_every=2,
    patience=9,
    pool=8,
    members=(Member("contrastive", "values", 32, 4, 4), Member("discriminative", "rhythm", 64, 4, 2)),
    corpora=("pop909",),
    pop909_chords="chord_midi",
    apart=(),
    mix={"pop909": 1.0},
    sizes=RewardSizes(layers=1, width=16, heads=2, head_width=8, feed_width=16, frame_width=8, embedding=8),
)


@pytest.mark.slow
def test_a_family_is_trained_once_and_read_back(tmp_path, capsys):
    write_tiny_corpus(tmp_path / "data")
    reports = run(CONFIG, tmp_path / "data", tmp_path / "out")
    assert [(r.kind, r.hears, r.frames) for r in reports] == [("contrastive", "values", 32), ("discriminative", "rhythm", 64)]
    assert set(reports[0].figures) == {"recall_at_1", "recall_at_5", "recall_at_10", "mean_average_precision", "pool"}
    assert {"precision", "recall", "f1"} < set(reports[1].figures)
    written = (tmp_path / "out/contrastive-values-32-1/weights.npz").stat().st_mtime_ns
    assert run(CONFIG, tmp_path / "data", tmp_path / "out") == reports
    assert (tmp_path / "out/contrastive-values-32-1/weights.npz").stat().st_mtime_ns == written
    learnt = load_rewards(tmp_path / "out")
    assert [one.report for one in learnt] == reports
    pairs = Pairs(np.full((2, 32), 61), np.full((2, 32), 5))
    np.testing.assert_array_equal(learnt[0].model.reward(*pairs), load_rewards(tmp_path / "out")[0].model.reward(*pairs))


def test_shuffled_chords_are_not_the_own_ones_in_place():
    """Another row's, or the own ones moved: rhythm by frames, values by beats."""
    chords = np.arange(8 * 32).reshape(8, 32)
    pairs = Pairs(chords * 0, chords)
    for hears, unit in (("values", 4), ("rhythm", 1)):
        wrong = shuffled(pairs, Member("discriminative", hears, 32, 8, 1), np.random.default_rng(0))
        assert (wrong != chords).any(axis=1).all()
        moved = [row for row in range(8) if wrong[row].min() // 32 == row]
        assert moved, "some are the own ones, moved"
        assert all((wrong[row][0] - chords[row][0]) % unit == 0 for row in moved)


def test_some_wrong_chords_are_the_own_ones_in_another_key():
    """In place and out of key, as after a jump that was not followed; rhythm has no key."""
    chords = np.random.default_rng(1).integers(1, NUM_CHORDS + 1, (64, 32))
    pairs = Pairs(chords * 0, chords)
    told = {hears: shuffled(pairs, Member("discriminative", hears, 32, 8, 1), np.random.default_rng(0)) for hears in ("values", "rhythm")}
    astray = {
        hears: sum(any((wrong[row] == transpose_chords(chords[row], by)).all() for by in range(-6, 7) if by) for row in range(64))
        for hears, wrong in told.items()
    }
    assert 5 <= astray["values"] <= 22
    assert astray["rhythm"] == 0


def test_no_models_is_said_in_a_sentence(tmp_path):
    with pytest.raises(CorpusProblem, match=r"expected reward models in .* train them first"):
        load_rewards(tmp_path)


def test_the_shipped_config_reads_and_another_is_refused(tmp_path):
    config = read_config(Path("training/configs/rewards.toml"))
    assert {member.frames for member in config.members} == {256, 128, 64, 32, 16}
    bad = tmp_path / "bad.toml"
    bad.write_text("seeds = [1]\n")
    with pytest.raises(BadConfig, match=r"bad\.toml: expected"):
        read_config(bad)
    assert msgspec.structs.asdict(config)["seeds"] == (1, 2)
