"""One step of reinforcement learning: episodes on fixed melodies, what they earned, and the agent made likelier to earn more. Pure.

Policy gradient with a learned baseline (ReaLchords, arXiv 2506.14723, section 4): generalised advantages over one action a frame,
normalised over the batch; the teacher's whole distribution on the agent's own chords (section 4.4); an entropy bonus; and the melody
head's own likelihood, so that the agent goes on anticipating the player. The critic may know what the agent may not: it reads the
teacher's hidden states, which have heard the whole melody.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from inference.model import Decoder
from schema.tokens import HOLD_ACTION, NOTHING, NUM_PITCHES
from training.episodes import actions_of, before, judge, play
from training.fragments import FREE, Episodes, Lesson
from training.losses import advantages, allow, cross_entropy, divergence, entropy, mean_over
from training.reward_models import Discriminative
from training.rewards import Ear, earned, fooled, placed

_CRITIC_WIDTH = 128


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the agent learns; part of a config."""

    learning_rate: float
    critic_learning_rate: float
    warmup_steps: int
    decay_steps: int  # after the warm-up the rate falls linearly to a tenth
    clip_norm: float
    discount: float
    trace: float
    teacher_weight: float  # at first
    teacher_weight_last: float  # after `teacher_steps`, linearly reached
    teacher_steps: int
    entropy_weight: float
    melody_weight: float
    lesson_weight: float = 0.0  # of what people would play to a melody that has moved while the chords are behind, nats an answer
    average: float = 0.0  # of the published weights: how much of their mean so far stays in a step; 0: they are the last step's
    adversary_weight: float = 0.0
    adversary_learning_rate: float = 3e-4


def teacher_weight(learning: Learning, step: int) -> float:
    """Of the teacher's term in a step."""
    passed = min(1.0, step / max(1, learning.teacher_steps))
    return learning.teacher_weight + passed * (learning.teacher_weight_last - learning.teacher_weight)


class Critic(nnx.Module):
    """Expected return from a frame on, from what teacher and agent make of everything before it."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(width, _CRITIC_WIDTH, rngs=rngs)
        self.out = nnx.Linear(_CRITIC_WIDTH, 1, rngs=rngs)

    def __call__(self, hidden: Float[Array, "B T E"]) -> Float[Array, "B T"]:
        """One value per frame."""
        return jnp.asarray(self.out(jax.nn.silu(self.first(hidden)))[..., 0])


class Apprentice(NamedTuple):
    """Everything that learns, and the optimisers' moments."""

    agent: Any
    averaged: Any  # the agent's weights, averaged over the last steps: what is published
    critic: Any
    adversary: Any  # None without one
    moments: Any


class Fixed(NamedTuple):
    """What does not learn: passed to compiled functions, not baked into them."""

    teacher: Any
    ears: Sequence[Any]  # weights of each ear


class Told(NamedTuple):
    """What a step reports: means over rows or free frames."""

    reward: Array
    ears: dict[str, Array]
    rules: dict[str, Array]
    adversary: Array
    divergence: Array
    entropy: Array
    value_loss: Array
    explained: Array  # share of the returns' variance that the critic told
    melody_loss: Array
    lesson: Array  # nats an answer; 0 without one


