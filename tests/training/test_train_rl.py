"""Reinforcement learning on a made-up corpus: it runs, resumes to the same weights, its curves are complete; an easy reward is learnt."""

from pathlib import Path

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from schema.tokens import NOTHING, NUM_CHORDS
from tests.tiny import OFFLINE_SIZES, SIZES, model_of, tiny_weights, write_tiny_checkpoint
from tests.tiny_corpus import write_tiny_corpus
from tests.training.test_train_reward import CONFIG as REWARDS
from training import train_reward
from training.corpora import CorpusProblem
from training.fragments import FREE, Beginnings, Episodes, Lesson
from training.publish import recipe_of
from training.reward_models import Discriminative, RewardSizes, build_reward
from training.reward_store import load_rewards
from training.rl import Learning, Step, teacher_weight
from training.train_mle import BadConfig
from training.train_rl import Curve, EarConfig, RlConfig, due, ears_of, read_config, run

LEARNING = Learning(
    learning_rate=1e-3,
    critic_learning_rate=1e-3,
    warmup_steps=1,
    decay_steps=1000,
    clip_norm=1.0,
    discount=0.98,
    trace=0.95,
    teacher_weight=0.1,
    teacher_weight_last=0.1,
    teacher_steps=1,
    entropy_weight=0.01,
    melody_weight=0.1,
)


def config_of(folder: Path) -> RlConfig:
    return RlConfig(
        variant="rl-x",
        name="toy",
        seed=1,
        steps=4,
        rows=2,
        initial=str(folder / "online"),
        teacher=str(folder / "offline"),
        log_every=2,
        keep_every=2,
        learning=LEARNING,
        ears=EarConfig((32,), (1.0,), contrastive=1.0, discriminative=0.0, seeds=1),
        rules={"off_bar": 1.0},
        beginnings=Beginnings(jumps=0.5),
        corpora=("pop909",),
        pop909_chords="chord_midi",
        apart=(),
        mix={"pop909": 1.0},
        frames=64,
        lesson_rows=2,
    )


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, capsys):
    write_tiny_corpus(tmp_path / "data")
    write_tiny_checkpoint(tmp_path / "online")
    write_tiny_checkpoint(tmp_path / "offline", variant="offline")
    train_reward.run(msgspec.structs.replace(REWARDS, members=REWARDS.members[:1]), tmp_path / "data", tmp_path / "rewards")
    config = config_of(tmp_path)
    paths = (tmp_path / "data", tmp_path / "rewards")
    run(config, *paths, tmp_path / "whole")
    run(msgspec.structs.replace(config, steps=2), *paths, tmp_path / "parts")
    run(config, *paths, tmp_path / "parts")
    lines = [(tmp_path / name / "curves.jsonl").read_bytes().splitlines() for name in ("whole", "parts")]
    whole, parts = ([msgspec.json.decode(line, type=Curve) for line in some] for some in lines)
    assert [curve.step for curve in whole] == [curve.step for curve in parts] == [2, 4]
    assert whole[-1].told == pytest.approx(parts[-1].told, rel=1e-3, abs=1e-3)
    assert {"reward", "divergence", "entropy", "ear contrastive-values-32", "rule silence"} < set(whole[0].told)
    assert {"note_in_chord", "length_entropy", "silent_share"} < set(whole[0].music)


