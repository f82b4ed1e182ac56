"""`sideman bench training` on a network of toy sizes."""

import argparse

import msgspec
import pytest

from schema.tokens import NUM_CHORDS, NUM_PITCHES, first_break
from sideman import bench_training
from sideman.bench_training import TrainingReport, gflop_by_formula, made_up_song, run
from tests.tiny import SIZES
from tests.tiny_corpus import write_tiny_corpus

CONFIG = """
variant = "{variant}"
name = "tiny"
seed = 1
steps = 100
rows = 2
learning_rate = 1.0e-3
warmup_steps = 2
decay_share = 0.3
weight_decay = 0.05
clip_norm = 1.0
melody_weight = 0.5
held_out_every = 50
keep_every = 50

[sizes]
layers = 2
width = 32
heads = 4
kv_heads = 2
head_width = 8
feed_width = 48
melody_head_width = 16
listening_layers = {layers}
"""


def benched(*options):
    parser = argparse.ArgumentParser()
    bench_training.add_arguments(parser)
    return run(parser.parse_args([*map(str, options)]))


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_training, "MATMUL_SIZE", 64)
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(variant="online", layers=0))
    return path


def test_a_made_up_song_keeps_the_grammar():
    song = made_up_song(64)
    assert first_break(song.melody.tolist(), NUM_PITCHES) is None
    assert first_break(song.chords.tolist(), NUM_CHORDS) is None
    assert (song.melody[:2] > 0).all()


def test_arithmetic_by_hand():
    """One row of 256 positions: 6 for each of 1,000 parameters; 2 layers of 4 heads of width 8, 12 for each of 256 positions."""
    assert gflop_by_formula(SIZES, 1000, 1) == pytest.approx(256 * (6 * 1000 + 12 * 2 * 256 * 32) / 1e9)
    listening = msgspec.structs.replace(SIZES, listening_layers=2)
    assert gflop_by_formula(listening, 0, 1) == pytest.approx(2 * gflop_by_formula(SIZES, 0, 1))


@pytest.mark.parametrize(("variant", "layers"), [("online", 0), ("offline", 1)])
def test_a_run_on_made_up_songs(config, tmp_path, capsys, variant, layers):
    """XLA counts about what the formula says; every share is one."""
    config.write_text(CONFIG.format(variant=variant, layers=layers))
    assert benched("--config", config, "--steps", 2, "--json", tmp_path / "a.json") == 0
    report = msgspec.json.decode((tmp_path / "a.json").read_bytes(), type=TrainingReport)
    assert (report.config, report.conversion_s) == ("tiny", {})
    assert report.frames_per_s == pytest.approx(2 * 256 / report.step_s)
    assert report.step_gflop_by_formula / 4 < report.step_gflop < 4 * report.step_gflop_by_formula
    assert report.share_of_matmul > 0
    assert 0 <= report.waiting_share < 1
    assert report.peak_rss_bytes > 1 << 20
    out = capsys.readouterr().out
    assert all(word in out for word in (f"{report.parameters:,} parameters", "frames/s", "GFLOP/s", "largest memory", "MiB"))


def test_a_run_on_a_corpus_tells_how_long_its_conversion_takes(config, tmp_path, capsys):
    write_tiny_corpus(tmp_path / "data")
    assert benched("--config", config, "--steps", 1, "--data", tmp_path / "data") == 0
    assert "converting pop909" in capsys.readouterr().out


def test_what_cannot_be_measured_is_one_sentence_and_exit_code_2(config, tmp_path, capsys, monkeypatch):
    assert benched("--config", tmp_path / "none.toml") == 2
    assert benched("--config", config, "--data", tmp_path / "none") == 2
    monkeypatch.setattr(bench_training, "find_spec", lambda _: None)
    assert benched() == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("sideman bench training: expected ") for line in lines[1:]] == [True, True]
    assert lines[0].startswith(f"sideman bench training: config {tmp_path / 'none.toml'}: expected ")
