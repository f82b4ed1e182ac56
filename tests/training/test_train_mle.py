"""Maximum-likelihood training of a toy network on a made-up corpus: it runs, it learns, and it resumes exactly."""

import random
import re
import shutil
import threading
import tomllib
from contextlib import closing
from pathlib import Path

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from inference.checkpoints import pure_shapes, read_manifest, read_weights, write_manifest
from inference.model import build
from schema.manifest import DamagedCheckpoint, DataSource, ModelSizes
from tests.tiny import OFFLINE_SIZES, SIZES, write_tiny_checkpoint
from tests.tiny_corpus import write_tiny_corpus
from training.corpora import CORPORA, CorpusProblem, Song
from training.pop909 import read_pop909
from training.train_mle import (
    BATCHES_AHEAD,
    BadConfig,
    Keeper,
    MleConfig,
    Trainee,
    Trainer,
    initial_weights,
    losses_of,
    main,
    prepared,
    read_config,
    run,
    schedule,
)
from training.windows import held_out_batches

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


CONFIGS = [file for file in sorted(Path("training/configs").glob("*.toml")) if "training.train_mle" in file.read_text()]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_configs_can_be_trained(file: Path):
    """Every config of the repository is read, names shippable corpora, and its sizes make a network."""
    config = msgspec.convert(tomllib.loads(file.read_text()), MleConfig)
    assert all(CORPORA[name].shippable for name in config.corpora)
    assert config.mix is None or set(config.mix) == set(config.corpora)
    assert config.warmup_steps + config.steps * config.decay_share < config.steps
    assert pure_shapes(config.sizes)


@pytest.mark.parametrize(("variant", "layers"), [("offline", 0), ("online", 1)])
def test_only_offline_models_listen(variant: str, layers: int):
    """A config that says otherwise is a mistake."""
    sizes = msgspec.structs.replace(CONFIG.sizes, listening_layers=layers)
    with pytest.raises(ValueError, match=f"expected listening_layers for the variant offline and no other, got {variant} with"):
        MleConfig(**(msgspec.structs.asdict(CONFIG) | {"variant": variant, "sizes": sizes}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "No such file"),
        ("steps = ", "Invalid value"),
        ("epochs = 3", "Object missing required field|unknown field"),
        (b"\xff", "codec"),
    ],
)
def test_a_config_that_cannot_be_read_is_one_sentence(tmp_path, text, problem):
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadConfig, match=f"config {path}: expected a table of known settings, got: .*({problem}).*; compare it with"):
        read_config(path)


def test_the_first_recipe_means_what_it_meant():
    """`online_small.toml` is the recipe of shipped weights: POP909 alone with its own chords, from random weights, to the end."""
    config = msgspec.convert(tomllib.loads(Path("training/configs/online_small.toml").read_text()), MleConfig)
    assert (config.corpora, config.pop909_chords, config.apart, config.mix) == (("pop909",), "chord_midi", (), None)
    assert (config.initial, config.patience) == (None, 0)


def write_rock(folder: Path) -> None:
    """Six made-up songs of RS 200 below folder/rs200, twenty bars each."""
    for kind in ("rs200_melody", "rs200_harmony_exp"):
        (folder / "rs200" / kind).mkdir(parents=True)
    for number in range(6):
        digits = random.Random(f"rock {number}")
        bars = " | ".join("".join(digits.choice("1234") for _ in range(8)) for _ in range(20))
        (folder / f"rs200/rs200_melody/song{number}_dt.mel").write_text(f"% Song {number}\n[C] [OCT=4] {bars} |")
        (folder / f"rs200/rs200_harmony_exp/song{number}_dt.txt").write_text("[C] " + "I | IV | V | I | " * 5)


