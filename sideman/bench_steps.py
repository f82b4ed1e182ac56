"""`sideman bench steps`: what each compiled call costs here, beside what arithmetic and memory allow. Shell.

Full slots, random weights where only the sizes are named: speed does not depend on the numbers. The bounds are those of
`inference.roofline` with this machine's own rates, measured in the same run. Buckets are chosen by these figures (docs/roofline.md).
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from inference.__main__ import use_compilation_cache
from inference.checkpoints import load, pure_shapes
from inference.engine import Engine
from inference.planner import Bucket, Progress, SlotMemory, Work
from inference.roofline import BASE, SMALL, step_bytes, step_flops
from inference.settings import LIVE, NUMBERS
from schema.engine_messages import PlanRequest, pack_values
from schema.manifest import ModelSizes
from schema.tokens import NOTHING
from sideman.bench_training import best_s
from sideman.paths import compilation_cache

SIZES = {"small": SMALL, "base": BASE}
HISTORY_FRAMES = 200
MATMUL_SIZE = 2048
COPY_BYTES = 1 << 28
CALLS = 30


class Machine(msgspec.Struct, frozen=True):
    """Rates measured here."""

    cores: int
    device: str
    matmul_gflop_per_s: float  # a large product in float32
    product_gb_per_s: float  # weights read once by a product with one row: what a step at batch 1 does
    copy_gb_per_s: float  # read and write of an array beyond every cache


class Step(msgspec.Struct, frozen=True):
    """One bucket; milliseconds of a call with all its rows used."""

    rows: int
    positions: int
    decisions: int
    at_once: bool
    median_ms: float
    p99_ms: float
    arithmetic_ms: float  # by the rate of a large product
    memory_ms: float  # weights once a step, keys and values of all rows once a call
    share_of_bound: float


class StepsReport(msgspec.Struct, frozen=True):
    """The whole run."""

    model: str
    parameters: int
    machine: Machine
    steps: list[Step]


def machine() -> Machine:
    """Measure this machine."""
    rng = np.random.default_rng(0)
    square = jnp.asarray(rng.normal(size=(MATMUL_SIZE, MATMUL_SIZE)), jnp.float32)
    row = square[:1]
    multiply = jax.jit(jnp.matmul)
    source, target = np.ones(COPY_BYTES // 8), np.zeros(COPY_BYTES // 8)
    return Machine(
        os.cpu_count() or 1,
        str(jax.devices()[0].device_kind),
        round(2 * MATMUL_SIZE**3 / best_s(lambda: multiply(square, square).block_until_ready()) / 1e9, 1),
        round(4 * MATMUL_SIZE**2 / best_s(lambda: multiply(row, square).block_until_ready(), 50) / 1e9, 1),
        round(2 * COPY_BYTES / best_s(lambda: np.copyto(target, source)) / 1e9, 1),
    )


def weights_of(sizes: ModelSizes) -> Any:
    """Random weights."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) * 0.02, pure_shapes(sizes))


def measure(
    model: str, sizes: ModelSizes, weights: Any, buckets: Sequence[Bucket], calls: int = CALLS, numbers: str | None = None
) -> StepsReport:
    """Time every bucket."""
    rates = machine()
    engine = Engine(sizes, weights, slots=max(bucket.rows for bucket in buckets), buckets=buckets, numbers=numbers)
    engine.warm_up()
    steps = []
    for bucket in engine.buckets:
        works = [_work(slot, bucket) for slot in range(bucket.rows)]
        took_s = []
        for _ in range(calls):
            began = time.perf_counter()
            engine.run(works, bucket)
            took_s.append(time.perf_counter() - began)
        steps.append(_step(sizes, bucket, took_s, rates))
    return StepsReport(model, sum(leaf.size for leaf in jax.tree.leaves(weights)), rates, steps)


