"""From a run to a checkpoint that the service accepts."""

import json
from pathlib import Path

import msgspec
import pytest

from inference.__main__ import prepare
from inference.planner import Bucket
from inference.settings import WorkerSettings
from schema.tokens import NUM_CHORDS, NUM_PITCHES, first_break, is_onset, pitch_of
from tests.tiny_corpus import TRAIN, write_tiny_corpus
from tests.training.test_train_mle import CONFIG
from training.publish import golden_melody, publish
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
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"note_in_chord": 0.5}))
    manifest = publish(config, tmp_path / "run", tmp_path / "data", tmp_path / "to")
    assert (manifest.model, manifest.variant, manifest.sizes, manifest.dtype) == ("toy", "online", config.sizes, "bfloat16")
    assert manifest.step == 2
    assert manifest.metrics["note_in_chord"] == 0.5
    assert manifest.metrics["held_out_chord_loss"] > 0
    assert manifest.data[0].name == "POP909"
    assert manifest.data[0].songs == len(TRAIN)
    assert first_break(manifest.golden.chords, NUM_CHORDS) is None
    resident = prepare(WorkerSettings(tmp_path / "to", Path(), slots=2, buckets=(Bucket(2, 1, 1), Bucket(2, 64, 1))))
    assert resident.info.name == "toy"
    assert resident.scheduler.idle
