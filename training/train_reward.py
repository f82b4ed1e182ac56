"""Trains a family of reward models, one after the other, and reports how good each is on held-out songs. Shell.

Run: python -m training.train_reward training/configs/rewards.toml --data CORPORA --out runs/rewards
Stop it at any moment and run the same line again: models that are finished are kept, the unfinished one begins anew (minutes).
Each model is a folder OUT/NAME with `weights.npz` and `report.json`; OUT/report.json gathers the reports.
"""

import argparse
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from schema.grid import FRAMES_PER_BEAT
from training.corpora import CorpusProblem, Song, check_shippable
from training.fragments import Pairs, held_out_pairs, long_enough, random_pairs
from training.frames import Pop909Chords
from training.retrieval import detection, retrieval
from training.reward_models import Contrastive, Discriminative, Hears, Kind, RewardSizes, build_reward
from training.reward_store import REPORT_NAME, Learnt, RewardReport, keep_reward
from training.sides import sides_of
from training.train_mle import BadConfig, prepared
from training.windows import random_jump, song_weights, transpose_chords

_NEAR = 0.3  # share of shuffled pairs whose chords are the own ones, moved by some beats: in key, out of place
_ASTRAY = 0.2  # share whose chords are the own ones in another key: in place, out of key, as after a jump that was not followed


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of model on fragments of one length; there is one for each seed."""

    kind: Kind
    hears: Hears
    frames: int
    rows: int  # fragments per train step
    steps: int
    together: int = 1  # rows of one song in one key: the harder the wrong answers, the finer the ear


class RewardConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file in `training/configs`: the family, how it learns, and its songs (as in MleConfig)."""

    seeds: tuple[int, ...]
    learning_rate: float
    weight_decay: float
    held_out_every: int
    patience: int
    pool: int  # held-out fragments at most
    members: tuple[Member, ...]
    corpora: tuple[str, ...]
    pop909_chords: Pop909Chords
    apart: tuple[str, ...]
    mix: dict[str, float]
    sizes: RewardSizes = RewardSizes()


