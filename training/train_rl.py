"""Reinforcement learning of RL-S, RL-M and GAPT, from Online and reward models to resumable states and curves. Shell.

Run: python -m training.train_rl training/configs/rl_m.toml --data CORPORA --rewards runs/rewards --out runs/rl-m
Stop it at any moment and run the same line again: it goes on from its last kept state. Curves: OUT/curves.jsonl, one line every few steps.
"""

import argparse
import sys
import time
import tomllib
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inference.checkpoints import load
from inference.model import Decoder, build
from schema.grid import FRAMES_PER_BEAT, WINDOW_FRAMES
from schema.manifest import DamagedCheckpoint, Manifest, ModelSizes
from training.corpora import CorpusProblem, Song, check_shippable
from training.evaluate import Accompanied, figures
from training.fragments import FREE, Beginnings, Episodes, Lesson, late_lesson, long_enough, random_episodes
from training.frames import Pop909Chords
from training.reward_models import Discriminative, RewardSizes, build_reward
from training.reward_store import Learnt, load_rewards
from training.rewards import Ear, ear
from training.rl import Apprentice, Learning, Step, Told, teacher_weight
from training.sides import sides_of
from training.train_mle import BadConfig, prepared
from training.windows import song_weights

CURVES_NAME = "curves.jsonl"
_ADVERSARY_EVERY, _ADVERSARY_STEPS, _ADVERSARY_ABOVE = 5, 200, 1.0  # GAPT's schedule (arXiv 2511.17879, section 3.3)


class EarConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which reward models are heard and how much each kind counts: the weight of a whole episode's mean reward."""

    frames: tuple[int, ...]  # lengths of fragments; 256 is the whole window
    scales: tuple[float, ...]  # how much each length counts; by the number of its windows, and every window counts alike
    contrastive: float
    discriminative: float
    rhythm_contrastive: float = 0.0  # on whole windows
    rhythm_discriminative: float = 0.0
    seeds: int = 2  # how many of the trained seeds


class RlConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in `training/configs`."""

    variant: str
    name: str
    seed: int
    steps: int
    rows: int
    initial: str
    teacher: str
    log_every: int
    keep_every: int
    learning: Learning
    ears: EarConfig
    rules: dict[str, float]
    beginnings: Beginnings
    corpora: tuple[str, ...]
    pop909_chords: Pop909Chords
    apart: tuple[str, ...]
    mix: dict[str, float]
    frames: int = WINDOW_FRAMES
    lesson_rows: int = 0  # melodies of a step that move away from their chords; they count `learning.lesson_weight`


class Batch(NamedTuple):
    """What one step learns from."""

    episodes: Episodes
    lesson: Lesson | None


class Curve(msgspec.Struct, frozen=True):
    """One line of the curves: means over the steps since the line before."""

    step: int
    seconds_per_step: float
    rollout_share: float  # of the time
    told: dict[str, float]
    music: dict[str, float]


def read_config(path: Path) -> RlConfig:
    """Read a config. Raises BadConfig."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), RlConfig)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise BadConfig(path, str(problem)) from None


def is_rl(path: Path) -> bool:
    """Whether a config is one of these, well made or not: it says how the agent learns."""
    try:
        return "learning" in tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def ears_of(config: EarConfig, learnt: Sequence[Learnt]) -> list[Ear]:
    """The reward models a config asks for. Raises CorpusProblem if one is missing."""
    wanted = [
        (kind, "values", frames, weight * scale)
        for frames, scale in zip(config.frames, config.scales, strict=True)
        for kind, weight in (("contrastive", config.contrastive), ("discriminative", config.discriminative))
    ]
    rhythm = (("contrastive", config.rhythm_contrastive), ("discriminative", config.rhythm_discriminative))
    wanted += [(kind, "rhythm", WINDOW_FRAMES, weight) for kind, weight in rhythm]
    result = []
    for kind, hears, frames, weight in wanted:
        if weight == 0.0:
            continue
        models = [m.model for m in learnt if (m.report.kind, m.report.hears, m.report.frames) == (kind, hears, frames)][: config.seeds]
        if not models:
            raise CorpusProblem(f"expected a {kind} reward model on {hears} of {frames} frames, got none: train it (train_reward)")
        result.append(ear(f"{kind}-{hears}-{frames}", models, frames, weight))
    return result


