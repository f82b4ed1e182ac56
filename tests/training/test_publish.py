"""From a run to a checkpoint that the service accepts."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.__main__ import prepare
from inference.planner import Bucket
from inference.settings import EngineSettings
from schema.manifest import DamagedCheckpoint, DataSource
from schema.tokens import NUM_CHORDS, NUM_PITCHES, first_break, is_onset, pitch_of
from tests.tiny import SIZES, tiny_weights, write_tiny_checkpoint
from tests.tiny_corpus import TRAIN, write_tiny_corpus
from tests.training.test_train_mle import BOTH, CONFIG, OFFLINE, write_rock
from training.corpora import CORPORA
from training.publish import forget_metre, golden_melody, main, mle_recipe, publish, sources
from training.sides import sides_of
from training.train_mle import run


def test_the_golden_tune_is_frere_jacques():
    """Two phrases, each twice: four bars of grammatical melody."""
    melody = golden_melody()
    assert len(melody) == 2 * 16 + 2 * 16
    assert first_break(melody, NUM_PITCHES) is None
    struck = [pitch_of(value) for value in melody if is_onset(value, NUM_PITCHES)]
    assert struck == [60, 62, 64, 60, 60, 62, 64, 60, 64, 65, 67, 64, 65, 67]


@pytest.mark.slow
def test_a_published_run_is_accepted_by_the_service(tmp_path, capsys):
    """Loaded, verified, compiled, golden plan equal; the manifest says what a user may ask."""
    config = msgspec.structs.replace(CONFIG, steps=2)
    write_tiny_corpus(tmp_path / "data")
    run(config, tmp_path / "data", tmp_path / "run")
    train = sides_of(config, tmp_path / "data", tmp_path / "run/frames").train
    manifest = publish(mle_recipe(config), tmp_path / "run", tmp_path / "to", train=train, metrics={"note_in_chord": 0.5})
    assert (manifest.model, manifest.variant, manifest.sizes, manifest.dtype) == ("toy", "online", config.sizes, "bfloat16")
    assert manifest.step == 2
    assert manifest.metrics["note_in_chord"] == 0.5
    assert manifest.metrics["held_out_chord_loss"] > 0
    assert manifest.data == [DataSource("POP909", CORPORA["pop909"].licence, len(TRAIN), 2 * 256)]
    assert first_break(manifest.golden.chords, NUM_CHORDS) is None
    assert "CARD.md" in manifest.files
    assert "| note_in_chord | 0.5 |" in (tmp_path / "to/CARD.md").read_text()
    resident = prepare(tmp_path / "to", live=EngineSettings(2, (Bucket(2, 1, 1), Bucket(2, 64, 1))))
    assert resident.info.name == "toy"
    assert resident.scheduler.idle


@pytest.mark.slow
def test_a_published_offline_run_is_accepted_by_the_service(tmp_path, capsys):
    """Its golden plan harmonises the golden tune."""
    config = msgspec.structs.replace(OFFLINE, steps=2)
    write_tiny_corpus(tmp_path / "data")
    run(config, tmp_path / "data", tmp_path / "run")
    manifest = publish(mle_recipe(config), tmp_path / "run", tmp_path / "to", train=[], metrics={})
    assert (manifest.variant, len(manifest.golden.chords)) == ("offline", len(golden_melody()))
    resident = prepare(tmp_path / "to", offline=EngineSettings(2, (Bucket(2, 1, 1), Bucket(2, 64, 1))))
    assert resident.info.is_offline


def test_weights_trained_without_metre_make_nothing_of_it():
    """All places count as the one that was trained; all else stays."""
    weights = tiny_weights()
    forgotten = forget_metre(weights)
    for name in ("place", "beats_per_bar"):
        rows = np.unique(forgotten[name]["embedding"], axis=0)
        np.testing.assert_array_equal(rows, weights[name]["embedding"][:1])
    assert {name: part for name, part in forgotten.items() if name not in ("place", "beats_per_bar")} == {
        name: part for name, part in weights.items() if name not in ("place", "beats_per_bar")
    }


def test_the_manifest_names_every_corpus(tmp_path, capsys):
    """Tunes and frames of the training side for each corpus, with its licence; other chords of POP909 are another source."""
    write_tiny_corpus(tmp_path)
    write_rock(tmp_path)
    train = sides_of(BOTH, tmp_path, tmp_path / "frames").train
    rock = [song for song in train if song.corpus == "rs200"]
    assert sources(mle_recipe(BOTH), train) == [
        DataSource("POP909 with the chords of POP909-CL", CORPORA["pop909"].licence, 2, 512),
        DataSource("RS 200 (de Clercq and Temperley)", "CC BY 4.0", len(rock), sum(len(song.melody) for song in rock)),
    ]


def test_the_manifest_names_what_the_weights_began_as(tmp_path):
    """The data of the checkpoint a run started from is data of the run, once; without the checkpoint there is no manifest."""
    first = write_tiny_checkpoint(tmp_path / "from")
    config = msgspec.structs.replace(CONFIG, initial=str(tmp_path / "from"), sizes=SIZES)
    assert sources(mle_recipe(config), []) == [DataSource("POP909", CORPORA["pop909"].licence, 0, 0), *first.data]
    with pytest.raises(DamagedCheckpoint, match="no such folder"):
        sources(mle_recipe(msgspec.structs.replace(config, initial=str(tmp_path / "gone"))), [])


@pytest.mark.parametrize(
    ("corpora", "metrics", "said"),
    [
        ("nottingham", None, "publish: expected corpora whose weights may be given away"),
        ("pop909", '{"a": "b"}', "publish: expected a JSON object of numbers in .*metrics.json, got Expected `float`"),
        ("pop909", "[1]", "publish: expected a JSON object of numbers in .*metrics.json, got"),
        ("pop909", "{}", "publish: expected the folders POP909/001"),
    ],
)
def test_what_cannot_be_published_is_said(tmp_path, monkeypatch, corpora, metrics, said):
    """In one sentence, before anything is written."""
    file = tmp_path / "config.toml"
    text = Path("training/configs/online_small.toml").read_text()
    file.write_text(text.replace("[sizes]", f'corpora = ["{corpora}"]\n[sizes]'))
    line = ["publish", str(file), "--run", str(tmp_path / "run"), "--data", str(tmp_path), "--to", str(tmp_path / "to")]
    if metrics is not None:
        (tmp_path / "metrics.json").write_text(metrics)
        line += ["--metrics", str(tmp_path / "metrics.json")]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit, match=said):
        main()
    assert not (tmp_path / "to").exists()
