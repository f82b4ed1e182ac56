"""Key/value cache with a slot axis: one slot per session, written in place. Pure.

A slot needs 2 x L x S x K x D numbers: 0.5 MiB for `small` in float32. The last slot is scratch: padding rows use it.
"""

import jax.numpy as jnp
from jaxtyping import Array, Int

from inference.model import CACHE_POSITIONS, KeysValues
from schema.manifest import ModelSizes


def empty(sizes: ModelSizes, slots: int, dtype: jnp.dtype) -> KeysValues:
    """A cache of `slots` slots and one scratch slot behind them (its index is `slots`)."""
    shape = (sizes.layers, slots + 1, CACHE_POSITIONS, sizes.kv_heads, sizes.head_width)
    return KeysValues(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))


def gather(cache: KeysValues, slots: Int[Array, "B"]) -> KeysValues:
    """The rows of a batch."""
    return KeysValues(cache.keys[:, slots], cache.values[:, slots])


def write(cache: KeysValues, slots: Int[Array, "B"], position: Int[Array, "B T"], fresh: KeysValues) -> KeysValues:
    """The cache with fresh keys and values at their positions; positions beyond the cache are padding and dropped."""
    rows = slots[:, None]
    return KeysValues(
        cache.keys.at[:, rows, position].set(fresh.keys.astype(cache.keys.dtype), mode="drop"),
        cache.values.at[:, rows, position].set(fresh.values.astype(cache.values.dtype), mode="drop"),
    )


def copy(cache: KeysValues, packed: Int[Array, "1 N 2"]) -> KeysValues:
    """The cache with whole slots copied (from, to); at least two pairs, because XLA reads a gather of one row late and copies the cache."""
    source, target = packed[0, :, 0], packed[0, :, 1]
    return KeysValues(cache.keys.at[:, target].set(cache.keys[:, source]), cache.values.at[:, target].set(cache.values[:, source]))


def bytes_per_slot(sizes: ModelSizes, dtype: jnp.dtype) -> int:
    """Memory one session's slot takes."""
    return 2 * sizes.layers * CACHE_POSITIONS * sizes.kv_heads * sizes.head_width * jnp.dtype(dtype).itemsize