def easy_episodes() -> Episodes:
    rows, frames = 8, 32
    at = jnp.broadcast_to(jnp.arange(frames), (rows, frames))
    ones, zeros = jnp.ones((rows, frames), jnp.int32), jnp.zeros(rows, jnp.int32)
    return Episodes(61 * ones, ones, at % 16, at // 16, FREE * ones, zeros, zeros, zeros + 4, zeros + 16)


@pytest.mark.parametrize("adversary", [False, True])
def test_what_is_rewarded_becomes_likelier(adversary):
    """Silence costs and nothing else counts: after some steps the agent plays under the melody."""
    learning = msgspec.structs.replace(LEARNING, learning_rate=3e-3, teacher_weight=0.0, adversary_weight=0.01 * adversary)
    agent, teacher = model_of(tiny_weights()), model_of(tiny_weights(sizes=OFFLINE_SIZES), OFFLINE_SIZES)
    agent.chord_head.kernel[...] = agent.chord_head.kernel[...] * 0.1
    agent.chord_head.kernel[...] = agent.chord_head.kernel[...].at[:, NOTHING].multiply(4.0)
    step = Step(learning, agent, teacher, [], {"silence": 1.0}, seed=0)
    if adversary:
        sizes = RewardSizes(layers=1, width=16, heads=2, head_width=8, feed_width=16, frame_width=8)
        model = build_reward("adversary", "values", sizes, 0)
        assert isinstance(model, Discriminative)
        step.with_adversary(model)
    episodes, apprentice, silent = easy_episodes(), step.fresh, []
    for number in range(40):
        chords = step.play(apprentice.agent, episodes, jax.random.key(number))
        if adversary and number % 5 == 0:
            apprentice = step.tell_apart(apprentice, chords, episodes.human, jax.random.key(number))
        apprentice, told = step.learn(apprentice, step.fixed, episodes, chords, learning.teacher_weight)
        silent.append(float((chords == NOTHING).mean()))
        assert np.isfinite([float(x) for x in jax.tree.leaves(told)]).all()
    assert np.mean(silent[-5:]) < 0.5 * np.mean(silent[:5])


def test_the_teacher_alone_draws_the_agent_to_itself():
    """On the agent's own chords the divergence falls when nothing else counts."""
    learning = msgspec.structs.replace(LEARNING, teacher_weight=10.0, entropy_weight=0.0)
    sizes = msgspec.structs.replace(SIZES)
    step = Step(learning, model_of(tiny_weights(1), sizes), model_of(tiny_weights(sizes=OFFLINE_SIZES), OFFLINE_SIZES), [], {}, seed=0)
    episodes, apprentice, apart = easy_episodes(), step.fresh, []
    for number in range(25):
        chords = step.play(apprentice.agent, episodes, jax.random.key(number))
        apprentice, told = step.learn(apprentice, step.fixed, episodes, chords, learning.teacher_weight)
        apart.append(float(told.divergence))
    assert np.mean(apart[-5:]) < 0.8 * np.mean(apart[:5])


def test_a_lesson_is_learnt():
    """What is to be answered becomes likelier where it is asked for; without a weight it is told, and nothing comes of it."""
    episodes = easy_episodes()
    chords = jnp.where(jnp.arange(32) < 8, 1, 1 + NUM_CHORDS) * jnp.ones((8, 1), jnp.int32)
    chords = chords.at[:, 20].set(40).at[:, 21:].set(40 + NUM_CHORDS)
    lesson = Lesson(episodes, chords, jnp.zeros((8, 32), bool).at[:, 20].set(True))
    for weight, learnt in ((0.0, False), (1.0, True)):
        learning = msgspec.structs.replace(LEARNING, lesson_weight=weight, teacher_weight=0.0, learning_rate=3e-3)
        step = Step(learning, model_of(tiny_weights(1)), model_of(tiny_weights(sizes=OFFLINE_SIZES), OFFLINE_SIZES), [], {}, seed=0)
        apprentice, told = step.fresh, []
        for number in range(20):
            played = step.play(apprentice.agent, episodes, jax.random.key(number))
            apprentice, said = step.learn(apprentice, step.fixed, episodes, played, 0.0, lesson)
            told.append(float(said.lesson))
        assert (told[-1] < 0.5 * told[0]) is learnt


@pytest.mark.parametrize("average", [0.0, 0.75])
def test_published_weights_are_the_mean_of_the_last_steps(average):
    """A share of the mean so far stays in every step; without one it is the newest weights."""
    learning = msgspec.structs.replace(LEARNING, average=average)
    step = Step(learning, model_of(tiny_weights()), model_of(tiny_weights(sizes=OFFLINE_SIZES), OFFLINE_SIZES), [], {}, seed=0)
    episodes, apprentice = easy_episodes(), step.fresh
    expected = [np.asarray(leaf) for leaf in jax.tree.leaves(apprentice.agent)]
    for number in range(3):
        chords = step.play(apprentice.agent, episodes, jax.random.key(number))
        apprentice, _ = step.learn(apprentice, step.fixed, episodes, chords, 0.1)
        newest = jax.tree.leaves(apprentice.agent)
        expected = [average * mean + (1 - average) * np.asarray(new) for mean, new in zip(expected, newest, strict=True)]
    for mean, found in zip(expected, jax.tree.leaves(apprentice.averaged), strict=True):
        np.testing.assert_allclose(found, mean, atol=1e-6)


def test_the_teachers_weight_goes_straight_from_first_to_last():
    learning = msgspec.structs.replace(LEARNING, teacher_weight=3.0, teacher_weight_last=1.0, teacher_steps=100)
    assert [teacher_weight(learning, step) for step in (0, 50, 100, 400)] == [3.0, 2.0, 1.0, 1.0]


def test_the_adversary_learns_at_gapts_times():
    assert [step for step in range(1, 16) if due(step, [])] == [5, 10, 15]
    assert due(201, [1.2, 1.1, 1.0])
    assert not due(205, [0.9, 1.0, 1.0])
    assert not due(205, [3.0])


def test_a_missing_reward_model_is_named(tmp_path):
    with pytest.raises(CorpusProblem, match="a contrastive reward model on values of 32 frames"):
        ears_of(EarConfig((32,), (1.0,), contrastive=1.0, discriminative=0.0), [])
    with pytest.raises(CorpusProblem, match="train them first"):
        load_rewards(tmp_path)


@pytest.mark.parametrize("name", ["rl_s.toml", "rl_m.toml", "gapt.toml"])
def test_the_shipped_configs_read_and_can_be_published(name):
    path = Path("training/configs") / name
    config = read_config(path)
    assert config.teacher.endswith("offline-small")
    recipe = recipe_of(path)
    assert (recipe.taught, recipe.variant) == ("reinforcement", name.removesuffix(".toml").replace("_", "-"))


def test_a_config_with_a_setting_too_many_is_refused(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(Path("training/configs/rl_s.toml").read_text() + "\n[surprise]\na = 1\n")
    with pytest.raises(BadConfig, match="surprise"):
        read_config(path)
