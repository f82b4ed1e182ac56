"""Checkpoints on disk: verified before they are opened, complete before they are named. Shell."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from inference.model import build
from schema.manifest import MANIFEST_NAME, WEIGHTS_FOLDER, DamagedCheckpoint, Manifest, ModelSizes, check, decode_manifest, encode_manifest
from schema.tokens import vocabulary_hash


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint but its manifest, by path below the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST_NAME)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_weights(folder: Path, weights: Any, dtype: str) -> None:
    """Write a pure tree of weights as the Orbax tree of a new checkpoint; replaces the folder."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    cast = jax.tree.map(lambda x: np.asarray(jnp.asarray(x, dtype)), _by_name(weights))
    with ocp.PyTreeCheckpointer(use_ocdbt=True, use_zarr3=True) as writer:
        writer.save((folder / WEIGHTS_FOLDER).absolute(), cast)
    said = folder / WEIGHTS_FOLDER / "commit_success.txt"
    if said.is_file():  # Orbax writes the path of this machine into it, and reads nothing of it
        said.write_text("committed\n")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest last: a folder without one is no checkpoint."""
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read and verify: every file's hash, and the vocabulary. Raises DamagedCheckpoint."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        found = "no such folder" if not folder.exists() else f"a folder without {MANIFEST_NAME}"
        raise DamagedCheckpoint(str(folder), f"a folder with {MANIFEST_NAME}", found)
    manifest = decode_manifest(path.read_bytes(), str(folder))
    check(manifest, hashes(folder), vocabulary_hash(), str(folder))
    return manifest


def load(folder: Path) -> tuple[Manifest, Any]:
    """A verified checkpoint: its manifest and its weights as a pure tree of float32 arrays. Raises DamagedCheckpoint."""
    manifest = read_manifest(folder)
    return manifest, read_weights(folder, manifest.sizes)


def read_weights(folder: Path, sizes: ModelSizes) -> Any:
    """The weights of a checkpoint, unverified; serve only what `load` gives. Raises DamagedCheckpoint."""
    if (
        smallest := min(sizes.layers, sizes.width, sizes.heads, sizes.kv_heads, sizes.head_width, sizes.feed_width, sizes.melody_head_width)
    ) < 1:
        raise DamagedCheckpoint(str(folder), "sizes of at least 1", str(smallest))
    shapes = pure_shapes(sizes)
    try:
        with ocp.PyTreeCheckpointer(use_ocdbt=True, use_zarr3=True) as reader:
            found = reader.restore((folder / WEIGHTS_FOLDER).absolute())
    except Exception as problem:  # Orbax raises many kinds; whatever it is, these weights must not be served
        raise DamagedCheckpoint(str(folder), "weights that Orbax can read", f"{type(problem).__name__}") from problem
    named = _by_name(shapes)
    if {k: v.shape for k, v in named.items()} != {k: v.shape for k, v in found.items()}:
        raise DamagedCheckpoint(str(folder), "weights of the sizes in the manifest", "weights of other names or shapes")
    leaves = [np.asarray(found[name]).astype(np.float32) for name in named]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def pure_shapes(sizes: ModelSizes) -> Any:
    """The tree of weights of these sizes, as shapes only."""
    return nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: build(sizes))))


def _by_name(tree: Any) -> dict[str, Any]:
    """The tree's leaves by dotted path, in the tree's order."""
    return {".".join(str(getattr(k, "key", k)) for k in path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}
