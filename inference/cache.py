"""Key/value cache with a slot axis: one slot per session, written in place. Pure.

A slot needs 2 x L x P x K x D numbers: 0.5 MiB for `small` in float32. The last slot is scratch: padding rows use it.
Layers are arrays of their own, keys lie with positions last and values with positions before the width: as a decode step
multiplies with them. Stacked layers, or the other order, and XLA copies all of a batch's rows in every layer of every step.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from inference.model import CACHE_POSITIONS, KeysValues, blank
from schema.manifest import ModelSizes


def empty(sizes: ModelSizes, slots: int, dtype: jnp.dtype) -> KeysValues:
    """A cache of `slots` slots and one scratch slot behind them (its index is `slots`)."""
    return blank(sizes, slots + 1, CACHE_POSITIONS, dtype)


def gather(cache: KeysValues, slots: Int[Array, "B"]) -> KeysValues:
    """The rows of a batch."""
    return KeysValues(tuple(leaf[slots] for leaf in cache.keys), tuple(leaf[slots] for leaf in cache.values))


def write(cache: KeysValues, slots: Int[Array, "B"], position: Int[Array, "B T"], fresh: KeysValues) -> KeysValues:
    """The cache with fresh keys and values at their positions; positions beyond the cache are padding and dropped."""
    rows = slots[:, None]
    return KeysValues(
        tuple(
            old.at[rows, :, :, position].set(new.transpose(0, 3, 1, 2).astype(old.dtype), mode="drop")
            for old, new in zip(cache.keys, fresh.keys, strict=True)
        ),
        tuple(
            old.at[rows, :, position].set(new.transpose(0, 2, 1, 3).astype(old.dtype), mode="drop")
            for old, new in zip(cache.values, fresh.values, strict=True)
        ),
    )


def copy(cache: KeysValues, packed: Int[Array, "1 N 2"]) -> KeysValues:
    """The cache with whole slots copied (from, to); at least two pairs, because XLA reads a gather of one row late and copies the cache."""
    source, target = packed[0, :, 0], packed[0, :, 1]
    copied: KeysValues = jax.tree.map(lambda leaf: leaf.at[target].set(leaf[source]), cache)
    return copied


def bytes_per_slot(sizes: ModelSizes, dtype: jnp.dtype) -> int:
    """Memory one session's slot takes."""
    return 2 * sizes.layers * CACHE_POSITIONS * sizes.kv_heads * sizes.head_width * jnp.dtype(dtype).itemsize
