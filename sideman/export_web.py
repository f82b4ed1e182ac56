"""Exports an online checkpoint for the page: what the web client plans with while no server answers. Shell.

    python -m sideman.export_web --to FOLDER

The folder then holds `planner.json` (sizes, vocabulary, golden plan, SHA-256 and the place of every tensor) and one file of weights,
named after its content so that browsers may keep it for ever. Matrices lie output by output, as the page reads them.
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from inference.checkpoints import load
from schema.chords import NO_CHORD, QUALITIES, ROOT_NAMES
from schema.engine_messages import OFFLINE
from schema.manifest import DamagedCheckpoint, Golden, Manifest, ModelSizes
from schema.tokens import DENSITIES, STYLES
from sideman.paths import DEFAULT_CHECKPOINT

FORMAT = 1
MANIFEST_NAME = "planner.json"
DTYPE = "bfloat16"


class Tensor(msgspec.Struct, frozen=True):
    """One array of the file of weights: rows x columns, or a vector; `offset` counts values, not bytes."""

    name: str
    shape: tuple[int, ...]
    offset: int


class Tones(msgspec.Struct, frozen=True):
    """A chord quality as the page needs it: how it is printed behind the root, and its semitones above the root."""

    suffix: str
    intervals: tuple[int, ...]


class Vocabulary(msgspec.Struct, frozen=True):
    """What the numbers of chords and controls mean; their order is their number."""

    no_chord: str
    roots: tuple[str, ...]
    qualities: tuple[Tones, ...]
    densities: tuple[str, ...]
    styles: tuple[str, ...]


class PageManifest(msgspec.Struct, frozen=True):
    """Everything the page must know before it opens the weights."""

    format: int
    model: str
    temperature: float
    sizes: ModelSizes
    vocabulary: Vocabulary
    golden: Golden
    file: str
    bytes: int
    sha256: str
    dtype: str
    tensors: tuple[Tensor, ...]


class NotForPages(ValueError):
    """A checkpoint that a page cannot plan with; the text says why."""


def vocabulary() -> Vocabulary:
    """This build's vocabulary."""
    qualities = tuple(Tones(quality.lead_sheet, quality.intervals) for quality in QUALITIES)
    return Vocabulary(NO_CHORD, ROOT_NAMES, qualities, DENSITIES, STYLES)


def packed(manifest: Manifest, weights: Any) -> tuple[PageManifest, bytes]:
    """The page's manifest and its file of weights. Raises NotForPages."""
    if manifest.variant == OFFLINE:
        raise NotForPages(f"{manifest.model}: expected an online checkpoint, got one that hears the whole melody first: choose another")
    tensors, parts, offset = [], [], 0
    for path, leaf in jax.tree_util.tree_flatten_with_path(weights)[0]:
        name = ".".join(str(key.key) for key in path)
        values = np.asarray(leaf, np.float32)
        values = values.T if name.endswith("kernel") else values
        exact = values.astype(jnp.bfloat16)
        if not np.array_equal(exact.astype(np.float32), values):
            raise NotForPages(f"{manifest.model}: expected weights that {DTYPE} holds exactly, got others in {name}: publish it in {DTYPE}")
        tensors.append(Tensor(name, values.shape, offset))
        parts.append(np.ascontiguousarray(exact).view(np.uint16).astype("<u2").tobytes())
        offset += values.size
    data = b"".join(parts)
    digest = hashlib.sha256(data).hexdigest()
    told = PageManifest(
        FORMAT, manifest.model, manifest.temperature, manifest.sizes, vocabulary(), manifest.golden,
        f"weights-{digest[:8]}.bin", len(data), digest, DTYPE, tuple(tensors),
    )  # fmt: skip
    return told, data


def export(checkpoint: Path, to: Path) -> PageManifest:
    """Write the folder anew. Raises DamagedCheckpoint, NotForPages."""
    told, data = packed(*load(checkpoint))
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    (to / told.file).write_bytes(data)
    (to / MANIFEST_NAME).write_bytes(msgspec.json.encode(told) + b"\n")
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m sideman.export_web", description="Export an online checkpoint for the web client.")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="default: what a player gets who chooses no model")
    parser.add_argument("--to", type=Path, required=True, help="folder for the page; replaced")
    arguments = parser.parse_args(argv)
    try:
        told = export(arguments.checkpoint, arguments.to)
    except (DamagedCheckpoint, NotForPages) as problem:
        print(f"export_web: {problem}", file=sys.stderr)
        return 2
    print(f"{told.model}: {told.bytes:,} bytes in {arguments.to / told.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