def read_config(path: Path) -> RewardConfig:
    """Read a config. Raises BadConfig."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), RewardConfig)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise BadConfig(path, str(problem)) from None


def name_of(member: Member, seed: int) -> str:
    """Folder of one model."""
    return f"{member.kind}-{member.hears}-{member.frames}-{seed}"


# ---- what is learnt ----


def shuffled(pairs: Pairs, member: Member, rng: np.random.Generator) -> np.ndarray:
    """Chords that do not belong to the melodies: another row's, some the own, moved in time or key. Rhythm: half moved by 1 to 3 frames.

    Where rows of one song stand together it is the next row's, of the same song for all but the last of them.
    """
    rows, frames = pairs.chords.shape
    hears = member.hears
    chords: np.ndarray = np.roll(pairs.chords, 1 if member.together > 1 else 1 + int(rng.integers(rows - 1)), axis=0)
    for row in np.flatnonzero(rng.random(rows) < (0.5 if hears == "rhythm" else _NEAR)):
        beats = frames // FRAMES_PER_BEAT
        by = int(rng.integers(1, 4)) if hears == "rhythm" else int(rng.integers(1, beats)) * FRAMES_PER_BEAT
        chords[row] = np.roll(pairs.chords[row], by)
    for row in np.flatnonzero(rng.random(rows) < (0.0 if hears == "rhythm" else _ASTRAY)):
        chords[row] = transpose_chords(pairs.chords[row], random_jump(rng))
    return chords


def loss_of(model: Contrastive | Discriminative, batch: tuple[Any, Any, Any], key: Array | None) -> Float[Array, ""]:
    """Of melodies, their chords, and chords that are not theirs."""
    melody, chords, wrong = batch
    if isinstance(model, Contrastive):
        return model.loss(melody, chords, key)
    real = jnp.arange(2 * len(melody)) < len(melody)
    return model.loss(jnp.concatenate([melody, melody]), jnp.concatenate([chords, wrong]), real, key)


class _Trainer:
    """The compiled train step of one member."""

    def __init__(self, config: RewardConfig, member: Member, seed: int) -> None:
        self.graph, self.weights = nnx.split(build_reward(member.kind, member.hears, config.sizes, seed))
        warmup, left = member.steps // 10, member.steps - member.steps // 10
        rate = optax.join_schedules(
            [optax.linear_schedule(0.0, config.learning_rate, warmup), optax.cosine_decay_schedule(config.learning_rate, left)], [warmup]
        )
        optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=config.weight_decay))
        self.moments = optimiser.init(self.weights)
        graph = self.graph

        @jax.jit
        def step(weights: Any, moments: Any, batch: Any, key: Array) -> tuple[Any, Any, Array]:
            loss, gradients = jax.value_and_grad(lambda w: loss_of(nnx.merge(graph, w), batch, key))(weights)
            updates, moments = optimiser.update(gradients, moments, weights)
            return optax.apply_updates(weights, updates), moments, loss

        self.step = step
        self.held_out = jax.jit(lambda weights, batch: loss_of(nnx.merge(graph, weights), batch, None))


def train(config: RewardConfig, member: Member, seed: int, songs: tuple[list[Song], list[Song]], progress: Progress) -> Learnt:
    """Train one model with early stopping on held-out loss; songs to train on, songs to stop by. Figures come later."""
    learn, stop = songs
    shares = song_weights(learn, {name: share for name, share in config.mix.items() if any(s.corpus == name for s in learn)})
    trainer = _Trainer(config, member, seed)
    rng = np.random.default_rng((seed, member.frames))
    checked = held_out_pairs(stop, member.frames, min(config.pool, 2 * member.rows))
    held = (*checked, shuffled(checked, member, rng))

    def batch_of(step: int) -> tuple[Any, Any, Any]:
        pairs = random_pairs(learn, shares, member.rows, member.frames, seed=seed, step=step, together=member.together)
        return (*pairs, shuffled(pairs, member, np.random.default_rng((seed, step))))

    best, best_loss, best_step, stale = trainer.weights, float("inf"), 0, 0
    task = progress.add_task(name_of(member, seed), total=member.steps)
    key = jax.random.key(seed)
    with closing(prepared(batch_of, range(1, member.steps + 1))) as batches:
        for step, batch in enumerate(batches, 1):
            trainer.weights, trainer.moments, loss = trainer.step(trainer.weights, trainer.moments, batch, jax.random.fold_in(key, step))
            progress.update(task, completed=step, description=f"{name_of(member, seed)} {float(loss):.3f}")
            if step % config.held_out_every == 0 or step == member.steps:
                held_loss, stale = float(trainer.held_out(trainer.weights, held)), stale + 1
                if held_loss < best_loss:
                    best, best_loss, best_step, stale = trainer.weights, held_loss, step, 0
                if stale >= config.patience:
                    break
    progress.remove_task(task)
    report = RewardReport(member.kind, member.hears, member.frames, seed, best_step, config.sizes, round(best_loss, 4), {})
    return Learnt(report, nnx.merge(trainer.graph, best))


def figures_of(learnt: Learnt, songs: list[Song], pool: int) -> dict[str, float]:
    """Retrieval or detection on held-out songs, in their own keys."""
    report, model = learnt
    pairs = held_out_pairs(songs, report.frames, pool)
    if isinstance(model, Contrastive):
        return retrieval(np.asarray(nnx.jit(_cosines)(model, *pairs)))
    wrong = np.roll(pairs.chords, 1, axis=0)
    reward = nnx.jit(lambda model, melody, chords: model.reward(melody, chords))
    return detection(np.asarray(reward(model, *pairs)), np.asarray(reward(model, pairs.melody, wrong)))


def _cosines(model: Contrastive, melody: Array, chords: Array) -> Array:
    return model.embed_melody(melody) @ model.embed_chords(chords).T


def run(config: RewardConfig, data: Path, out: Path, *, cache: Path | None = None) -> list[RewardReport]:
    """Train what is not there yet; prints and writes the reports. Raises CorpusProblem."""
    check_shippable(config.corpora)
    sides = sides_of(config, data, cache or out / "frames")
    reports = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=0.2) as progress:
        for seed in config.seeds:
            for member in config.members:
                reports.append(_member(config, member, seed, (sides, out), progress))
    (out / REPORT_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(reports), indent=2))
    return reports


def _member(config: RewardConfig, member: Member, seed: int, where: tuple[Any, Path], progress: Progress) -> RewardReport:
    sides, out = where
    folder = out / name_of(member, seed)
    if (folder / REPORT_NAME).is_file():
        return msgspec.json.decode((folder / REPORT_NAME).read_bytes(), type=RewardReport)
    began = time.perf_counter()
    learn, stop, test = (long_enough(songs, member.frames) for songs in (sides.train, sides.valid, _of(config, sides.test)))
    learnt = train(config, member, seed, (learn, stop), progress)
    report = msgspec.structs.replace(learnt.report, figures=figures_of(learnt, test, config.pool))
    keep_reward(folder, learnt._replace(report=report))
    told = " ".join(f"{name} {value:.3f}" for name, value in report.figures.items())
    print(f"{folder.name}: {time.perf_counter() - began:.0f} s, step {report.steps}, loss {report.held_out_loss:.3f}: {told}", flush=True)
    return report


def _of(config: RewardConfig, songs: list[Song]) -> list[Song]:
    return [song for song in songs if song.corpus in config.corpora]


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Train the reward models of reinforcement learning; the same line again goes on.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the models and their reports")
    parser.add_argument("--cache", type=Path, help="folder for the converted corpora (default: OUT/frames)")
    arguments = parser.parse_args()
    try:
        run(read_config(arguments.config), arguments.data, arguments.out, cache=arguments.cache)
    except (BadConfig, CorpusProblem) as problem:
        sys.exit(f"train_reward: {problem}")


if __name__ == "__main__":
    main()
