"""Maximum-likelihood training, from a config and a corpus folder to resumable states and a best set of weights. Shell.

Run: python -m training.train_mle training/configs/online_small.toml --data CORPORA --out runs/online-small
Stop it at any moment and run the same line again: it goes on from its last kept state.
"""

import argparse
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from jaxtyping import Array, Float
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inference.model import Inputs, build
from schema.manifest import ModelSizes
from schema.tokens import NOTHING
from training.corpora import CorpusProblem
from training.losses import Losses, allow, cross_entropy
from training.pop909 import read_pop909
from training.windows import Batch, held_out_batches, random_batch, split


class MleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in `training/configs`."""

    variant: str
    name: str
    seed: int
    steps: int
    rows: int
    learning_rate: float
    warmup_steps: int
    decay_share: float
    weight_decay: float
    clip_norm: float
    melody_weight: float
    held_out_every: int
    keep_every: int
    sizes: ModelSizes


def schedule(config: MleConfig) -> optax.Schedule:
    """Warm-up, plateau, linear decay: where the decay begins can be moved while the plateau lasts."""
    decay_steps = int(config.steps * config.decay_share)
    return optax.join_schedules(
        [
            optax.linear_schedule(0.0, config.learning_rate, config.warmup_steps),
            optax.constant_schedule(config.learning_rate),
            optax.linear_schedule(config.learning_rate, config.learning_rate / 50, decay_steps),
        ],
        [config.warmup_steps, config.steps - decay_steps],
    )


def losses_of(graph: Any, weights: Any, batch: Batch, key: Array | None) -> Losses:
    """Losses of one batch; `key` turns dropout on."""
    model = nnx.merge(graph, weights)
    batch = Batch(*(jnp.asarray(column) for column in batch))
    rows, positions = batch.chord.shape
    position = jnp.broadcast_to(jnp.arange(positions), (rows, positions))
    inputs = Inputs(batch.chord, batch.melody, batch.place, position, batch.density, batch.style, batch.beats_per_bar)
    hidden = model.hidden_full(inputs, key)
    chord_logits = allow(model.chord_logits(hidden), (batch.chord != NOTHING) | ~batch.chord_counts)
    melody_logits = allow(model.melody_logits(hidden, batch.next_chord), (batch.melody != NOTHING) | ~batch.melody_counts)
    chord, chord_accuracy = cross_entropy(chord_logits, batch.chord_action, batch.chord_counts)
    melody, melody_accuracy = cross_entropy(melody_logits, batch.melody_action, batch.melody_counts)
    return Losses(chord, melody, chord_accuracy, melody_accuracy)


def run(config: MleConfig, data: Path, out: Path) -> None:
    """Train to `config.steps`, keeping states in `out/states` and the best held-out weights in `out/best`."""
    sides = split(read_pop909(data / "pop909", "chord_midi").songs)
    weights_of_songs = np.array([len(s.melody) for s in sides.train], float)
    weights_of_songs /= weights_of_songs.sum()
    held_out = held_out_batches(sides.valid, config.rows)
    if not (sides.train and held_out):
        got = f"{len(sides.train)} and {len(sides.valid)}"
        raise CorpusProblem(f"expected songs to train on and songs to stop by, got {got}: the corpus in {data} is too small")
    print(
        f"{len(sides.train)} songs to train on, {len(sides.valid)} for stopping ({len(held_out)} batches), {len(sides.test)} for the test"
    )

    graph, weights = nnx.split(build(config.sizes, config.seed))
    print(f"{sum(x.size for x in jax.tree.leaves(weights)):,} parameters")
    optimiser = optax.chain(
        optax.clip_by_global_norm(config.clip_norm), optax.adamw(schedule(config), b2=0.98, weight_decay=config.weight_decay)
    )
    moments = optimiser.init(weights)

    def objective(weights: Any, batch: Batch, key: Array) -> tuple[Float[Array, ""], Losses]:
        losses = losses_of(graph, weights, batch, key)
        return losses.chord + config.melody_weight * losses.melody, losses

    @jax.jit
    def train_step(weights: Any, moments: Any, batch: Batch, step: Array) -> tuple[Any, Any, Losses]:
        key = jax.random.fold_in(jax.random.key(config.seed), step)
        gradients, losses = jax.grad(objective, has_aux=True)(weights, batch, key)
        updates, moments = optimiser.update(gradients, moments, weights)
        return optax.apply_updates(weights, updates), moments, losses

    evaluate = jax.jit(lambda weights, batch: losses_of(graph, weights, batch, None))

    states = ocp.CheckpointManager((out / "states").absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2))
    best = ocp.StandardCheckpointer()
    first, best_loss = 0, float("inf")
    if (latest := states.latest_step()) is not None:
        restored = states.restore(latest, args=ocp.args.StandardRestore({"weights": weights, "moments": moments, "best_loss": 0.0}))
        weights, moments, best_loss, first = restored["weights"], restored["moments"], float(restored["best_loss"]), latest
        print(f"going on from step {first}, best held-out chord loss {best_loss:.4f}")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=0.2) as progress:
        task = progress.add_task(config.name, total=config.steps, completed=first)
        began = time.perf_counter()
        for step in range(first + 1, config.steps + 1):
            batch = random_batch(sides.train, weights_of_songs, config.rows, config.seed, step)
            weights, moments, losses = train_step(weights, moments, batch, jnp.int32(step))
            progress.update(
                task, completed=step, description=f"{config.name} chord {float(losses.chord):.3f} melody {float(losses.melody):.3f}"
            )
            if step % config.held_out_every == 0 or step == config.steps:
                scores = np.mean([jax.tree.leaves(evaluate(weights, b)) for b in held_out], axis=0)
                rate = (step - first) * config.rows * 256 / (time.perf_counter() - began)
                print(
                    f"step {step}: train {float(losses.chord):.4f} {float(losses.melody):.4f} · held out chord {scores[0]:.4f} "
                    f"melody {scores[1]:.4f} accuracy {scores[2]:.3f} {scores[3]:.3f} · {rate:,.0f} frames/s",
                    flush=True,
                )
                if scores[0] < best_loss:
                    best_loss = float(scores[0])
                    best.save((out / "best").absolute(), {"weights": weights, "step": step, "chord_loss": best_loss}, force=True)
            if step % config.keep_every == 0 or step == config.steps:
                states.save(step, args=ocp.args.StandardSave({"weights": weights, "moments": moments, "best_loss": best_loss}))
    best.wait_until_finished()
    states.wait_until_finished()


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Train Online or Offline by maximum likelihood; the same line again resumes.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    parser.add_argument("--out", type=Path, required=True, help="folder for states and the best weights")
    arguments = parser.parse_args()
    config = msgspec.convert(tomllib.loads(arguments.config.read_text()), MleConfig)
    try:
        run(config, arguments.data, arguments.out)
    except CorpusProblem as problem:
        sys.exit(f"train_mle: {problem}")


if __name__ == "__main__":
    main()
