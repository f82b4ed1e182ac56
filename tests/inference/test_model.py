"""The network at toy sizes: the online rule, and cached decoding against whole forward passes."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from inference.cache import gather, write
from inference.model import CACHE_POSITIONS, NOWHERE, Inputs, Part, attend, blank, laid_out, nothing_fed, rotate
from schema.tokens import DENSITIES, NUM_CHORD_ACTIONS, NUM_CHORD_VALUES, NUM_MELODY_ACTIONS, NUM_MELODY_VALUES, STYLES
from tests.tiny import SIZES, model_of, tiny_weights

ROWS, LENGTH, CHUNK = 2, 24, 8


@pytest.fixture(scope="module")
def model():
    return model_of(tiny_weights())


@pytest.fixture(scope="module")
def full(model):
    """The whole forward pass, compiled once."""
    compiled = jax.jit(model.hidden_full)
    return lambda inputs: np.asarray(compiled(inputs))


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(1)
    columns = [rng.integers(0, high, (ROWS, LENGTH)) for high in (NUM_CHORD_VALUES, NUM_MELODY_VALUES, 16)]
    position = np.broadcast_to(np.arange(LENGTH), (ROWS, LENGTH))
    return Inputs(*(np.asarray(column, np.int32) for column in (*columns, position, [1, 2], [3, 0], [4, 3])))


def amended(inputs, **columns):
    """Other values at some places: name=(index, value)."""
    changed = {name: np.array(getattr(inputs, name)) for name in columns}
    for name, (index, value) in columns.items():
        changed[name][index] = value
    return inputs._replace(**changed)


def test_a_frame_sees_itself_and_what_came_before(model, full, inputs):
    """The online rule: the melody of frame t changes the chord of t + 1 and later ones, never that of t or before."""
    changed = 10  # the position of frame 9: it predicts frame 10
    other = amended(inputs, melody=((0, changed), (int(inputs.melody[0, changed]) + 1) % NUM_MELODY_VALUES))
    before, after = full(inputs), full(other)
    np.testing.assert_array_equal(before[0, :changed], after[0, :changed])
    np.testing.assert_array_equal(before[1], after[1])
    assert (np.abs(before[0, changed:] - after[0, changed:]).max(axis=-1) > 1e-4).all()
    chords = [np.asarray(model.chord_logits(hidden)) for hidden in (before, after)]
    np.testing.assert_array_equal(chords[0][0, :changed], chords[1][0, :changed])
    assert np.abs(chords[0][0, changed] - chords[1][0, changed]).max() > 1e-3


@pytest.mark.parametrize("column", ["chord", "place"])
def test_chords_and_places_count_from_their_own_position_on(full, inputs, column):
    other = amended(inputs, **{column: ((0, 7), (int(getattr(inputs, column)[0, 7]) + 1) % 16)})
    before, after = full(inputs), full(other)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert (np.abs(before[0, 7:] - after[0, 7:]).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize(("control", "values"), [("density", len(DENSITIES)), ("style", len(STYLES)), ("beats_per_bar", 13)])
def test_every_control_matters_at_every_position(full, inputs, control, values):
    """All values of a control give different hidden states, and only in the row that sets it."""
    states = [full(amended(inputs, **{control: (0, value)})) for value in range(values)]
    assert all((state[1] == states[0][1]).all() for state in states)
    for one, other in pairwise(states):
        assert (np.abs(one[0] - other[0]).max(axis=-1) > 1e-5).all()


def test_the_prefix_holds_controls_alone(full, inputs):
    """Chord, melody and place at position 0 do not count."""
    other = amended(inputs, chord=((0, 0), 5), melody=((0, 0), 6), place=((0, 0), 7))
    np.testing.assert_array_equal(full(inputs), full(other))


def test_the_melody_is_given_the_chord_of_its_frame(model, full, inputs):
    hidden = full(inputs)[:, 5]
    logits = [np.asarray(model.melody_logits(hidden, np.full(ROWS, chord))) for chord in (0, 9)]
    assert logits[0].shape == (ROWS, NUM_MELODY_ACTIONS)
    assert model.chord_logits(hidden).shape == (ROWS, NUM_CHORD_ACTIONS)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


def test_dropout_is_on_only_with_a_key(full, inputs):
    sizes = msgspec.structs.replace(SIZES, dropout=0.5)
    dropped = jax.jit(model_of(tiny_weights(), sizes).hidden_full)
    one, same, other = (np.asarray(dropped(inputs, jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
    assert np.abs(one - full(inputs)).max() > 1e-3


def test_rotation_leaves_only_distances():
    """q at m times k at n depends on m - n (RoFormer, section 3.4), and lengths stay."""
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 5, 1, 8)).astype(np.float32)
    q[:], k[:] = q[0, 0], k[0, 0]
    turned = jax.jit(rotate)
    queries = np.asarray(turned(q, jnp.array([[3, 203, 4, 77, 0]])))
    keys = np.asarray(turned(k, jnp.array([[1, 201, 1, 0, 0]])))
    products = (queries * keys).sum(axis=-1)[0, :, 0]
    assert products[0] == pytest.approx(products[1], abs=1e-4)
    assert abs(products[0] - products[2]) > 1e-3
    np.testing.assert_allclose(np.linalg.norm(queries, axis=-1), np.linalg.norm(q, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(queries[0, 4], q[0, 4])


def test_attention_over_parts_is_attention_over_the_whole():
    """Keys apart or together, the softmax is one; what is not visible weighs nothing."""
    rng = np.random.default_rng(0)
    q = rng.normal(size=(1, 2, 4, 8)).astype(np.float32)
    keys, values = rng.normal(size=(2, 1, 6, 2, 8)).astype(np.float32)
    visible = np.array([[[True, True, False, True, True, False], [True] * 6]])
    attended = jax.jit(attend)

    def part(keys, values, visible):
        return Part(*laid_out(keys, values), visible)

    whole = np.asarray(attended(q, [part(keys, values, visible)]))
    cuts = [slice(0, 1), slice(1, 4), slice(4, 6)]
    parts = attended(q, [part(keys[:, cut], values[:, cut], visible[:, :, cut]) for cut in cuts])
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    loud = values.copy()
    loud[:, [2, 5]] = 1e6
    np.testing.assert_allclose(attended(q, [part(keys, loud, visible)])[:, 0], whole[:, 0], atol=1e-6)
    weights = np.exp(keys[0, :, 0] @ q[0, 1, 1] / 8**0.5)  # query head 1 shares the first key head
    np.testing.assert_allclose(whole[0, 1, 1], weights @ values[0, :, 0] / weights.sum(), atol=1e-6)


@pytest.fixture(scope="module")
def feed(model):
    """Feed up to CHUNK positions to two slots of a cache, the rest padding; compiled once."""

    def fed(inputs, cache, start):
        slots = jnp.array([2, 0])
        visible = jnp.broadcast_to(jnp.arange(CACHE_POSITIONS) < start, (ROWS, CHUNK, CACHE_POSITIONS))
        hidden, fresh = model.hidden_cached(inputs, gather(cache, slots), visible, nothing_fed(SIZES, ROWS, CHUNK), 0)
        return hidden, write(cache, slots, fresh.position, fresh.kept)

    return jax.jit(fed)


def chunk_of(inputs, start, stop):
    """Positions [start, stop) and padding."""
    rest = ((0, 0), (0, CHUNK - (stop - start)))
    columns = [np.pad(np.asarray(column)[:, start:stop], rest) for column in inputs[:3]]
    position = np.pad(np.asarray(inputs.position)[:, start:stop], rest, constant_values=NOWHERE)
    return Inputs(*columns, position, *inputs[4:])


def used_cache():
    """A cache with other sessions' leavings in every slot."""
    return jax.tree.map(lambda leaf: leaf + 9.0, blank(SIZES, 4, CACHE_POSITIONS, jnp.dtype(jnp.float32)))