def network(folder: str) -> tuple[Manifest, Decoder]:
    """A verified checkpoint as a module, without dropout. Raises DamagedCheckpoint."""
    manifest, weights = load(Path(folder))
    sizes: ModelSizes = msgspec.structs.replace(manifest.sizes, dropout=0.0)
    model = build(sizes)
    state = nnx.state(model)
    nnx.replace_by_pure_dict(state, jax.tree.map(jax.numpy.asarray, weights))
    nnx.update(model, state)
    return manifest, model


class Keeper:
    """States to go on from in `out/states`; the averaged weights in `out/best`, in the form that `training.publish` reads."""

    def __init__(self, out: Path) -> None:
        self._states = ocp.CheckpointManager((out / "states").absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2))
        self._newest = ocp.StandardCheckpointer()
        self._folder = (out / "best").absolute()

    def resume(self, fresh: Apprentice) -> tuple[int, Apprentice]:
        """The last kept step and state, or 0 and `fresh`."""
        if (step := self._states.latest_step()) is None:
            return 0, fresh
        return step, Apprentice(**self._states.restore(step, args=ocp.args.StandardRestore(_kept(fresh))), **_missing(fresh))

    def keep(self, step: int, apprentice: Apprentice) -> None:
        """Write a state to go on from, and the weights."""
        self._states.save(step, args=ocp.args.StandardSave(_kept(apprentice)))
        self._newest.save(self._folder, {"weights": apprentice.averaged, "step": step, "chord_loss": 0.0}, force=True)

    def finish(self) -> None:
        """Wait until all is written."""
        self._states.wait_until_finished()
        self._newest.wait_until_finished()


def _kept(apprentice: Apprentice) -> dict[str, Any]:
    return {name: value for name, value in apprentice._asdict().items() if value is not None}


def _missing(apprentice: Apprentice) -> dict[str, None]:
    return {name: None for name, value in apprentice._asdict().items() if value is None}


