"""What an episode earned: reward models on the whole window or on fragments of it, and rules, as one reward per frame. Pure.

Axis letters: B rows · T frames. Multi-scale reward (ReaLchords, section 4.2, RL-M): a model of fragments of F frames hears windows of F
frames that overlap by half; each window's reward stands at its last frame, divided by the number of windows, so every scale counts alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from training.fragments import Episodes
from training.reward_models import Contrastive, Discriminative
from training.reward_rules import Rules, rules

_SMALLEST = 1e-12


class Ear(NamedTuple):
    """Reward models of one kind on one length, one graph and several sets of weights (seeds)."""

    name: str
    frames: int
    weight: float
    graph: Any
    weights: Sequence[Any]


class Earned(NamedTuple):
    """Reward per frame, and its parts: of every ear the mean over windows [B], of every rule the sum over frames [B]."""

    reward: Float[Array, "B T"]
    ears: dict[str, Float[Array, "B"]]
    rules: dict[str, Float[Array, "B"]]


def ear(name: str, models: Sequence[Contrastive | Discriminative], frames: int, weight: float) -> Ear:
    """Models of several seeds as one ear."""
    parts = [nnx.split(model) for model in models]
    return Ear(name, frames, weight, parts[0][0], [part[1] for part in parts])


def earned(
    chords: Int[Array, "B T"],
    episodes: Episodes,
    free: Bool[Array, "B T"],
    ears: Sequence[Ear],
    rule_weights: Mapping[str, float],
) -> Earned:
    """All rewards of played chords; rules that are not named in `rule_weights` count nothing but are reported."""
    total = jnp.zeros(chords.shape, jnp.float32)
    heard = {}
    for listener in ears:
        windows = heard_windows(listener, chords, episodes.melody)
        total = total + listener.weight * placed(windows, listener.frames, chords.shape[1])
        heard[listener.name] = windows.mean(axis=1)
    broken: Rules = rules(chords, episodes.melody, episodes.place, episodes.bar, free)
    for name, reward in broken._asdict().items():
        total = total + rule_weights.get(name, 0.0) * reward
    return Earned(total, heard, {name: reward.sum(axis=1) for name, reward in broken._asdict().items()})


def heard_windows(listener: Ear, chords: Int[Array, "B T"], melody: Int[Array, "B T"]) -> Float[Array, "B N"]:
    """The reward of each window that overlaps the one before by half, the mean over the ear's seeds."""
    rows, frames = chords.shape
    starts = window_starts(frames, listener.frames)
    cut = [
        jnp.stack([values[:, s : s + listener.frames] for s in starts], axis=1).reshape(-1, listener.frames) for values in (melody, chords)
    ]
    rewards = [nnx.merge(listener.graph, weights).reward(*cut) for weights in listener.weights]
    return jnp.stack(rewards).mean(axis=0).reshape(rows, len(starts))


def window_starts(frames: int, length: int) -> range:
    """Where windows of this length begin: every half window."""
    return range(0, frames - length + 1, max(1, length // 2))


def placed(windows: Float[Array, "B N"], length: int, frames: int) -> Float[Array, "B T"]:
    """Each window's reward over the number of windows, at the window's last frame."""
    ends = jnp.array([start + length - 1 for start in window_starts(frames, length)])
    return jnp.zeros((windows.shape[0], frames), jnp.float32).at[:, ends].set(windows / windows.shape[1])


def fooled(probability: Float[Array, "B N"]) -> Float[Array, "B N"]:
    """GAPT's reward for passing as a person: -log(1 - D) (arXiv 2511.17879, section 3.2)."""
    return -jnp.log(1.0 - probability + _SMALLEST)
