"""Reward models learn what they are for in a few steps, and hear no more than they should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from schema.tokens import NUM_CHORDS, NUM_PITCHES
from training.reward_models import Contrastive, Discriminative, RewardSizes, build_reward

SIZES = RewardSizes(layers=1, width=32, heads=2, head_width=16, feed_width=48, frame_width=16, embedding=16, dropout=0.0)


def pairs(rows: int, seed: int) -> tuple[jnp.ndarray, jnp.ndarray]:
    """Melodies of one pitch class each, chords on the same root: what goes with what is easy to hear."""
    roots = np.random.default_rng(seed).integers(12, size=rows)
    melody = np.repeat(1 + 60 + roots[:, None], 16, axis=1)
    chords = np.repeat(1 + roots[:, None] * (NUM_CHORDS // 12), 16, axis=1)
    return jnp.asarray(melody), jnp.asarray(chords)


def trained(model, loss, steps: int = 150):
    """The model after some steps on fresh pairs."""
    graph, weights = nnx.split(model)
    optimiser = optax.adam(3e-3)
    moments = optimiser.init(weights)

    @jax.jit
    def step(weights, moments, batch):
        gradients = jax.grad(lambda w: loss(nnx.merge(graph, w), *batch))(weights)
        updates, moments = optimiser.update(gradients, moments, weights)
        return optax.apply_updates(weights, updates), moments

    for seed in range(steps):
        weights, moments = step(weights, moments, pairs(24, seed))
    return nnx.merge(graph, weights)


def test_contrastive_puts_what_belongs_together_in_one_place():
    model = trained(build_reward("contrastive", "values", SIZES, 0), lambda m, melody, chords: m.loss(melody, chords, None))
    assert isinstance(model, Contrastive)
    melody, chords = pairs(24, 999)
    strange = 1 + (chords - 1 + 6 * (NUM_CHORDS // 12)) % NUM_CHORDS
    assert float(model.reward(melody, chords).mean()) > float(model.reward(melody, strange).mean()) + 0.5
    assert float(jnp.abs(model.reward(melody, chords)).max()) <= 1.0 + 1e-5


def test_discriminative_tells_real_pairs_from_others():
    def loss(model, melody, chords):
        wrong = 1 + (chords - 1 + 6 * (NUM_CHORDS // 12)) % NUM_CHORDS
        real = jnp.arange(2 * len(melody)) < len(melody)
        return model.loss(jnp.concatenate([melody, melody]), jnp.concatenate([chords, wrong]), real, None)

    model = trained(build_reward("discriminative", "values", SIZES, 0), loss)
    melody, chords = pairs(24, 999)
    assert float(model.reward(melody, chords).min()) > 0.8
    assert float(model.reward(melody, 1 + (chords - 1 + 6 * (NUM_CHORDS // 12)) % NUM_CHORDS).max()) < 0.2


@pytest.mark.parametrize("kind", ["contrastive", "discriminative"])
def test_a_rhythm_variant_hears_no_pitch(kind):
    model = build_reward(kind, "rhythm", SIZES, 0)
    melody, chords = pairs(4, 1)
    higher = jnp.minimum(melody + 5, NUM_PITCHES)
    np.testing.assert_allclose(model.reward(melody, chords), model.reward(higher, jnp.roll(chords, 1, axis=0)), rtol=1e-5)


def test_an_adversary_does_not_hear_the_melody():
    model = build_reward("adversary", "values", SIZES, 0)
    assert isinstance(model, Discriminative)
    melody, chords = pairs(4, 1)
    np.testing.assert_array_equal(model.reward(melody, chords), model.reward(melody + 3, chords))


def test_dropout_only_with_a_key():
    model = build_reward("contrastive", "values", RewardSizes(layers=1, width=32, heads=2, head_width=16, feed_width=48, dropout=0.5), 0)
    melody, chords = pairs(4, 1)
    np.testing.assert_array_equal(model.embed_melody(melody), model.embed_melody(melody))
    assert float(model.loss(melody, chords, jax.random.key(1))) != float(model.loss(melody, chords, jax.random.key(2)))