def _step(sizes: ModelSizes, bucket: Bucket, took_s: Sequence[float], rates: Machine) -> Step:
    dependent = 0 if bucket.at_once else bucket.decisions - 1
    flops = step_flops(sizes, bucket.rows * (bucket.positions + dependent))
    cache = step_bytes(sizes, bucket.rows, 4) - step_bytes(sizes, 0, 4)
    moved = (1 + dependent) * step_bytes(sizes, 0, 4) + cache
    arithmetic_ms, memory_ms = flops / rates.matmul_gflop_per_s / 1e6, moved / rates.product_gb_per_s / 1e6
    median_ms = float(np.median(took_s)) * 1000
    return Step(
        *bucket,
        median_ms=round(median_ms, 3),
        p99_ms=round(float(np.percentile(took_s, 99)) * 1000, 3),
        arithmetic_ms=round(arithmetic_ms, 3),
        memory_ms=round(memory_ms, 3),
        share_of_bound=round(max(arithmetic_ms, memory_ms) / median_ms, 3),
    )


def _work(slot: int, bucket: Bucket) -> Work:
    """A row that feeds and decides as much as the bucket allows, behind a full history."""
    history = pack_values([NOTHING] * HISTORY_FRAMES)
    request = PlanRequest(f"{slot}", 0, "", slot, 0, HISTORY_FRAMES, 32, history, history, 1.0, 4, 0, 0, 0, 1000.0)
    work = Progress(request, slot, SlotMemory()).next_work(bucket.positions, bucket.decisions)
    values = (NOTHING,) * bucket.positions
    position = HISTORY_FRAMES - bucket.positions
    return work._replace(position=position, chords=values, melody=values, decisions=bucket.decisions, given_chords=(), given_melody=())


def _shape(text: str) -> Bucket:
    rows, positions, decisions, *at_once = map(int, text.split(","))
    return Bucket(rows, positions, decisions, bool(at_once and at_once[0]))


def table(report: StepsReport) -> Table:
    """The report as people read it."""
    m = report.machine
    rates = f"product {m.matmul_gflop_per_s:,.0f} GFLOP/s, weights {m.product_gb_per_s:.0f} GB/s, copy {m.copy_gb_per_s:.0f} GB/s"
    result = Table(title=f"{report.model}, {report.parameters:,} parameters, {m.cores} cores ({m.device}): {rates}")
    for column in ("rows", "fed", "decided", "ms p50", "p99", "ms a decision", "arithmetic ms", "memory ms", "of the bound"):
        result.add_column(column, justify="right")
    for s in report.steps:
        each = s.median_ms / s.rows / s.decisions
        times = (f"{value:.3f}" for value in (s.median_ms, s.p99_ms, each, s.arithmetic_ms, s.memory_ms))
        result.add_row(
            f"{s.rows}", f"{s.positions}", f"{s.decisions} at once" if s.at_once else f"{s.decisions}", *times, f"{s.share_of_bound:.0%}"
        )
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--checkpoint", type=Path, help="model to measure (default: random weights of --size)")
    parser.add_argument("--size", choices=SIZES, default="small", help="sizes of random weights (default: %(default)s)")
    parser.add_argument(
        "--bucket",
        action="append",
        metavar="ROWS,FED,DECIDED[,1]",
        help="a shape to measure, 1: all decided at once; again for more (default: all)",
    )
    parser.add_argument("--calls", type=int, default=CALLS, help="of each shape (default: %(default)s)")
    parser.add_argument("--numbers", choices=NUMBERS, help="of weights, keys and values (default: what this device serves with)")
    parser.add_argument("--json", type=Path, help="write the report here")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    use_compilation_cache(compilation_cache())
    buckets = [_shape(text) for text in arguments.bucket or ()] or LIVE.buckets + LIVE.checks
    if arguments.checkpoint is None:
        name, sizes = arguments.size, SIZES[arguments.size]
        weights = weights_of(sizes)
    else:
        manifest, weights = load(arguments.checkpoint)
        name, sizes = manifest.model, manifest.sizes
    report = measure(name, sizes, weights, buckets, arguments.calls, arguments.numbers)
    Console(width=max(130, Console().width)).print(table(report))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 0
