"""The weights as the page gets them, and the vectors by which the page's planner is judged."""

import json

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from inference.checkpoints import load
from schema.chords import QUALITIES, Chord, print_symbol
from schema.engine_messages import PlanRequest, pack_values
from sideman.export_web import MANIFEST_NAME, NotForPages, PageManifest, export, main, packed, vocabulary
from sideman.paths import DEFAULT_CHECKPOINT
from tests.sideman.make_page_vectors import FOLDER, noises, tiny_checkpoint, voicings
from tests.tiny import SIZES, model_of, tiny_weights, write_tiny_checkpoint
from training.rollouts import plain_plan


def read_back(told: PageManifest, data: bytes):
    words = np.frombuffer(data, "<u2")
    for tensor in told.tensors:
        count = int(np.prod(tensor.shape))
        bits = words[tensor.offset : tensor.offset + count].astype(np.uint32) << 16
        yield tensor.name, bits.view(np.float32).reshape(tensor.shape)


def test_every_weight_comes_back_as_it_is_matrices_output_by_output(tmp_path):
    write_tiny_checkpoint(tmp_path / "tiny")
    told = export(tmp_path / "tiny", tmp_path / "page")
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == sorted([MANIFEST_NAME, told.file])
    data = (tmp_path / "page" / told.file).read_bytes()
    assert len(data) == told.bytes
    found = dict(read_back(told, data))
    _, weights = load(tmp_path / "tiny")
    for path, leaf in jax.tree_util.tree_flatten_with_path(weights)[0]:
        name = ".".join(str(key.key) for key in path)
        np.testing.assert_array_equal(found.pop(name), leaf.T if name.endswith("kernel") else leaf)
    assert not found


def test_an_export_replaces_the_one_before(tmp_path):
    write_tiny_checkpoint(tmp_path / "one")
    write_tiny_checkpoint(tmp_path / "two", seed=1)
    first, second = (export(tmp_path / name, tmp_path / "page") for name in ("one", "two"))
    assert first.file != second.file
    assert not (tmp_path / "page" / first.file).exists()


def test_only_what_a_page_can_play_with_is_exported(tmp_path):
    manifest, weights = tiny_checkpoint()
    with pytest.raises(NotForPages, match="expected an online checkpoint, got one that hears the whole melody first"):
        packed(msgspec.structs.replace(manifest, variant="offline"), weights)
    with pytest.raises(NotForPages, match="expected weights that bfloat16 holds exactly, got others in beats_per_bar"):
        packed(manifest, tiny_weights())
    write_tiny_checkpoint(tmp_path / "ears", variant="offline")
    assert main(["--checkpoint", str(tmp_path / "ears"), "--to", str(tmp_path / "page")]) == 2
    assert main(["--checkpoint", str(tmp_path / "nowhere"), "--to", str(tmp_path / "page")]) == 2
    assert not (tmp_path / "page").exists()


def test_the_vocabulary_prints_every_chord():
    told = vocabulary()
    for index, quality in enumerate(QUALITIES):
        assert told.roots[3] + told.qualities[index].suffix == print_symbol(Chord(3, quality.name))


def test_the_vectors_of_the_arithmetic_are_fresh():
    found = json.loads((FOLDER / "arithmetic.json").read_text())
    assert found["voicings"] == json.loads(json.dumps(voicings()))
    for was, made in zip(found["noise"], noises(), strict=True):
        assert was["bits"] == made["bits"]
        np.testing.assert_allclose(was["gumbel"], made["gumbel"], rtol=0, atol=2e-6)  # another processor may round otherwise


def test_the_toy_network_of_the_vectors_is_the_one_of_the_tests():
    manifest, weights = tiny_checkpoint()
    told, data = packed(manifest, weights)
    assert json.loads((FOLDER / "tiny.json").read_text())["manifest"] == json.loads(msgspec.json.encode(told))
    assert (FOLDER / "tiny.bin").read_bytes() == data
    plans = json.loads((FOLDER / "tiny.json").read_text())["plans"]
    model = model_of(jax.tree.map(jnp.asarray, weights), SIZES)
    assert [plain_plan(model, request_of(plan["request"])).chords for plan in plans[::5]] == [plan["planned"] for plan in plans[::5]]


@pytest.mark.slow
def test_the_vectors_of_the_shipped_checkpoint_are_fresh():
    """If not: python tests/sideman/make_page_vectors.py --shipped."""
    manifest, weights = load(DEFAULT_CHECKPOINT)
    vectors = json.loads((FOLDER / "shipped.json").read_text())
    assert (vectors["model"], vectors["sha256"]) == (manifest.model, packed(manifest, weights)[0].sha256)
    assert len(vectors["plans"]) >= 20
    model = model_of(weights, manifest.sizes)
    for plan in vectors["plans"][::9]:
        assert plain_plan(model, request_of(plan["request"])).chords == plan["planned"]


def request_of(told: dict) -> PlanRequest:
    controls = told["controls"]
    return PlanRequest(
        session="page", seq=0, model="", seed=told["seed"], window_start=told["windowStart"], first_frame=told["firstFrame"],
        lookahead_frames=told["lookaheadFrames"], chords=pack_values(told["chords"]), melody=pack_values(told["melody"]),
        temperature=told["temperature"], beats_per_bar=controls["beatsPerBar"], bar_line=told["barLine"],
        density=controls["density"], style=controls["style"], slack_ms=0.0,
    )  # fmt: skip
