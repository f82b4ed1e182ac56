"""Noise keyed by session, frame and part; the grammar; temperature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling import CHORD_PART, MELODY_PART, candidate_values, choose, value_of
from inference.sampling import noise as noise_of
from schema import tokens
from schema.tokens import HOLD_ACTION, NUM_CHORDS, NUM_PITCHES

DRAWS = 4000
noise = jax.jit(noise_of, static_argnums=(2, 3))
gumbel = jax.jit(lambda key: jax.random.gumbel(key, (254,)))


def keys(*pairs):
    seeds, frames = zip(*pairs, strict=True)
    return jnp.array(seeds, jnp.uint32), jnp.array(frames, jnp.int32)


def test_noise_depends_on_seed_frame_and_part_alone():
    """A row's noise is the same in any batch, at any place in it."""
    alone = noise(*keys((3, 50)), CHORD_PART, 9)[0]
    among = noise(*keys((1, 50), (3, 49), (3, 50), (2**32 - 1, 0)), CHORD_PART, 9)
    np.testing.assert_array_equal(alone, among[2])
    rows = {np.asarray(row).tobytes() for row in [*among, *noise(*keys((3, 50)), MELODY_PART, 9)]}
    assert len(rows) == 5


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(0, 10_000_000), st.sampled_from((CHORD_PART, MELODY_PART)))
def test_noise_is_that_of_jax_to_the_bit(seed, frame, part):
    """Plans of weights that are out stay what they are; and the generator is a tested one."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(jnp.uint32(seed)), frame), part)
    np.testing.assert_array_equal(noise(*keys((seed, frame)), part, 254)[0], gumbel(key))


def test_noise_is_standard_gumbel():
    """Mean is Euler's constant, variance is pi squared over six."""
    made = np.asarray(noise(jnp.zeros(DRAWS, jnp.uint32), jnp.arange(DRAWS), CHORD_PART, 4))
    assert made.mean() == pytest.approx(0.5772, abs=0.03)
    assert made.var() == pytest.approx(np.pi**2 / 6, rel=0.05)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_choices_are_as_frequent_as_the_softmax_says(temperature):
    """Chi-square over four thousand frames; 5 degrees of freedom, so 20.5 is exceeded once in a thousand."""
    logits = jnp.array([0.0, 1.0, -1.0, 0.5, 2.0, -0.3])
    made = noise(jnp.full(DRAWS, 5, jnp.uint32), jnp.arange(DRAWS), CHORD_PART, 6)
    chosen = choose(jnp.tile(logits, (DRAWS, 1)), jnp.full(DRAWS, temperature), made, jnp.ones(DRAWS, bool))
    expected = np.asarray(jax.nn.softmax(logits / temperature)) * DRAWS
    counts = np.bincount(np.asarray(chosen), minlength=6)
    assert ((counts - expected) ** 2 / expected).sum() < 20.5


@pytest.mark.parametrize("temperature", [0.0, 0.1, 1.0, 2.0])
def test_nothing_running_nothing_held(temperature):
    """The grammar holds at every temperature, however likely the hold."""
    rows = 64
    logits = jnp.zeros((rows, 5)).at[:, HOLD_ACTION].set(1e9)
    made = noise(jnp.arange(rows).astype(jnp.uint32), jnp.zeros(rows, jnp.int32), MELODY_PART, 5)
    running = jnp.arange(rows) % 2 == 0
    chosen = np.asarray(choose(logits, jnp.full(rows, temperature), made, running))
    assert ((chosen == HOLD_ACTION) == np.asarray(running)).all()


def test_temperature_zero_takes_the_likeliest():
    """Rows of one batch may have different temperatures; where it is 0 the noise does not count."""
    logits, made = jnp.array([[0.0, 0.1, 0.2]] * 2), jnp.array([[9.0, 0.0, 0.0]] * 2)
    chosen = choose(logits, jnp.array([0.0, 1.0]), made, jnp.ones(2, bool))
    assert chosen.tolist() == [2, 0]
    values = candidate_values(logits, jnp.array([0.0, 0.5]), made, jnp.ones(2, bool))
    np.testing.assert_allclose(values, [[0.0, 0.1, 0.2], [9.0, 0.2, 0.4]], rtol=1e-6)


@pytest.mark.parametrize("count", [NUM_CHORDS, NUM_PITCHES])
def test_values_of_actions_are_those_of_the_schema(count):
    """Every action after nothing, an onset and a hold."""
    previous = [0, 1, count, count + 1, 2 * count]
    pairs = [(action, before) for before in previous for action in range(2 + count)]
    actions, befores = (jnp.array(column) for column in zip(*pairs, strict=True))
    assert value_of(actions, befores, count).tolist() == [tokens.value_of(a, b, count) for a, b in pairs]