def write_folk(folder: Path, midi_of: str) -> None:
    """One tune of Nottingham with the melody of a song of the tiny corpus."""
    song = next(s for s in read_pop909(folder / "pop909", "chord_midi").songs if s.name == midi_of)
    pitches = [int(v) - 1 for v in song.melody[::4]]
    letters = ["C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B"]
    notes = [("=" * (len(letters[p % 12]) == 1)) + letters[p % 12] + ("'" * ((p - 60) // 12) if p >= 60 else ",") + "2" for p in pitches]
    bars = " | ".join('"C"' * (i == 0) + "".join(notes[i : i + 4]) for i in range(0, len(notes), 4))
    (folder / "nottingham/ABC_cleaned").mkdir(parents=True)
    (folder / "nottingham/ABC_cleaned/jigs.abc").write_text(f"X: 1\nT:A Tune\nM:4/4\nL:1/8\nK:C\n{bars} |\n\n")


BOTH = msgspec.structs.replace(CONFIG, corpora=("pop909", "rs200"), pop909_chords="cl", mix={"pop909": 0.25, "rs200": 0.75})


def test_unshippable_corpora_need_a_switch(tmp_path, capsys, monkeypatch):
    """Refused before anything is read, with the switch in the sentence; with it, the run goes on to what else is wrong."""
    config = msgspec.structs.replace(CONFIG, corpora=("pop909", "nottingham"))
    with pytest.raises(CorpusProblem, match=r"got nottingham \(GPL-3.0\): leave them out, or train for yourself with --allow-unshippable"):
        run(config, tmp_path, tmp_path / "run")
    file = tmp_path / "config.toml"
    text = Path("training/configs/online_small.toml").read_text()
    file.write_text(text.replace("[sizes]", 'corpora = ["nottingham"]\n[sizes]'))
    line = ["train_mle", str(file), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit, match="train_mle: expected corpora whose weights may be given away"):
        main()
    monkeypatch.setattr("sys.argv", [*line, "--allow-unshippable", "--cache", str(tmp_path / "cache")])
    with pytest.raises(SystemExit, match=r"train_mle: expected .* in .*/nottingham"):
        main()


def test_batches_are_prepared_ahead_in_order():
    """Another thread makes them, so many before they are asked for and no more; closing ends it."""
    made: list[int] = []
    both_ready = threading.Event()

    def make(step: int) -> tuple[int, str]:
        made.append(step)
        if len(made) == 1 + BATCHES_AHEAD:
            both_ready.set()
        return step, threading.current_thread().name

    with closing(prepared(make, range(5, 50))) as batches:
        step, name = next(batches)
        assert step == 5
        assert name.startswith("batches")
        assert both_ready.wait(10)
        assert [next(batches)[0] for _ in range(3)] == [6, 7, 8]
    assert len(made) <= 4 + BATCHES_AHEAD
    assert made == list(range(5, 5 + len(made)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
    assert [step for step, _ in prepared(make, range(4))] == [0, 1, 2, 3]
    assert list(prepared(make, range(0))) == []


def test_an_error_in_the_thread_surfaces_at_its_step():
    """The batches before it come, then the error itself; the thread is gone."""

    def make(step: int) -> int:
        if step == 3:
            raise ZeroDivisionError("step 3")
        return step

    batches = prepared(make, range(1, 9))
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(ZeroDivisionError, match="step 3"):
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


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


@pytest.mark.slow
def test_a_line_says_how_long_was_waited_for_data(trained, tmp_path, capsys):
    """Each held-out line ends with the rate and the share of the step time in which no batch was there."""
    run(CONFIG, trained / "data", tmp_path / "run", cache=trained / "run/frames")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [re.sub(r"\d[\d.,]*\d|\d", "#", line) for line in lines] == [
        "step #: train # # · held out chord # melody # accuracy # # · # frames/s, #% of the step time waiting for data"
    ] * 2
    assert not (tmp_path / "run/frames").exists()


@pytest.mark.slow
def test_several_corpora_are_trained_on_by_the_same_line(tmp_path, capsys):
    """Counts of each are printed, the steps done, and the same line again finds nothing left to do."""
    write_tiny_corpus(tmp_path / "data")
    write_rock(tmp_path / "data")
    run(BOTH, tmp_path / "data", tmp_path / "run")
    said = capsys.readouterr().out
    assert "rs200 (CC BY 4.0): 6 tunes in 6 pieces" in said
    assert "step 4: train" in said
    run(BOTH, tmp_path / "data", tmp_path / "run")
    assert "going on from step 4" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_starts_from_a_published_checkpoint(trained, tmp_path, capsys):
    """Its weights are measured as step 0, and are the best until a step is better; other sizes and licences are refused."""
    write_tiny_checkpoint(tmp_path / "from")
    config = msgspec.structs.replace(CONFIG, steps=1, learning_rate=0.0, initial=str(tmp_path / "from"), sizes=SIZES)
    run(config, trained / "data", tmp_path / "run", cache=trained / "run/frames")
    said = capsys.readouterr().out
    assert re.search(r"^starting from .*/from \(tiny, step \d+\)$", said, re.MULTILINE)
    zero, one = re.findall(r"^step \d: .*held out (chord [\d.]+ melody [\d.]+)", said, re.MULTILINE)
    assert zero == one
    with ocp.StandardCheckpointer() as reader:
        template = nnx.state(build(SIZES))
        best = reader.restore((tmp_path / "run/best").absolute(), {"weights": template, "step": 0, "chord_loss": 0.0})
    assert best["step"] == 0
    for kept, given in zip(
        jax.tree.leaves(nnx.to_pure_dict(best["weights"])), jax.tree.leaves(read_weights(tmp_path / "from", SIZES)), strict=True
    ):
        np.testing.assert_array_equal(kept, given)

    with pytest.raises(DamagedCheckpoint, match="expected the sizes of the config"):
        run(msgspec.structs.replace(config, sizes=CONFIG.sizes), trained / "data", tmp_path / "other", cache=trained / "run/frames")
    held = [DataSource("Nottingham Music Database (ABC_cleaned)", "GPL-3.0", 1, 1)]
    write_manifest(tmp_path / "from", msgspec.structs.replace(read_manifest(tmp_path / "from"), data=held))
    with pytest.raises(CorpusProblem, match="got nottingham"):
        run(config, trained / "data", tmp_path / "third", cache=trained / "run/frames")


OFFLINE = msgspec.structs.replace(CONFIG, variant="offline", name="toy-offline", sizes=OFFLINE_SIZES)


@pytest.mark.slow
def test_an_online_model_learns_to_listen(trained, tmp_path, capsys):
    """An offline run starts from online weights as good as they were: what it hears makes nothing of itself at first; it resumes."""
    write_tiny_checkpoint(tmp_path / "from")
    config = msgspec.structs.replace(OFFLINE, steps=2, initial=str(tmp_path / "from"))
    weights = Trainer(config, []).fresh().weights
    begun = nnx.to_pure_dict(initial_weights(config, weights, allow_unshippable=False))
    for kept, given in zip(
        jax.tree.leaves({name: begun[name] for name in begun if name != "listener"}),
        jax.tree.leaves(read_weights(tmp_path / "from", SIZES)),
        strict=True,
    ):
        np.testing.assert_array_equal(kept, given)
    assert not np.asarray(begun["listener"]["out"]["kernel"]).any()
    run(config, trained / "data", tmp_path / "run", cache=trained / "run/frames")
    run(msgspec.structs.replace(config, steps=4), trained / "data", tmp_path / "run", cache=trained / "run/frames")
    assert "going on from step 2" in capsys.readouterr().out
    heard = nnx.to_pure_dict(nnx.state(build(OFFLINE_SIZES)))  # shapes only
    assert heard.keys() == begun.keys()
    last = state(tmp_path / "run", 4)
    assert any("listener" in name and leaf.any() for name, leaf in last.items() if "out" in name)


def test_what_a_model_hears_changes_its_losses():
    """The listener's way into the network: after its first step it makes a difference, and only through frames that are known."""
    graph, weights = nnx.split(build(OFFLINE_SIZES))
    pure = nnx.to_pure_dict(weights)
    pure["listener"]["out"]["kernel"] = np.eye(SIZES.width, dtype=np.float32)
    nnx.replace_by_pure_dict(weights, jax.tree.map(np.asarray, pure))
    song = Song("x", "pop909", "pop", 4, np.tile(np.arange(1, 65), 4), np.full(256, 1))
    (batch,) = held_out_batches([song], 1, offline=True)
    whole = float(losses_of(graph, weights, batch, None).chord)
    other = batch._replace(next_melody=batch.next_melody[:, ::-1])
    assert float(losses_of(graph, weights, other, None).chord) != pytest.approx(whole, abs=1e-6)
    deaf = np.zeros_like(batch.known)
    deaf[:, 0] = True
    unheard = batch.next_melody.copy()
    unheard[:, 200] = 7
    counted = batch.chord_counts.copy()
    counted[:, 200:] = False
    one, two = (
        float(losses_of(graph, weights, batch._replace(next_melody=m, known=deaf, chord_counts=counted), None).chord)
        for m in (batch.next_melody, unheard)
    )
    assert one == two


@pytest.mark.slow
def test_a_run_without_metre_never_sees_one(trained, tmp_path):
    """The embeddings of all places but the first stay as they began, but for the weight decay."""
    config = msgspec.structs.replace(CONFIG, metre=False, weight_decay=0.0)
    run(config, trained / "data", tmp_path / "run", cache=trained / "run/frames")
    begun = nnx.to_pure_dict(nnx.state(build(config.sizes, config.seed)))["place"]["embedding"]
    name = next(name for name in state(tmp_path / "run", 4) if "'place'" in name)
    place = state(tmp_path / "run", 4)[name]
    np.testing.assert_array_equal(place[1:], begun[1:])
    assert (place[0] != begun[0]).any()


@pytest.mark.slow
def test_a_run_that_gets_no_better_stops(trained, tmp_path, capsys):
    """After `patience` evaluations without a new best; the best weights stay, and the same line again stops at once."""
    config = msgspec.structs.replace(CONFIG, steps=40, learning_rate=0.0, held_out_every=2, keep_every=40, patience=3)
    for expected in (["2", "4", "6", "8"], []):
        run(config, trained / "data", tmp_path / "run", cache=trained / "run/frames")
        said = capsys.readouterr().out
        assert re.findall(r"^step (\d+): train", said, re.MULTILINE) == expected
        assert re.search(r"^stopped at step 8: 3 held-out evaluations in a row were no better than [\d.]+$", said, re.MULTILINE)
    with ocp.StandardCheckpointer() as reader:
        template = nnx.state(build(CONFIG.sizes, CONFIG.seed))
        best = reader.restore((tmp_path / "run/best").absolute(), {"weights": template, "step": 0, "chord_loss": 0.0})
    assert best["step"] == 2


@pytest.mark.slow
def test_patience_counts_from_the_best(tmp_path):
    """A better evaluation sets the count back to nothing."""
    keeper = Keeper(tmp_path)
    trainee = Trainee({"w": np.ones(1)}, {})
    for loss, stale in ((2.0, 0), (2.0, 1), (3.0, 2), (1.0, 0)):
        keeper.keep_if_best(trainee, loss)
        assert trainee.stale == stale
    keeper.finish()
    assert trainee.best_loss == 1.0
