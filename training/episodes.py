"""Episodes of reinforcement learning: an agent plays chords to fixed melodies, one choice a frame, on the device in one go. Pure.

Axis letters as in `inference/model.py`: B rows · T frames. `play` scans over frames with a KV cache; `judge` then feeds whole windows at
once for what learning needs. Position t predicts frame t and holds frame t - 1 (position 0: the controls), so the chord of a frame sees
the melody up to the frame before: the online rule. A teacher hears the whole melody, and judges the agent's own chords.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from inference.model import Decoder, Fresh, Inputs, nothing_fed
from inference.sampling import value_of
from schema.tokens import HOLD_ACTION, NOTHING, NUM_CHORDS
from training.fragments import FREE, Episodes
from training.losses import allow


class Judged(NamedTuple):
    """What a network makes of played chords, per frame."""

    log_p: Float[Array, "B T V"]  # of every chord action, -inf where the grammar forbids it
    hidden: Float[Array, "B T E"]


def play(model: Decoder, episodes: Episodes, key: Array, temperature: float = 1.0) -> Int[Array, "B T"]:
    """Chord values the agent chooses, or that are forced on it."""
    rows, frames = episodes.melody.shape
    graph, state = nnx.split(model)

    def step(carry: tuple[Fresh, Array, Array, Array], t: Array) -> tuple[tuple[Fresh, Array, Array, Array], Array]:
        fed, chord, melody, place = carry
        agent = nnx.merge(graph, state)
        position = jnp.broadcast_to(t, (rows, 1))
        inputs = Inputs(chord[:, None], melody[:, None], place[:, None], position, *_controls(episodes))
        hidden, fed = agent.hidden_cached(inputs, None, None, fed, t)
        logits = allow(agent.chord_logits(hidden[:, 0]), chord != NOTHING)
        action = jax.random.categorical(jax.random.fold_in(key, t), logits / temperature)
        chosen = value_of(action, chord, NUM_CHORDS)
        forced = episodes.forced[:, t]
        chord = jnp.where(forced == FREE, chosen, forced).astype(jnp.int32)
        return (fed, chord, episodes.melody[:, t], episodes.place[:, t]), chord

    nothing = jnp.zeros(rows, jnp.int32)
    start = (nothing_fed(model.sizes, rows, frames), nothing, nothing, nothing)
    return jnp.swapaxes(jax.lax.scan(step, start, jnp.arange(frames))[1], 0, 1)


def judge(model: Decoder, episodes: Episodes, chords: Int[Array, "B T"]) -> Judged:
    """Log probabilities of all actions of all frames, given the chords before each; an offline model hears the melody first."""
    rows, frames = chords.shape
    position = jnp.broadcast_to(jnp.arange(frames), (rows, frames))
    inputs = Inputs(before(chords), before(episodes.melody), before(episodes.place), position, *_controls(episodes))
    if hasattr(model, "listener"):
        known = jnp.ones((rows, frames), bool)
        inputs = inputs._replace(heard=model.listen(episodes.melody, episodes.place, known))
    hidden = model.hidden_full(inputs)
    logits = allow(model.chord_logits(hidden), before(chords) != NOTHING)
    return Judged(jax.nn.log_softmax(logits, axis=-1), hidden)


def before(values: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """What position t holds: the frame before, nothing at the prefix."""
    return jnp.pad(jnp.asarray(values), ((0, 0), (1, 0)))[:, :-1]


def actions_of(chords: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """`schema.tokens.action_of`, for device arrays."""
    return jnp.where(chords == NOTHING, NOTHING, jnp.where(chords <= NUM_CHORDS, chords + 1, HOLD_ACTION))


def _controls(episodes: Episodes) -> tuple[Any, Any, Any]:
    return episodes.density, episodes.style, episodes.beats_per_bar
