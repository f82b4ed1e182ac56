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
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ONE_BITS = 0x3F800000  # of the float32 1.0


def noise(seed: UInt32[Array, "*any"], frame: Int[Array, "*any"], part: int, count: int) -> Float[Array, "*any V"]:
    """Standard Gumbel noise for the actions of one frame of every row.

    It is that of `jax.random.gumbel` under the key of the seed with frame and part folded in, to the bit, but one fused loop: JAX's own
    Threefry is a loop of small kernels, and took a third of a step's time.
    """
    key = _threefry((jnp.zeros_like(seed), seed), (jnp.zeros_like(seed), frame.astype(jnp.uint32)))
    key = _threefry(key, (jnp.zeros_like(seed), jnp.full_like(seed, part)))
    index = jnp.broadcast_to(jnp.arange(count, dtype=jnp.uint32), (*seed.shape, count))
    one, other = _threefry((key[0][..., None], key[1][..., None]), (jnp.zeros_like(index), index))
    fraction = ((one ^ other) >> 9) | jnp.uint32(_ONE_BITS)
    uniform = jnp.maximum(jax.lax.bitcast_convert_type(fraction, jnp.float32) - 1.0, jnp.finfo(jnp.float32).tiny)
    return -jnp.log(-jnp.log(uniform))


def _threefry(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """Threefry-2x32 with twenty rounds (Salmon et al., SC 2011, section 3.3)."""
    schedule = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    left, right = counter[0] + schedule[0], counter[1] + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            left = left + right
            right = ((right << rotation) | (right >> (32 - rotation))) ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return left, right


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