@pytest.mark.parametrize("chunks", [(CHUNK,), (1, 7), (5, 3, 8)])
def test_cached_equals_full_however_it_is_fed(feed, full, inputs, chunks):
    """Any chunking, padding behind every chunk, and other sessions' leavings in the cache; the other slots stay untouched."""
    cache, start, found = used_cache(), 0, []
    while start < LENGTH:
        stop = min(LENGTH, start + chunks[len(found) % len(chunks)])
        hidden, cache = feed(chunk_of(inputs, start, stop), cache, start)
        found.append(np.asarray(hidden)[:, : stop - start])
        start = stop
    np.testing.assert_allclose(np.concatenate(found, axis=1), full(inputs), atol=2e-5)
    for leaf in jax.tree.leaves(cache):
        assert (np.asarray(leaf)[[1, 3]] == 9.0).all()


def test_what_one_call_fed_already_is_seen_by_what_it_feeds_next(model, feed, full, inputs):
    """Cache, fresh keys and the position itself together are the whole past; empty fresh entries are seen by nobody."""
    _, cache = feed(chunk_of(inputs, 0, 8), used_cache(), 0)
    rows, visible = gather(cache, np.array([2, 0])), np.broadcast_to(np.arange(CACHE_POSITIONS) < 8, (ROWS, 1, CACHE_POSITIONS))
    hidden_cached = jax.jit(model.hidden_cached)
    noisy = nothing_fed(SIZES, ROWS, CHUNK)._replace(kept=jax.tree.map(lambda leaf: leaf + 1e6, nothing_fed(SIZES, ROWS, CHUNK).kept))
    _, fresh = hidden_cached(chunk_of(inputs, 8, 14), rows, visible, noisy, 0)
    next_one = Inputs(*(np.asarray(column)[:, 14:15] for column in inputs[:4]), *inputs[4:])
    hidden, _ = hidden_cached(next_one, rows, visible, fresh, 6)
    np.testing.assert_allclose(hidden[:, 0], full(inputs)[:, 14], atol=2e-5)
