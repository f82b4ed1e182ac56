"""Losses of maximum-likelihood training. Pure."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from schema.tokens import HOLD_ACTION


class Losses(NamedTuple):
    """Means over the targets that count, in nats per frame, and how often the likeliest action was the true one."""

    chord: Float[Array, ""]
    melody: Float[Array, ""]
    chord_accuracy: Float[Array, ""]
    melody_accuracy: Float[Array, ""]


def allow(logits: Float[Array, "*any V"], running: Bool[Array, "*any"]) -> Float[Array, "*any V"]:
    """The grammar as a mask: `hold` is possible only where something is running."""
    impossible = (jnp.arange(logits.shape[-1]) == HOLD_ACTION) & ~running[..., None]
    return jnp.where(impossible, -jnp.inf, logits)


def cross_entropy(
    logits: Float[Array, "*any V"], target: Int[Array, "*any"], counts: Bool[Array, "*any"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean negative log likelihood (nats) and accuracy over the targets that count."""
    log_p = jax.nn.log_softmax(logits, axis=-1)
    nll = -jnp.take_along_axis(log_p, target[..., None], axis=-1)[..., 0]
    total = jnp.maximum(counts.sum(), 1).astype(log_p.dtype)
    hits = (logits.argmax(-1) == target) & counts
    return jnp.where(counts, nll, 0.0).sum() / total, hits.sum().astype(log_p.dtype) / total


def advantages(
    reward: Float[Array, "B T"], value: Float[Array, "B T"], *, discount: float, trace: float
) -> tuple[Float[Array, "B T"], Float[Array, "B T"]]:
    """Generalised advantage estimates (arXiv 1506.02438, equation 16) of whole episodes, and the returns a critic should have told.

    `value` is what was expected of a frame before its action, its reward included; after the last frame nothing comes.
    """

    def step(later: tuple[Array, Array], frame: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        advantage, next_value = later
        reward, value = frame
        advantage = reward + discount * next_value - value + discount * trace * advantage
        return (advantage, value), advantage

    nothing = jnp.zeros(len(reward))
    found = jnp.swapaxes(jax.lax.scan(step, (nothing, nothing), (reward.T, value.T), reverse=True)[1], 0, 1)
    return found, found + value


def divergence(log_p: Float[Array, "*any V"], log_q: Float[Array, "*any V"]) -> Float[Array, "*any"]:
    """KL(p || q) in nats; actions that are impossible (-inf in both) count nothing."""
    possible = jnp.isfinite(log_p)
    safe_p, safe_q = jnp.where(possible, log_p, 0.0), jnp.where(possible, log_q, 0.0)
    return jnp.where(possible, jnp.exp(safe_p) * (safe_p - safe_q), 0.0).sum(axis=-1)


def entropy(log_p: Float[Array, "*any V"]) -> Float[Array, "*any"]:
    """In nats; impossible actions count nothing."""
    safe = jnp.where(jnp.isfinite(log_p), log_p, 0.0)
    return -jnp.where(jnp.isfinite(log_p), jnp.exp(safe) * safe, 0.0).sum(axis=-1)


def mean_over(values: Float[Array, "*any"], counts: Bool[Array, "*any"]) -> Float[Array, ""]:
    """Mean of what counts."""
    return jnp.where(counts, values, 0.0).sum() / jnp.maximum(counts.sum(), 1).astype(values.dtype)
