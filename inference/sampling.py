"""Choosing actions: noise keyed by (seed, frame, part), the grammar, temperature. Pure.

Gumbel-max sampling: argmax(logits / T + noise) is a sample of softmax(logits / T), and because the noise depends only on
the session's seed, the absolute frame and the part, the same inputs give the same plan on any worker, in any batch (DESIGN 4).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from schema.tokens import HOLD_ACTION, NOTHING

CHORD_PART, MELODY_PART = 0, 1
# The anticipated melody is sampled cooler than the chords: it is right more often and the chords lose nothing (DESIGN 4).
MELODY_TEMPERATURE = 0.5


def noise(seed: UInt32[Array, "B"], frame: Int[Array, "B"], part: int, count: int) -> Float[Array, "B V"]:
    """Standard Gumbel noise for the actions of one frame of every row."""

    def row(seed: UInt32[Array, ""], frame: Int[Array, ""]) -> Float[Array, "V"]:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), frame), part)
        return jax.random.gumbel(key, (count,))

    return jax.vmap(row)(seed, frame)


def choose(
    logits: Float[Array, "B V"], temperature: Float[Array, "B"], noise: Float[Array, "B V"], running: Bool[Array, "B"]
) -> Int[Array, "B"]:
    """The action of each row; temperature 0 takes the likeliest. `hold` is only possible where something is running."""
    return candidate_values(logits, temperature, noise, running).argmax(-1).astype(jnp.int32)


def candidate_values(
    logits: Float[Array, "B V"], temperature: Float[Array, "B"], noise: Float[Array, "B V"], running: Bool[Array, "B"]
) -> Float[Array, "B V"]:
    """What `choose` maximises."""
    warm = temperature[:, None] > 0
    values = jnp.where(warm, logits / jnp.where(warm, temperature[:, None], 1.0) + noise, logits)
    impossible = (jnp.arange(logits.shape[-1]) == HOLD_ACTION)[None] & ~running[:, None]
    return jnp.where(impossible, -jnp.inf, values)


def likeliest(logits: Float[Array, "B V"], running: Bool[Array, "B"], count: int) -> Int[Array, "B G"]:
    """The `count` likeliest possible actions of each row, likeliest first."""
    impossible = (jnp.arange(logits.shape[-1]) == HOLD_ACTION)[None] & ~running[:, None]
    return jax.lax.top_k(jnp.where(impossible, -jnp.inf, logits), count)[1].astype(jnp.int32)


def value_of(action: Int[Array, "B *any"], previous: Int[Array, "B *any"], count: int) -> Int[Array, "B *any"]:
    """`schema.tokens.value_of`, for arrays."""
    held = jnp.where((previous >= 1) & (previous <= count), previous + count, previous)
    return jnp.where(action == NOTHING, NOTHING, jnp.where(action == HOLD_ACTION, held, action - 1))
