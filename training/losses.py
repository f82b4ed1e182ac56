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
