"""Maximum-likelihood training, from a config and a corpus folder to resumable states and a best set of weights. Shell.

Run: python -m training.train_mle training/configs/online_small.toml --data CORPORA --out runs/online-small
Stop it at any moment and run the same line again: it goes on from its last kept state.
"""

import argparse
import sys
import time
import tomllib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from jaxtyping import Array, Float
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inference.checkpoints import read_manifest, read_weights
from inference.model import Inputs, build
from schema.engine_messages import OFFLINE
from schema.grid import WINDOW_FRAMES
from schema.manifest import DamagedCheckpoint, ModelSizes
from schema.tokens import NOTHING
from training.corpora import CORPORA, CorpusProblem, Song, check_shippable
from training.frames import Pop909Chords
from training.losses import Losses, allow, cross_entropy
from training.sides import sides_of
from training.windows import Batch, held_out_batches, random_batch, song_weights, without_metre

BATCHES_AHEAD = 2

T = TypeVar("T")


class MleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in `training/configs`; what has a default is for POP909 alone, with chords of its own, from random weights."""

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
    corpora: tuple[str, ...] = ("pop909",)
    pop909_chords: Pop909Chords = "chord_midi"
    apart: tuple[str, ...] = ()  # corpora read only so that no variant of their tunes is trained on; skipped if not there
    mix: dict[str, float] | None = None  # share of each corpus among the windows; None: every song by its length
    initial: str | None = None  # checkpoint to start from, a path from where the command is run; None: random weights
    patience: int = 0  # held-out evaluations without a new best after which the run stops; 0: never
    silent: float = 0.35  # share of the windows that begin with 1 to 16 beats without chords
    jumps: float = 0.0  # share of the windows in which the song moves to another key, once or more often, as players do
    late: float = 0.0  # share of these moves which the chords follow 1 to 4 beats late
    metre: bool = True  # false: the model is not told where bars begin, to see what that is worth

    def __post_init__(self) -> None:
        if self.offline is not (self.sizes.listening_layers > 0):
            raise ValueError(f"expected listening_layers for the variant offline and no other, got {self.variant} with {self.sizes}")

    @property
    def offline(self) -> bool:
        """Whether the model hears the whole melody first."""
        return self.variant == OFFLINE


class BadConfig(ValueError):
    """A config that cannot be read; the text says where and why."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"config {self.path}: expected a table of known settings, got: {self.problem}; compare it with those in training/configs"


def read_config(path: Path) -> MleConfig:
    """Read a config. Raises BadConfig."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), MleConfig)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise BadConfig(path, str(problem)) from None


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
    offline = hasattr(model, "listener")
    if offline:
        deaf = None if key is None else jax.random.fold_in(key, rows)
        inputs = inputs._replace(heard=model.listen(batch.next_melody, batch.next_place, batch.known, deaf))
    hidden = model.hidden_full(inputs, key)
    chord_logits = allow(model.chord_logits(hidden), (batch.chord != NOTHING) | ~batch.chord_counts)
    if offline:
        chord, chord_accuracy = cross_entropy(chord_logits, batch.chord_action, batch.chord_counts)
        return Losses(chord, jnp.zeros(()), chord_accuracy, jnp.zeros(()))
    melody_logits = allow(model.melody_logits(hidden, batch.next_chord), (batch.melody != NOTHING) | ~batch.melody_counts)
    chord, chord_accuracy = cross_entropy(chord_logits, batch.chord_action, batch.chord_counts)
    melody, melody_accuracy = cross_entropy(melody_logits, batch.melody_action, batch.melody_counts)
    return Losses(chord, melody, chord_accuracy, melody_accuracy)


def initial_weights(config: MleConfig, weights: Any, *, allow_unshippable: bool) -> Any:
    """`weights`, or those of the checkpoint `config.initial`. Raises DamagedCheckpoint, or CorpusProblem if they must not be shipped."""
    if config.initial is None:
        return weights
    folder = Path(config.initial)
    manifest = read_manifest(folder)
    layers = manifest.sizes.listening_layers or config.sizes.listening_layers  # an online model can learn to listen
    if msgspec.structs.replace(manifest.sizes, dropout=config.sizes.dropout, listening_layers=layers) != config.sizes:
        raise DamagedCheckpoint(config.initial, f"the sizes of the config, {config.sizes}", f"{manifest.sizes}")
    if not allow_unshippable:
        titles = {source.name for source in manifest.data}
        check_shippable(name for name, corpus in CORPORA.items() if corpus.title in titles)
    found = jax.tree.map(jnp.asarray, read_weights(folder, manifest.sizes))
    nnx.replace_by_pure_dict(weights, {**nnx.to_pure_dict(weights), **found})
    print(f"starting from {config.initial} ({manifest.model}, step {manifest.step})")
    return weights


def batch_of(config: MleConfig, songs: Sequence[Song], weights: np.ndarray, step: int) -> Batch:
    """The batch of one train step of a config; `weights` [songs] as `random_batch` wants them."""
    shares = {"silent": config.silent, "jumps": config.jumps, "late": config.late}
    batch = random_batch(songs, weights, config.rows, config.seed, step, offline=config.offline, **shares)
    return batch if config.metre else without_metre(batch)


def prepared(make: Callable[[int], T], steps: Iterable[int]) -> Generator[T, None, None]:
    """`make` of each step in order, BATCHES_AHEAD of them made in a background thread; raises what `make` raises. Close it."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
    waiting: deque[Future[T]] = deque()
    try:
        for step in steps:
            waiting.append(thread.submit(make, step))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)


