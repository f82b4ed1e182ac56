"""Losses against numbers worked out by hand, plain, compiled and vectorised."""

from collections.abc import Callable
from math import log
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from schema.tokens import HOLD_ACTION
from training.losses import advantages, allow, cross_entropy, divergence, entropy, mean_over

# Three positions over three actions. Probabilities: 1/2 1/4 1/4 · 1/3 each · 1/6 2/6 3/6.
LOGITS = jnp.log(jnp.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]]))
TARGET = jnp.array([0, 1, 1])
NLL = [log(2), log(3), log(3)]

ways = pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["plain", "jit"])


@pytest.fixture(autouse=True)
def strict_promotion() -> Any:
    """No silent mixing of whole and broken numbers."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@ways
@pytest.mark.parametrize(
    ("counts", "loss", "accuracy"),
    [
        ([True, True, True], sum(NLL) / 3, 1 / 3),
        ([True, False, False], NLL[0], 1.0),
        ([False, False, True], NLL[2], 0.0),
        ([True, False, True], (NLL[0] + NLL[2]) / 2, 0.5),
        ([False, False, False], 0.0, 0.0),
    ],
)
def test_cross_entropy_by_hand(way: Callable[..., Any], counts: list[bool], loss: float, accuracy: float):
    """Mean nats and hits over the targets that count; where none counts both are 0, not NaN."""
    nats, hits = way(cross_entropy)(LOGITS, TARGET, jnp.array(counts))
    assert nats.shape == hits.shape == ()
    assert nats.dtype == hits.dtype == jnp.float32
    assert float(nats) == pytest.approx(loss, abs=1e-6)
    assert float(hits) == pytest.approx(accuracy, abs=1e-6)


def test_cross_entropy_under_vmap():
    """Each row of a vectorised call is the call on that row."""
    counts = jnp.array([[True, True, False], [False, True, True]])
    logits, target = jnp.stack([LOGITS, LOGITS[::-1]]), jnp.stack([TARGET, TARGET[::-1]])
    nats, hits = jax.jit(jax.vmap(cross_entropy))(logits, target, counts)
    np.testing.assert_allclose(nats, [(NLL[0] + NLL[1]) / 2, (NLL[1] + NLL[0]) / 2], rtol=1e-6)
    np.testing.assert_allclose(hits, [1 / 2, 1 / 2], rtol=1e-6)
    one, _ = cross_entropy(logits, target, counts)
    assert float(one) == pytest.approx((2 * NLL[0] + 2 * NLL[1]) / 4, abs=1e-6)


@ways
def test_adding_a_constant_changes_nothing(way: Callable[..., Any]):
    """Only differences of logits matter, huge ones included."""
    counts = jnp.array([True, True, True])
    nats, _ = way(cross_entropy)(LOGITS + 1000.0, TARGET, counts)
    assert float(nats) == pytest.approx(sum(NLL) / 3, abs=1e-4)


@ways
def test_hold_is_impossible_when_nothing_runs(way: Callable[..., Any]):
    """The mask takes `hold` away where nothing is running and touches nothing else."""
    logits = jnp.arange(8.0).reshape(2, 4)
    masked = np.asarray(way(allow)(logits, jnp.array([True, False])))
    expected = np.arange(8.0).reshape(2, 4)
    expected[1, HOLD_ACTION] = -np.inf
    np.testing.assert_array_equal(masked, expected)
    np.testing.assert_array_equal(np.asarray(jax.vmap(allow)(logits, jnp.array([True, False]))), expected)


@ways
def test_masked_probabilities_are_shared_among_the_rest(way: Callable[..., Any]):
    """With `hold` impossible 1/2 1/4 1/4 becomes 2/3 0 1/3."""
    nats, hits = way(lambda l, r, t, c: cross_entropy(allow(l, r), t, c))(LOGITS[:1], jnp.array([False]), jnp.array([2]), jnp.array([True]))
    assert float(nats) == pytest.approx(log(3), abs=1e-6)
    assert float(hits) == 0.0


def test_gradient_by_hand_and_finite_behind_the_mask():
    """The gradient is probability minus one at the target, over what counts; 0 at a masked action and where nothing counts."""

    def loss(logits: jax.Array) -> jax.Array:
        running = jnp.array([True, False, False])
        return cross_entropy(allow(logits, running), jnp.array([0, 2, 1]), jnp.array([True, True, False]))[0]

    gradient = np.asarray(jax.jit(jax.grad(loss))(LOGITS))
    np.testing.assert_allclose(gradient, [[-1 / 4, 1 / 8, 1 / 8], [1 / 4, 0, -1 / 4], [0, 0, 0]], atol=1e-6)


@ways
def test_advantages_by_hand(way: Callable[..., Any]):
    """Without a trace one step ahead; with a whole trace and no discount all that is still to come, less what was expected."""
    reward, value = jnp.array([[1.0, 0.0, 2.0]]), jnp.array([[0.5, 1.0, 1.5]])
    found, returns = way(lambda r, v: advantages(r, v, discount=0.5, trace=0.0))(reward, value)
    np.testing.assert_allclose(found[0], [1.0 + 0.5 - 0.5, 0.75 - 1.0, 2.0 - 1.5], atol=1e-6)
    found, returns = way(lambda r, v: advantages(r, v, discount=1.0, trace=1.0))(reward, value)
    np.testing.assert_allclose(returns[0], [3.0, 2.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(found, returns - value, atol=1e-6)


@ways
def test_divergence_and_entropy_by_hand(way: Callable[..., Any]):
    """Impossible actions count nothing, and nothing becomes NaN, gradients included."""
    p = jnp.log(jnp.array([0.5, 0.5, 0.0]))
    q = jnp.log(jnp.array([0.25, 0.75, 0.0]))
    assert float(way(divergence)(p, q)) == pytest.approx(0.5 * log(2) + 0.5 * log(2 / 3), abs=1e-6)
    assert float(way(divergence)(p, p)) == pytest.approx(0.0, abs=1e-6)
    assert float(way(entropy)(p)) == pytest.approx(log(2), abs=1e-6)
    masked = allow(jnp.array([0.3, 0.1, 0.2]), jnp.array(False))
    gradient = way(jax.grad(lambda x: divergence(jax.nn.log_softmax(allow(x, jnp.array(False))), q[jnp.array([0, 2, 1])])))(masked)
    assert np.isfinite(np.asarray(gradient)).all()


def test_a_mean_over_nothing_is_nothing():
    assert float(mean_over(jnp.ones(3), jnp.zeros(3, bool))) == 0.0
