"""`sideman bench training`: what a train step takes here, against how fast this machine multiplies matrices. Shell.

The very `Trainer` that trains, on songs of a corpus or a made-up one: without `--data` the notes differ, not the work.
"""

import argparse
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax import nnx
from rich.console import Console
from rich.table import Table

import training
from inference.model import build
from schema.grid import WINDOW_FRAMES
from schema.manifest import DamagedCheckpoint, ModelSizes
from schema.tokens import NUM_CHORDS, NUM_PITCHES
from training.corpora import CORPORA, CorpusProblem, Song
from training.frames import cached_songs
from training.windows import Batch, song_weights

if TYPE_CHECKING:
    from training.train_mle import MleConfig

DEFAULT_CONFIG = Path(training.__file__).parent / "configs" / "online_small_all.toml"
MATMUL_SIZE = 2048
WARM_UP_STEPS = 2  # the first compiles


class TrainingReport(msgspec.Struct, frozen=True):
    """The whole run; seconds, and GFLOP in float32."""

    config: str
    parameters: int
    cores: int
    matmul_gflop_per_s: float
    step_s: float  # mean
    frames_per_s: float
    step_gflop: float  # forward and backward, as XLA counts them
    step_gflop_by_formula: float
    share_of_matmul: float  # of that rate, by XLA's count
    batch_s: float  # to make one batch, in a thread of its own
    waiting_share: float  # of the step time in which the next batch was not there yet
    conversion_s: dict[str, float]  # by corpus, read for the first time
    peak_rss_bytes: int


def matmul_gflop_per_s() -> float:
    """The rate of a large product."""
    square = jnp.asarray(np.random.default_rng(0).normal(size=(MATMUL_SIZE, MATMUL_SIZE)), jnp.float32)
    multiply = jax.jit(jnp.matmul)
    return 2 * MATMUL_SIZE**3 / best_s(lambda: multiply(square, square).block_until_ready()) / 1e9


def gflop_by_formula(sizes: ModelSizes, parameters: int, rows: int) -> float:
    """6 for each parameter and position; 12 for each pair of positions and each of the queries' widths, in each layer."""
    pairs = 12 * (sizes.layers + sizes.listening_layers) * WINDOW_FRAMES * sizes.heads * sizes.head_width
    return rows * WINDOW_FRAMES * (6 * parameters + pairs) / 1e9


def made_up_song(frames: int = 16 * WINDOW_FRAMES) -> Song:
    """A note a beat and a chord a bar, at random."""
    rng = np.random.default_rng(0)
    notes, chords = 1 + rng.integers(48, 84, frames // 4).repeat(4), 1 + rng.integers(0, NUM_CHORDS, frames // 16).repeat(16)
    notes[np.arange(frames) % 4 > 0] += NUM_PITCHES
    chords[np.arange(frames) % 16 > 0] += NUM_CHORDS
    return Song("made-up", "pop909", "pop", 4, notes.astype(np.int16), chords.astype(np.int16))


def measure(config: "MleConfig", data: Path | None, num_steps: int) -> TrainingReport:
    """Train for some steps from random weights. Raises CorpusProblem."""
    from training.sides import sides_of
    from training.train_mle import Clock, Trainer, batch_of, losses_of, prepared

    songs, conversion_s = [made_up_song()], {}
    if data is not None:
        with TemporaryDirectory() as folder, redirect_stdout(StringIO()):  # what the readers left out is told in training
            for name in [name for name, corpus in CORPORA.items() if (data / corpus.folder).is_dir()]:
                read = partial(cached_songs, data, [name], Path(folder), pop909_chords=config.pop909_chords)
                conversion_s[name] = best_s(read, times=1)
            songs = sides_of(config, data, Path(folder)).train
    shares = song_weights(songs, config.mix if data else None)

    made = partial(batch_of, config, songs, shares)

    def objective(weights: Any, batch: Batch) -> Any:
        losses = losses_of(graph, weights, batch, jax.random.key(0))
        return losses.chord + config.melody_weight * losses.melody

    graph, weights = nnx.split(build(config.sizes, config.seed))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(weights))
    cost: Any = jax.jit(jax.grad(objective)).lower(weights, made(0)).cost_analysis()
    rate, batch_s = matmul_gflop_per_s(), best_s(lambda: made(0))
    trainer, clock = Trainer(config, []), Clock()
    trainee = trainer.fresh()
    with closing(prepared(made, range(WARM_UP_STEPS + num_steps))) as batches:
        for step in range(WARM_UP_STEPS + num_steps):
            trainer.step(trainee, batches, clock if step >= WARM_UP_STEPS else Clock())
    return TrainingReport(
        config=config.name,
        parameters=parameters,
        cores=os.cpu_count() or 1,
        matmul_gflop_per_s=rate,
        step_s=clock.stepping_s / num_steps,
        frames_per_s=clock.frames / clock.stepping_s,
        step_gflop=cost["flops"] / 1e9,
        step_gflop_by_formula=gflop_by_formula(config.sizes, parameters, config.rows),
        share_of_matmul=cost["flops"] / 1e9 * num_steps / clock.stepping_s / rate,
        batch_s=batch_s,
        waiting_share=clock.waiting_s / clock.stepping_s,
        conversion_s=conversion_s,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def table(report: TrainingReport) -> Table:
    """The report as people read it."""
    result = Table(title=f"{report.config}, {report.parameters:,} parameters on {report.cores} cores", show_header=False)
    flop = f"{report.step_gflop:,.3g} GFLOP ({report.step_gflop_by_formula:,.3g} by parameters and attention)"
    result.add_row("training", f"{report.frames_per_s:,.0f} frames/s, {1000 * report.step_s:,.0f} ms a step of {flop}")
    result.add_row("matrix product", f"{report.matmul_gflop_per_s:,.3g} GFLOP/s; training reaches {report.share_of_matmul:.0%} of it")
    result.add_row(
        "making a batch", f"{1000 * report.batch_s:,.1f} ms beside the steps; {report.waiting_share:.1%} of their time is waiting"
    )
    for name, seconds in report.conversion_s.items():
        result.add_row(f"converting {name}", f"{seconds:,.1f} s")
    result.add_row("largest memory", f"{report.peak_rss_bytes / 2**20:,.0f} MiB")
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        help=f"what to train, by likelihood or by reinforcement (default: {DEFAULT_CONFIG.name})",
    )
    parser.add_argument("--data", type=Path, help="folder that holds the corpora: train on these, and time their conversion")
    parser.add_argument("--steps", type=int, default=8, help="train steps to measure (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the report here")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    if find_spec("optax") is None:
        print("sideman bench training: expected optax to train with, got none installed: pip install 'sideman[train]'", file=sys.stderr)
        return 2
    from sideman import bench_rl
    from training import train_rl
    from training.train_mle import BadConfig, read_config

    report: TrainingReport | bench_rl.RlReport
    try:
        if train_rl.is_rl(arguments.config):
            report = bench_rl.measure(train_rl.read_config(arguments.config), arguments.steps)
            shown = bench_rl.table(report)
        else:
            report = measure(read_config(arguments.config), arguments.data, arguments.steps)
            shown = table(report)
    except (BadConfig, CorpusProblem, DamagedCheckpoint) as problem:
        print(f"sideman bench training: {problem}", file=sys.stderr)
        return 2
    Console().print(shown)
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 0


def best_s(call: Callable[[], object], times: int = 5) -> float:
    """The shortest of some calls."""
    result = math.inf
    for _ in range(times):
        began = time.perf_counter()
        call()
        result = min(result, time.perf_counter() - began)
    return result