@dataclass
class Trainee:
    """Weights in training: what is kept, and how well the best did."""

    weights: Any
    moments: Any
    step: int = 0  # train steps done
    best_loss: float = float("inf")
    stale: int = 0  # held-out evaluations since the best


class Keeper:
    """States to go on from in `out/states`, the best held-out weights in `out/best`."""

    def __init__(self, out: Path) -> None:
        self._states = ocp.CheckpointManager((out / "states").absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2))
        self._best = ocp.StandardCheckpointer()
        self._best_folder = (out / "best").absolute()

    def resume(self, fresh: Trainee, held_out_every: int) -> Trainee | None:
        """The trainee of the last kept state, None if there is none; `fresh` gives the shapes."""
        if (step := self._states.latest_step()) is None:
            return None
        shapes = {"weights": fresh.weights, "moments": fresh.moments, "best_loss": 0.0}
        kept = self._states.restore(step, args=ocp.args.StandardRestore(shapes))
        stale = 0
        if self._best_folder.exists():
            best = self._best.restore(self._best_folder, {"weights": fresh.weights, "step": 0, "chord_loss": 0.0})
            stale = max(0, step // held_out_every - int(best["step"]) // held_out_every)
        return Trainee(kept["weights"], kept["moments"], step, float(kept["best_loss"]), stale)

    def keep_if_best(self, trainee: Trainee, chord_loss: float) -> None:
        """Take note of a held-out loss; the best weights so far are written."""
        trainee.stale += 1
        if chord_loss < trainee.best_loss:
            trainee.best_loss, trainee.stale = chord_loss, 0
            best = {"weights": trainee.weights, "step": trainee.step, "chord_loss": chord_loss}
            self._best.save(self._best_folder, best, force=True)

    def keep(self, trainee: Trainee) -> None:
        """Write a state to go on from."""
        state = {"weights": trainee.weights, "moments": trainee.moments, "best_loss": trainee.best_loss}
        self._states.save(trainee.step, args=ocp.args.StandardSave(state))

    def finish(self) -> None:
        """Wait until all is written."""
        self._best.wait_until_finished()
        self._states.wait_until_finished()


@dataclass
class Clock:
    """Where the time of the train steps goes between two held-out lines."""

    frames: int = 0
    stepping_s: float = 0.0
    waiting_s: float = 0.0  # the part of stepping_s in which the next batch was not there yet

    def __str__(self) -> str:
        return f"{self.frames / self.stepping_s:,.0f} frames/s, {self.waiting_s / self.stepping_s:.1%} of the step time waiting for data"


class Trainer:
    """The compiled train step and the held-out evaluation of one config."""

    def __init__(self, config: MleConfig, held_out: Sequence[Batch]) -> None:
        self.config = config
        self._graph, self._weights = nnx.split(build(config.sizes, config.seed))
        self._held_out = held_out
        self._optimiser = optax.chain(
            optax.clip_by_global_norm(config.clip_norm), optax.adamw(schedule(config), b2=0.98, weight_decay=config.weight_decay)
        )
        self._train_step = jax.jit(self._traced_step)
        self._losses = jax.jit(lambda weights, batch: losses_of(self._graph, weights, batch, None))

    def fresh(self) -> Trainee:
        """Random weights, nothing learnt."""
        return Trainee(self._weights, self._optimiser.init(self._weights))

    def step(self, trainee: Trainee, batches: Iterator[Batch], clock: Clock) -> Losses:
        """Train on the next batch; returns its losses."""
        began = time.perf_counter()
        batch = next(batches)
        clock.waiting_s += time.perf_counter() - began
        trainee.step += 1
        losses: Losses
        trainee.weights, trainee.moments, losses = self._train_step(trainee.weights, trainee.moments, batch, jnp.int32(trainee.step))
        jax.block_until_ready(losses)
        clock.stepping_s += time.perf_counter() - began
        clock.frames += self.config.rows * WINDOW_FRAMES
        return losses

    def held_out(self, trainee: Trainee) -> Losses:
        """Means over the held-out batches."""
        return Losses(*np.mean([jax.tree.leaves(self._losses(trainee.weights, batch)) for batch in self._held_out], axis=0))

    def _traced_step(self, weights: Any, moments: Any, batch: Batch, step: Array) -> tuple[Any, Any, Losses]:
        key = jax.random.fold_in(jax.random.key(self.config.seed), step)

        def objective(weights: Any) -> tuple[Float[Array, ""], Losses]:
            losses = losses_of(self._graph, weights, batch, key)
            return losses.chord + self.config.melody_weight * losses.melody, losses

        gradients, losses = jax.grad(objective, has_aux=True)(weights)
        updates, moments = self._optimiser.update(gradients, moments, weights)
        return optax.apply_updates(weights, updates), moments, losses


def run(config: MleConfig, data: Path, out: Path, *, cache: Path | None = None, allow_unshippable: bool = False) -> None:
    """Train to `config.steps`, keeping states in `out/states` and the best held-out weights in `out/best`.

    Raises CorpusProblem, or DamagedCheckpoint for the checkpoint to start from.
    """
    if not allow_unshippable:
        check_shippable(config.corpora)
    sides = sides_of(config, data, cache or out / "frames")
    shares = song_weights(sides.train, config.mix)
    held_out = held_out_batches(sides.valid, config.rows, offline=config.offline, jumps=config.jumps > 0, late=config.late > 0)
    if not config.metre:
        held_out = [without_metre(batch) for batch in held_out]
    print(
        f"{len(sides.train)} songs to train on, {len(sides.valid)} for stopping ({len(held_out)} batches), {len(sides.test)} for the test"
    )
    trainer, keeper = Trainer(config, held_out), Keeper(out)
    trainee = trainer.fresh()
    print(f"{sum(x.size for x in jax.tree.leaves(trainee.weights)):,} parameters")
    if (kept := keeper.resume(trainee, config.held_out_every)) is not None:
        trainee = kept
        print(f"going on from step {trainee.step}, best held-out chord loss {trainee.best_loss:.4f}")
    elif config.initial is not None:
        trainee.weights = initial_weights(config, trainee.weights, allow_unshippable=allow_unshippable)
        scores = trainer.held_out(trainee)
        print(f"step 0: {_held_out_line(scores)}", flush=True)
        keeper.keep_if_best(trainee, float(scores.chord))
    steps = range(trainee.step + 1, config.steps + 1)

    with closing(prepared(partial(batch_of, config, sides.train, shares), steps)) as batches:
        train(trainer, trainee, keeper, batches)
    keeper.finish()


def train(trainer: Trainer, trainee: Trainee, keeper: Keeper, batches: Iterator[Batch]) -> None:
    """All train steps that are left, with a held-out line, the best weights and a state every so often."""
    config, clock = trainer.config, Clock()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=0.2) as progress:
        task = progress.add_task(config.name, total=config.steps, completed=trainee.step)
        while trainee.step < config.steps and not _gives_up(trainee, config):
            losses = trainer.step(trainee, batches, clock)
            said = f"{config.name} chord {float(losses.chord):.3f} melody {float(losses.melody):.3f}"
            progress.update(task, completed=trainee.step, description=said)
            last = trainee.step == config.steps
            if last or trainee.step % config.held_out_every == 0:
                scores = trainer.held_out(trainee)
                trained = f"train {float(losses.chord):.4f} {float(losses.melody):.4f}"
                print(f"step {trainee.step}: {trained} · {_held_out_line(scores)} · {clock}", flush=True)
                clock = Clock()
                keeper.keep_if_best(trainee, float(scores.chord))
            if last or trainee.step % config.keep_every == 0 or _gives_up(trainee, config):
                keeper.keep(trainee)
    if trainee.step < config.steps:
        print(f"stopped at step {trainee.step}: {trainee.stale} held-out evaluations in a row were no better than {trainee.best_loss:.4f}")


def _held_out_line(scores: Losses) -> str:
    accuracy = f"{scores.chord_accuracy:.3f} {scores.melody_accuracy:.3f}"
    return f"held out chord {scores.chord:.4f} melody {scores.melody:.4f} accuracy {accuracy}"


def _gives_up(trainee: Trainee, config: MleConfig) -> bool:
    return 0 < config.patience <= trainee.stale


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Train Online or Offline by maximum likelihood; the same line again resumes.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    parser.add_argument("--out", type=Path, required=True, help="folder for states and the best weights")
    parser.add_argument("--cache", type=Path, help="folder for the converted corpora (default: OUT/frames)")
    parser.add_argument(
        "--allow-unshippable", action="store_true", help="train on corpora whose licence keeps the weights from being given away"
    )
    arguments = parser.parse_args()
    try:
        config = read_config(arguments.config)
        run(config, arguments.data, arguments.out, cache=arguments.cache, allow_unshippable=arguments.allow_unshippable)
    except (BadConfig, CorpusProblem, DamagedCheckpoint) as problem:
        sys.exit(f"train_mle: {problem}")


if __name__ == "__main__":
    main()
