"""Checkpoints on disk: written, read back, and refused with one sentence whatever is wrong with them."""

import random
import re
import shutil

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from inference.checkpoints import hashes, load, pure_shapes, read_manifest, read_weights, write_manifest, write_weights
from schema.manifest import MANIFEST_NAME, DamagedCheckpoint, decode_manifest, encode_manifest
from schema.manifest import check as check_manifest
from schema.tokens import vocabulary_hash
from tests.tiny import SIZES, tiny_weights

ADVICE = "restore the checkpoint from its source or choose another with --checkpoint"
UNCHECKED = {"model", "variant", "dtype", "step", "data", "metrics", "golden", "temperature"}  # facts for people, and the golden plan


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A copy to damage."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


def refusal(folder, reads=read_manifest):
    """The sentence a damaged checkpoint is refused with, without its first and last part."""
    with pytest.raises(DamagedCheckpoint) as caught:
        reads(folder)
    match = re.fullmatch(rf"checkpoint {re.escape(str(folder))}: (expected .+, got .+): {ADVICE}", str(caught.value), re.DOTALL)
    assert match, str(caught.value)
    return match[1]


def weights_file(folder):
    """The largest file, and its path as the manifest names it."""
    path = max((path for path in (folder / "weights").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    return path, path.relative_to(folder).as_posix()


def test_weights_come_back_as_they_were_rounded(tiny_checkpoint):
    """bfloat16 on disk, float32 in memory, every leaf in its place."""
    manifest, weights = load(tiny_checkpoint)
    written = tiny_weights()
    assert jax.tree.structure(weights) == jax.tree.structure(written) == jax.tree.structure(pure_shapes(SIZES))
    for read, wrote in zip(jax.tree.leaves(weights), jax.tree.leaves(written), strict=True):
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, np.asarray(jnp.asarray(wrote, jnp.bfloat16).astype(jnp.float32)))
    assert manifest.sizes == SIZES
    assert set(manifest.files) == set(hashes(tiny_checkpoint))


def test_writing_replaces_the_folder(folder):
    (folder / "leftover").write_text("of another run")
    write_weights(folder, tiny_weights(1), "float32")
    assert not (folder / "leftover").exists()
    assert not (folder / MANIFEST_NAME).exists()
    assert jax.tree.all(jax.tree.map(np.array_equal, read_weights(folder, SIZES), tiny_weights(1)))


def test_no_flipped_bit_gets_past_the_hashes(folder):
    """A hundred single bits over all files of the weights."""
    rng = random.Random(3)
    files = sorted((path for path in (folder / "weights").rglob("*") if path.is_file() and path.stat().st_size), key=str)
    for index in range(100):
        path = files[index % len(files)]
        data = path.read_bytes()
        bit = rng.randrange(len(data) * 8)
        path.write_bytes(flipped(data, bit))
        name = path.relative_to(folder).as_posix()
        assert re.fullmatch(rf"expected {re.escape(name)} with SHA-256 [0-9a-f]{{12}}, got [0-9a-f]{{12}}", refusal(folder))
        path.write_bytes(data)
    read_manifest(folder)


def flipped(data, bit):
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def test_a_flipped_bit_in_the_manifest_is_refused_unless_it_is_a_fact_for_people(tiny_checkpoint):
    """All of its bits: what is let through differs only in fields that no loader can check, or in sizes (see the next test)."""
    data, found = (tiny_checkpoint / MANIFEST_NAME).read_bytes(), hashes(tiny_checkpoint)
    whole = decode_manifest(data, "x")
    for bit in range(len(data) * 8):
        try:
            manifest = decode_manifest(flipped(data, bit), "x")
            check_manifest(manifest, found, vocabulary_hash(), "x")
        except DamagedCheckpoint:
            continue
        changed = {name for name in whole.__struct_fields__ if getattr(manifest, name) != getattr(whole, name)}
        assert changed <= UNCHECKED | {"sizes"}


@pytest.mark.parametrize("name", ["layers", "width", "heads", "kv_heads", "head_width", "feed_width", "melody_head_width"])
@pytest.mark.parametrize("size", [0, -1, 1, 9])
def test_sizes_that_are_not_those_of_the_weights_are_refused(tiny_checkpoint, name, size):
    """Also those that no network can have."""
    sizes = msgspec.structs.replace(SIZES, **{name: size})
    other = "expected weights of the sizes in the manifest, got weights of other names or shapes"
    impossible = f"expected sizes of at least 1, got {size}"
    assert refusal(tiny_checkpoint, lambda folder: read_weights(folder, sizes)) == (impossible if size < 1 else other)


@pytest.mark.parametrize("length", [0, 1, -1])
def test_a_truncated_file_is_refused(folder, length):
    path, name = weights_file(folder)
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(folder).startswith(f"expected {name} with SHA-256 ")


@pytest.mark.parametrize("length", [0, 1, -3])
def test_a_truncated_manifest_is_refused(folder, length):
    path = folder / MANIFEST_NAME
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(folder).startswith(f"expected a readable {MANIFEST_NAME}, got ")


def test_a_missing_file_is_refused(folder):
    path, name = weights_file(folder)
    path.unlink()
    assert refusal(folder) == f"expected the file {name}, got no such file"


def test_an_extra_file_is_refused(folder):
    (folder / "weights" / "zzz").write_text("")
    assert refusal(folder) == "expected only files named in the manifest, got the extra file weights/zzz"


def test_no_folder_and_no_manifest_are_refused(folder, tmp_path):
    assert refusal(tmp_path / "nowhere") == f"expected a folder with {MANIFEST_NAME}, got no such folder"
    (folder / MANIFEST_NAME).unlink()
    assert refusal(folder) == f"expected a folder with {MANIFEST_NAME}, got a folder without {MANIFEST_NAME}"


def changed_manifest(folder, **fields):
    write_manifest(folder, msgspec.structs.replace(read_manifest(folder), **fields))


def test_another_vocabulary_is_refused(folder):
    changed_manifest(folder, vocabulary="f" * 64)
    expected = f"expected vocabulary {vocabulary_hash()[:12]}, got ffffffffffff, written by another version"
    assert refusal(folder) == expected


def test_another_format_is_refused(folder):
    manifest = msgspec.structs.replace(read_manifest(folder), format=2)
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(manifest))
    assert refusal(folder) == "expected manifest format 1, got format 2"


def test_other_sizes_are_refused_after_the_hashes_matched(folder):
    changed_manifest(folder, sizes=msgspec.structs.replace(SIZES, width=64))
    assert refusal(folder, load) == "expected weights of the sizes in the manifest, got weights of other names or shapes"


def test_weights_that_orbax_cannot_read_are_refused(folder):
    """Even if a manifest vouches for them."""
    shutil.rmtree(folder / "weights")
    (folder / "weights").mkdir()
    (folder / "weights" / "data").write_text("no weights")
    changed = msgspec.structs.replace(decode_manifest((folder / MANIFEST_NAME).read_bytes(), "x"), files=hashes(folder))
    write_manifest(folder, changed)
    assert refusal(folder, load).startswith("expected weights that Orbax can read, got ")


def test_a_checkpoint_does_not_say_where_it_was_written(tmp_path):
    """Orbax puts the path into one of its files; checkpoints are given away."""
    write_weights(tmp_path / "here", tiny_weights(), "bfloat16")
    files = [path for path in (tmp_path / "here").rglob("*") if path.is_file()]
    assert files
    assert not [path.name for path in files if str(tmp_path).encode() in path.read_bytes()]
