"""Maximum-likelihood training of a toy network on a made-up corpus: it runs, it learns, and it resumes exactly."""

import shutil

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from inference.model import build
from schema.manifest import ModelSizes
from tests.tiny import SIZES
from tests.tiny_corpus import write_tiny_corpus
from training.train_mle import MleConfig, run, schedule

pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided")  # states are read without a template here

CONFIG = MleConfig(
    variant="online",
    name="toy",
    seed=3,
    steps=4,
    rows=2,
    learning_rate=3e-3,
    warmup_steps=1,
    decay_share=0.5,
    weight_decay=0.01,
    clip_norm=1.0,
    melody_weight=0.5,
    held_out_every=2,
    keep_every=2,
    sizes=msgspec.structs.replace(SIZES, layers=1, dropout=0.1),
)


def test_the_rate_warms_up_stays_and_falls_to_a_fiftieth():
    rate = schedule(msgspec.structs.replace(CONFIG, steps=100, warmup_steps=10, decay_share=0.3))
    assert [float(rate(step)) for step in (0, 5, 10, 40, 70)] == pytest.approx([0.0, 1.5e-3, 3e-3, 3e-3, 3e-3])
    assert float(rate(85)) == pytest.approx(3e-3 * 0.51)
    assert float(rate(100)) == float(rate(500)) == pytest.approx(3e-3 / 50)


def test_a_config_with_an_unknown_field_is_refused():
    """A misspelt setting must not be ignored."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `epochs`"):
        msgspec.convert({**msgspec.to_builtins(CONFIG), "epochs": 3}, MleConfig)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Corpus and finished run."""
    folder = tmp_path_factory.mktemp("mle")
    write_tiny_corpus(folder / "data")
    run(CONFIG, folder / "data", folder / "run")
    return folder


def state(folder, step):
    """Weights kept after a step, by path."""
    with ocp.PyTreeCheckpointer() as reader:
        kept = reader.restore((folder / "states" / str(step) / "default").absolute())
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(kept["weights"])[0]}


@pytest.mark.slow
def test_a_run_changes_the_weights_and_keeps_its_best(trained, capsys):
    first, last = state(trained / "run", 2), state(trained / "run", 4)
    assert all(np.isfinite(leaf).all() for leaf in last.values())
    assert any((first[name] != last[name]).any() for name in first)
    template = nnx.state(build(ModelSizes(**msgspec.to_builtins(CONFIG.sizes)), CONFIG.seed))
    with ocp.StandardCheckpointer() as reader:
        best = reader.restore((trained / "run" / "best").absolute(), {"weights": template, "step": 0, "chord_loss": 0.0})
    assert best["step"] in (2, 4)
    assert 0 < best["chord_loss"] < np.log(1000)


@pytest.mark.slow
def test_two_steps_and_two_more_are_four(trained, tmp_path, capsys):
    """The same line again goes on from the last kept state: batches, dropout, rate and moments included."""
    shutil.copytree(trained / "run" / "states" / "2", tmp_path / "run" / "states" / "2")
    run(CONFIG, trained / "data", tmp_path / "run")
    said = capsys.readouterr().out
    assert "going on from step 2, best held-out chord loss" in said
    assert "step 4: train" in said
    whole, resumed = state(trained / "run", 4), state(tmp_path / "run", 4)
    assert whole.keys() == resumed.keys()
    assert all((whole[name] == resumed[name]).all() for name in whole)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "states").rglob("*")}
    run(CONFIG, trained / "data", tmp_path / "run")  # finished: nothing more is trained
    assert "step 4: train" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "states").rglob("*")} == before