def heard_from(episodes: Episodes, chords: np.ndarray) -> list[Accompanied]:
    """Episodes as evaluation wants them, padded so that frame 0 is a bar line; what is forced does not count."""
    result = []
    for melody, row, place, bar, forced in zip(episodes.melody, chords, episodes.place, episodes.bar_frames, episodes.forced, strict=True):
        before, given = int(place[0]), int((forced != FREE).sum())
        padded = [np.pad(values, (before, 0)) for values in (melody, row)]
        result.append(Accompanied(padded[0], padded[1], int(bar) // FRAMES_PER_BEAT, before + given))
    return result


def music_of(heard: Sequence[Accompanied]) -> dict[str, float]:
    """The figures of evaluation, of episodes as they were sampled."""
    told = msgspec.structs.asdict(figures(heard))
    return {name: round(value, 4) for name, value in told.items() if value is not None and name != "first_bar"}


def flat(told: Told) -> dict[str, float]:
    """All numbers of a step, by name."""
    parts = told._asdict()
    ears, broken = parts.pop("ears"), parts.pop("rules")
    named = parts | {f"ear {name}": value for name, value in ears.items()} | {f"rule {name}": value for name, value in broken.items()}
    return {name: float(value) for name, value in named.items()}


def due(step: int, recent: Sequence[float]) -> bool:
    """Whether the adversary learns in this step: every fifth at first, later only when it is fooled."""
    if step <= _ADVERSARY_STEPS:
        return step % _ADVERSARY_EVERY == 0
    return len(recent) == 3 and sum(recent) / 3 > _ADVERSARY_ABOVE


def run(config: RlConfig, data: Path, rewards: Path, out: Path, *, cache: Path | None = None) -> None:
    """Learn to `config.steps`. Raises CorpusProblem, DamagedCheckpoint."""
    check_shippable(config.corpora)
    sides = sides_of(config, data, cache or out / "frames")
    songs = long_enough(sides.train, config.frames)
    shares = song_weights(songs, config.mix)
    ears = ears_of(config.ears, load_rewards(rewards))
    agent, teacher = network(config.initial)[1], network(config.teacher)[1]
    step = Step(config.learning, agent, teacher, ears, config.rules, config.seed)
    if config.learning.adversary_weight:
        adversary = build_reward("adversary", "values", RewardSizes(), config.seed)
        assert isinstance(adversary, Discriminative)
        step.with_adversary(adversary)
    keeper = Keeper(out)
    done, apprentice = keeper.resume(step.fresh)
    print(f"{len(songs)} songs, {len(ears)} ears, from step {done} of {config.steps}", flush=True)

    with closing(prepared(partial(batch_of, config, songs, shares), range(done + 1, config.steps + 1))) as batches:
        learn(config, step, apprentice, (keeper, out), enumerate(batches, done + 1))
    keeper.finish()


def batch_of(config: RlConfig, songs: Sequence[Song], weights: np.ndarray, step: int) -> Batch:
    """What one step of a config learns from; `weights` [songs] sum to 1, all songs are long enough."""
    place = {"seed": config.seed, "step": step, "frames": config.frames}
    lesson = late_lesson(songs, weights, config.lesson_rows, **place) if config.lesson_rows else None
    return Batch(random_episodes(songs, weights, config.rows, beginnings=config.beginnings, **place), lesson)


def learn(
    config: RlConfig, step: Step, apprentice: Apprentice, places: tuple[Keeper, Path], batches: Iterable[tuple[int, Batch]]
) -> Apprentice:
    """All steps that are left."""
    keeper, out = places
    out.mkdir(parents=True, exist_ok=True)
    recent: deque[float] = deque(maxlen=3)
    since: list[dict[str, float]] = []
    heard: list[Accompanied] = []
    rollout_s, began = 0.0, time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=0.2) as progress, (out / CURVES_NAME).open("a") as curves:
        task = progress.add_task(config.name, total=config.steps)
        for number, (episodes, lesson) in batches:
            key = jax.random.fold_in(jax.random.key(config.seed), number)
            at = time.perf_counter()
            chords = jax.block_until_ready(step.play(apprentice.agent, episodes, key))
            rollout_s += time.perf_counter() - at
            if step.fresh.adversary is not None and due(number, recent):
                apprentice = step.tell_apart(apprentice, chords, episodes.human, key)
            weight = teacher_weight(config.learning, number)
            apprentice, told = step.learn(apprentice, step.fixed, episodes, chords, weight, lesson)
            since.append(flat(told))
            recent.append(since[-1]["adversary"])
            heard += heard_from(episodes, np.asarray(chords))
            progress.update(task, completed=number, description=f"{config.name} reward {since[-1]['reward']:.2f}")
            if number % config.log_every == 0 or number == config.steps:
                took = time.perf_counter() - began
                means = {name: round(float(np.mean([line[name] for line in since])), 4) for name in since[0]}
                line = Curve(number, took / len(since), rollout_s / took, means, music_of(heard))
                curves.write(msgspec.json.encode(line).decode() + "\n")
                curves.flush()
                print(_line(line), flush=True)
                since, heard, rollout_s, began = [], [], 0.0, time.perf_counter()
            if number % config.keep_every == 0 or number == config.steps:
                keeper.keep(number, apprentice)
    return apprentice


def _line(curve: Curve) -> str:
    numbers = {name: curve.told[name] for name in ("reward", "divergence", "entropy", "explained", "melody_loss")} | curve.music
    told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in numbers.items())
    return f"step {curve.step}: {curve.seconds_per_step:.1f} s ({curve.rollout_share:.0%} rollout), {told}"


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Reinforcement learning of an agent that plays along; the same line again resumes.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    parser.add_argument("--rewards", type=Path, required=True, help="the --out of training.train_reward")
    parser.add_argument("--out", type=Path, required=True, help="folder for states, weights and curves")
    parser.add_argument("--cache", type=Path, help="folder for the converted corpora (default: OUT/frames)")
    arguments = parser.parse_args()
    try:
        run(read_config(arguments.config), arguments.data, arguments.rewards, arguments.out, cache=arguments.cache)
    except (BadConfig, CorpusProblem, DamagedCheckpoint) as problem:
        sys.exit(f"train_rl: {problem}")


if __name__ == "__main__":
    main()