class Step:
    """The compiled parts of a step: `play`, `learn`, `tell_apart`."""

    def __init__(
        self, learning: Learning, agent: Decoder, teacher: Decoder, ears: Sequence[Ear], rule_weights: Mapping[str, float], seed: int
    ) -> None:
        self.learning = learning
        self._ears, self._rule_weights = ears, dict(rule_weights)
        self._agent, agent_weights = nnx.split(agent)
        self._teacher, teacher_weights = nnx.split(teacher)
        widths = agent.place.features + teacher.place.features
        self._critic, critic_weights = nnx.split(Critic(widths, nnx.Rngs(seed)))
        rise = optax.linear_schedule(0.0, learning.learning_rate, learning.warmup_steps)
        fall = optax.linear_schedule(learning.learning_rate, learning.learning_rate / 10, learning.decay_steps)
        rate = optax.join_schedules([rise, fall], [learning.warmup_steps])
        self._optimiser = optax.chain(optax.clip_by_global_norm(learning.clip_norm), optax.adam(rate, b1=0.9, b2=0.95))
        self._critic_optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(learning.critic_learning_rate))
        self._adversary_optimiser = optax.adam(learning.adversary_learning_rate)
        moments = (self._optimiser.init(agent_weights), self._critic_optimiser.init(critic_weights))
        self.fresh = Apprentice(agent_weights, agent_weights, critic_weights, None, moments)
        self.fixed = Fixed(teacher_weights, [ear.weights for ear in ears])
        self.play = jax.jit(lambda weights, episodes, key: play(nnx.merge(self._agent, weights), episodes, key))
        self.learn = jax.jit(self._learn)
        self._adversary: Any = None

    def with_adversary(self, adversary: Discriminative) -> None:
        """GAPT: chords must also pass as a person's (arXiv 2511.17879)."""
        self._adversary, weights = nnx.split(adversary)
        moments = (*self.fresh.moments, self._adversary_optimiser.init(weights))
        self.fresh = self.fresh._replace(adversary=weights, moments=moments)
        self.tell_apart = jax.jit(self._tell_apart)

    def _learn(
        self,
        apprentice: Apprentice,
        fixed: Fixed,
        episodes: Episodes,
        chords: Int[Array, "B T"],
        teacher: Float[Array, ""],
        lesson: Lesson | None = None,
    ) -> tuple[Apprentice, Told]:
        free = episodes.forced == FREE
        ears = [ear._replace(weights=weights) for ear, weights in zip(self._ears, fixed.ears, strict=True)]
        got = earned(chords, episodes, free, ears, self._rule_weights)
        reward, passed = got.reward, jnp.zeros(())
        if self._adversary is not None:
            alone = nnx.merge(self._adversary, apprentice.adversary).reward(episodes.melody, chords)
            fooling = fooled(alone[:, None])
            reward, passed = reward + self.learning.adversary_weight * placed(fooling, chords.shape[1], chords.shape[1]), fooling.mean()
        taught = jax.lax.stop_gradient(judge(nnx.merge(self._teacher, fixed.teacher), episodes, chords))

        def objective(weights: tuple[Any, Any]) -> tuple[Float[Array, ""], tuple[Array, ...]]:
            agent, critic = nnx.merge(self._agent, weights[0]), nnx.merge(self._critic, weights[1])
            mine = judge(agent, episodes, chords)
            value = critic(jnp.concatenate([taught.hidden, jax.lax.stop_gradient(mine.hidden)], axis=-1))
            discount, trace = self.learning.discount, self.learning.trace
            advantage, target = advantages(reward, jax.lax.stop_gradient(value), discount=discount, trace=trace)
            chosen = jnp.take_along_axis(mine.log_p, actions_of(chords)[..., None], axis=-1)[..., 0]
            gain = mean_over(jnp.where(free, chosen, 0.0) * _normal(advantage, free), free)
            apart = mean_over(divergence(mine.log_p, taught.log_p), free)
            spread = mean_over(entropy(mine.log_p), free)
            value_loss = jnp.square(value - jax.lax.stop_gradient(target)).mean()
            heard = _melody_loss(agent, mine.hidden, episodes, chords)
            answered = jnp.zeros(()) if lesson is None else _lesson_loss(agent, lesson)
            told = self.learning
            policy = -gain + teacher * apart - told.entropy_weight * spread + told.melody_weight * heard
            policy += told.lesson_weight * answered
            explained = 1.0 - jnp.var(target - value) / (jnp.var(target) + 1e-6)
            return policy + value_loss, (apart, spread, value_loss, explained, heard, answered)

        gradients, found = jax.grad(objective, has_aux=True)((apprentice.agent, apprentice.critic))
        agent_updates, agent_moments = self._optimiser.update(gradients[0], apprentice.moments[0], apprentice.agent)
        critic_updates, critic_moments = self._critic_optimiser.update(gradients[1], apprentice.moments[1], apprentice.critic)
        agent = optax.apply_updates(apprentice.agent, agent_updates)
        learnt = apprentice._replace(
            agent=agent,
            averaged=optax.incremental_update(agent, apprentice.averaged, 1.0 - self.learning.average),
            critic=optax.apply_updates(apprentice.critic, critic_updates),
            moments=(agent_moments, critic_moments, *apprentice.moments[2:]),
        )
        ears_told, rules_told = ({name: v.mean() for name, v in parts.items()} for parts in (got.ears, got.rules))
        return learnt, Told(reward.sum(axis=1).mean(), ears_told, rules_told, passed, *found)

    def _tell_apart(self, apprentice: Apprentice, chords: Int[Array, "B T"], human: Int[Array, "B T"], key: Array) -> Apprentice:
        """The adversary learns to tell the agent's chords from people's, its labels smoothed by .1 (GAPT, appendix)."""
        both = jnp.concatenate([human, chords])
        real = jnp.arange(len(both)) < len(human)

        def objective(weights: Any) -> Float[Array, ""]:
            model = nnx.merge(self._adversary, weights)
            assert isinstance(model, Discriminative)
            return model.loss(jnp.zeros_like(both), both, real, key, smoothing=0.1)

        gradients = jax.grad(objective)(apprentice.adversary)
        updates, moments = self._adversary_optimiser.update(gradients, apprentice.moments[2], apprentice.adversary)
        adversary = optax.apply_updates(apprentice.adversary, updates)
        return apprentice._replace(adversary=adversary, moments=(*apprentice.moments[:2], moments))


def _normal(advantage: Float[Array, "B T"], free: Bool[Array, "B T"]) -> Float[Array, "B T"]:
    """Mean 0 and deviation 1 over the free frames, so that the step does not depend on the rewards' unit."""
    mean = mean_over(advantage, free)
    deviation = jnp.sqrt(mean_over(jnp.square(advantage - mean), free))
    return (advantage - mean) / (deviation + 1e-6)


def _lesson_loss(agent: Decoder, lesson: Lesson) -> Float[Array, ""]:
    """Of the chords with which people's chords answer a move."""
    log_p = judge(agent, lesson.episodes, lesson.chords).log_p
    chosen = jnp.take_along_axis(log_p, actions_of(lesson.chords)[..., None], axis=-1)[..., 0]
    return -mean_over(jnp.where(lesson.answers, chosen, 0.0), lesson.answers)


def _melody_loss(agent: Decoder, hidden: Float[Array, "B T E"], episodes: Episodes, chords: Int[Array, "B T"]) -> Float[Array, ""]:
    """Of the player's melody, given the chord that was played."""
    logits = allow(agent.melody_logits(hidden, chords), before(episodes.melody) != NOTHING)
    melody = jnp.asarray(episodes.melody)
    action = jnp.where(melody == NOTHING, NOTHING, jnp.where(melody <= NUM_PITCHES, melody + 1, HOLD_ACTION))
    grown = (before(melody) == NOTHING) & (melody > NUM_PITCHES)  # a window may begin inside a note
    return cross_entropy(logits, action, ~grown)[0]
