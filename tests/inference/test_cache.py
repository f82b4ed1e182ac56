"""Keys and values by slot: what is written is what is read, in its own row alone."""

import jax
import jax.numpy as jnp
import numpy as np

from inference.cache import bytes_per_slot, empty, gather, write
from inference.model import CACHE_POSITIONS, KeysValues
from tests.tiny import SIZES

SLOTS = 3
DTYPE = jnp.dtype(jnp.float32)


def fresh(rows, positions, seed=0):
    rng = np.random.default_rng(seed)
    keys, values = ((rows, SIZES.kv_heads, *shape) for shape in ((SIZES.head_width, positions), (positions, SIZES.head_width)))
    return KeysValues(*(tuple(rng.normal(size=shape).astype(np.float32) for _ in range(SIZES.layers)) for shape in (keys, values)))


def written(cache, slots, position, made):
    return jax.tree.map(np.asarray, jax.jit(write)(cache, np.array(slots), np.array(position), made))


def test_a_cache_has_its_slots_and_one_for_scratch():
    cache = empty(SIZES, SLOTS, DTYPE)
    rows = (SLOTS + 1, SIZES.kv_heads)
    assert [leaf.shape for leaf in cache.keys] == [(*rows, SIZES.head_width, CACHE_POSITIONS)] * SIZES.layers
    assert [leaf.shape for leaf in cache.values] == [(*rows, CACHE_POSITIONS, SIZES.head_width)] * SIZES.layers
    assert bytes_per_slot(SIZES, DTYPE) * (SLOTS + 1) == sum(leaf.nbytes for leaf in jax.tree.leaves(cache))
    assert bytes_per_slot(SIZES, jnp.dtype(jnp.bfloat16)) * 2 == bytes_per_slot(SIZES, DTYPE)


def test_rows_are_written_to_their_slots_and_positions():
    made = fresh(2, 3)
    cache = written(empty(SIZES, SLOTS, DTYPE), [2, 0], [[4, 5, 6], [0, 1, 2]], made)
    rows = gather(cache, np.array([0, 2, 2]))
    for layer in range(SIZES.layers):
        np.testing.assert_array_equal(rows.keys[layer][0, ..., :3], made.keys[layer][1])
        np.testing.assert_array_equal(rows.values[layer][1, :, 4:7], made.values[layer][0])
        np.testing.assert_array_equal(rows.keys[layer][1], rows.keys[layer][2])
        assert int((np.abs(cache.keys[layer]).sum(axis=(1, 2)) > 0).sum()) == 6


def test_padding_is_dropped_and_scratch_rows_change_no_slot():
    """Positions beyond the cache are written nowhere; padding rows, several in one batch, meet in the scratch slot."""
    before = written(empty(SIZES, SLOTS, DTYPE), [0], [range(4)], fresh(1, 4))
    positions = [[2 * CACHE_POSITIONS] * 4, range(4), range(4)]
    after = written(before, [0, SLOTS, SLOTS], positions, fresh(3, 4, seed=5))
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old[:SLOTS], new[:SLOTS])


def test_what_is_written_takes_the_type_of_the_cache():
    cache = written(empty(SIZES, SLOTS, jnp.dtype(jnp.bfloat16)), [1], [[0]], fresh(1, 1))
    assert {leaf.dtype for leaf in jax.tree.leaves(cache)} == {jnp.dtype(jnp.bfloat16)}
