"""The checkpoint's promise: read, written, and checked against what was found."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.manifest import FORMAT, DamagedCheckpoint, DataSource, Golden, Manifest, ModelSizes, check, decode_manifest, encode_manifest
from tests.schema_strategies import FEW, of_type

MANIFEST = Manifest(
    format=FORMAT,
    model="online-small",
    variant="online",
    sizes=ModelSizes(layers=4, width=256, heads=4, kv_heads=1, head_width=64, feed_width=640, melody_head_width=128),
    vocabulary="a" * 64,
    dtype="float32",
    step=3600,
    files={"weights/data": "1" * 64, "weights/tree": "2" * 64},
    data=[DataSource(name="pop909", licence="MIT", songs=700, frames=750_000)],
    metrics={"chord_loss": 0.5},
    golden=Golden(melody=[61, 189, 0], seed=3, chords=[1, 253]),
    temperature=0.8,
)
AFTER = ": restore the checkpoint from its source or choose another with --checkpoint"


def refused(data: bytes) -> str:
    with pytest.raises(DamagedCheckpoint) as caught:
        decode_manifest(data, "runs/x")
    assert caught.value.where == "runs/x"
    return str(caught.value)


def test_a_manifest_round_trips_as_readable_json():
    """What is written is indented JSON that ends with a newline and reads back equal."""
    data = encode_manifest(MANIFEST)
    assert decode_manifest(data, "x") == MANIFEST
    assert data.startswith(b'{\n  "format": 1,\n')
    assert data.endswith(b"}\n")


@FEW
@given(of_type(ModelSizes), of_type(Golden), st.lists(of_type(DataSource), max_size=2), st.floats(allow_nan=False, allow_infinity=False))
def test_any_manifest_round_trips(sizes: ModelSizes, golden: Golden, data: list[DataSource], metric: float):
    """Writing and reading is the identity for every valid manifest."""
    manifest = msgspec.structs.replace(MANIFEST, sizes=sizes, golden=golden, data=data, metrics={"m": metric}, files={"ü": ""})
    assert decode_manifest(encode_manifest(manifest), "x") == manifest


@FEW
@given(st.binary(max_size=60) | st.integers(0, 600).map(lambda n: encode_manifest(MANIFEST)[:n]))
def test_damaged_bytes_are_refused(data: bytes):
    """Random or cut bytes give DamagedCheckpoint and nothing else, in one sentence."""
    assert refused(data).startswith("checkpoint runs/x: expected a readable manifest.json, got ")


def test_sentences_of_refused_manifests():
    """Deep nesting, invalid UTF-8, unknown fields and another format are named."""
    assert refused(b"[" * 100_000).startswith("checkpoint runs/x: expected a readable manifest.json, got ")
    assert "can't decode byte 0xff" in refused(b'{"model": "\xff"}')
    extra = encode_manifest(MANIFEST).replace(b'"format": 1,', b'"format": 1, "extra": 0,')
    assert refused(extra) == ("checkpoint runs/x: expected a readable manifest.json, got Object contains unknown field `extra`" + AFTER)
    newer = encode_manifest(msgspec.structs.replace(MANIFEST, format=2))
    assert refused(newer) == "checkpoint runs/x: expected manifest format 1, got format 2" + AFTER


def test_a_kept_promise_is_silent():
    """Files and vocabulary as promised: nothing is raised."""
    check(MANIFEST, dict(MANIFEST.files), MANIFEST.vocabulary, "x")


@pytest.mark.parametrize(
    ("found", "vocabulary", "sentence"),
    [
        ({"weights/data": "1" * 64}, "a" * 64, "expected the file weights/tree, got no such file"),
        (MANIFEST.files | {"w.py": "3" * 64}, "a" * 64, "expected only files named in the manifest, got the extra file w.py"),
        (
            MANIFEST.files | {"weights/data": "9" * 64},
            "a" * 64,
            "expected weights/data with SHA-256 111111111111, got 999999999999",
        ),
        (MANIFEST.files, "b" * 64, "expected vocabulary bbbbbbbbbbbb, got aaaaaaaaaaaa, written by another version"),
        ({}, "b" * 64, "expected vocabulary bbbbbbbbbbbb, got aaaaaaaaaaaa, written by another version"),
    ],
)
def test_a_broken_promise_says_what_to_do(found: dict[str, str], vocabulary: str, sentence: str):
    """A missing, extra or changed file and a foreign vocabulary are refused: expected, got, what to do."""
    with pytest.raises(DamagedCheckpoint) as caught:
        check(MANIFEST, found, vocabulary, "runs/x")
    assert str(caught.value) == f"checkpoint runs/x: {sentence}{AFTER}"
