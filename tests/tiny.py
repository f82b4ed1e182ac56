"""A network of toy sizes, random but decided, and a checkpoint of it that the service accepts. Shell."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax import nnx

from inference.checkpoints import hashes, pure_shapes, read_weights, write_manifest, write_weights
from inference.model import Decoder, build
from schema.engine_messages import OFFLINE, golden_request
from schema.manifest import FORMAT, DataSource, Golden, Manifest, ModelSizes
from schema.tokens import note_hold, note_onset, vocabulary_hash
from training.rollouts import plain_plan

SIZES = ModelSizes(layers=2, width=32, heads=4, kv_heads=2, head_width=8, feed_width=48, melody_head_width=16)
OFFLINE_SIZES = msgspec.structs.replace(SIZES, listening_layers=1)
GOLDEN_MELODY = [note_hold(60 + frame // 4) if frame % 4 else note_onset(60 + frame // 4) for frame in range(16)]


def tiny_weights(seed: int = 0, sizes: ModelSizes = SIZES) -> Any:
    """Weights so large that one choice is clearly ahead of the next and depends on all that was fed."""
    rng = np.random.default_rng(seed)
    weights = jax.tree.map(lambda leaf: _random(rng, leaf.shape), pure_shapes(sizes))
    for head in ("chord_head", "melody_head"):
        weights[head]["kernel"] *= 4
    return weights


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    made = rng.normal(size=shape) * 0.2 if len(shape) == 2 else np.ones(shape)
    return made.astype(np.float32)


def model_of(weights: Any, sizes: ModelSizes = SIZES) -> Decoder:
    """The network with these weights."""
    graph, state = nnx.split(nnx.eval_shape(lambda: build(sizes)))
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, weights))
    return nnx.merge(graph, state)


def write_tiny_checkpoint(folder: Path, seed: int = 0, variant: str = "online", name: str = "tiny") -> Manifest:
    """A whole checkpoint: weights, golden plan by the book, manifest."""
    sizes = OFFLINE_SIZES if variant == OFFLINE else SIZES
    write_weights(folder, tiny_weights(seed, sizes), "bfloat16")
    model = model_of(read_weights(folder, sizes), sizes)
    manifest = Manifest(
        format=FORMAT,
        model=name,
        variant=variant,
        sizes=sizes,
        vocabulary=vocabulary_hash(),
        dtype="bfloat16",
        step=4,
        files=hashes(folder),
        data=[DataSource("nothing", "CC0", 0, 0)],
        metrics={},
        golden=Golden(GOLDEN_MELODY, 0, plain_plan(model, golden_request(GOLDEN_MELODY, 0, variant)).chords),
        temperature=0.8,
    )
    write_manifest(folder, manifest)
    return manifest
