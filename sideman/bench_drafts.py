"""`sideman bench drafts`: one player's plans decided step by step, and with the old plan as a draft checked several frames at once. Shell.

Held-out melodies replayed frame by frame, the anticipated guess computed between frames as in service. Plans must not differ; what
counts is how many calls a plan needs that the player surprised, and what they take here. `inference/drafts.py` has the outcome.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from inference.__main__ import use_compilation_cache
from inference.checkpoints import load
from inference.engine import Engine
from inference.loop import Resident, answer, look_ahead
from inference.planner import Bucket
from schema.client_messages import Settings
from schema.engine_messages import ModelInfo
from schema.manifest import DamagedCheckpoint
from sideman.bench import melodies
from sideman.paths import DEFAULT_CHECKPOINT, compilation_cache
from sideman.simulate import Melody, Player
from sideman.tunes import NoTunes
from training.corpora import CorpusProblem

SLOTS = 2
STEPS = (Bucket(1, 1, 1), Bucket(1, 1, 4), Bucket(1, 4, 1), Bucket(1, 16, 1), Bucket(1, 64, 1))
CHECKED = (0, 4, 8, 16)  # positions at once; 0: step by step
SURPRISED_STEPS = 2  # of a plan that nobody foresaw, at least


class Drafts(msgspec.Struct, frozen=True):
    """One way to decide; of plans that the player surprised: dependent calls and steps, and milliseconds."""

    checked: int
    plans: int
    differing: int  # from those decided step by step
    surprised: int
    calls_mean: float
    calls_p50: float
    calls_p90: float
    ms_p50: float
    ms_mean: float
    ms_p90: float
    frames_a_call: float


def replay(resident: Resident, tunes: Sequence[Melody], temperature: float) -> list[tuple[bytes, int, float]]:
    """Chords, steps and seconds of every plan."""
    found = []
    settings = Settings(model=resident.name, temperature=temperature)
    for number, tune in enumerate(tunes):
        player = Player(tune, [resident.info], settings, name=str(number), seed=number)
        while not player.over:
            player.tick()
            request = player.next_request()
            if request is None:
                continue
            began = time.perf_counter()
            (reply,) = answer(resident, [request])
            found.append((reply.chords, reply.steps, time.perf_counter() - began))
            player.take(reply)
            while look_ahead(resident, guesses=1):
                pass
    return found


def measure(checkpoint: Path, tunes: Sequence[Melody], temperature: float, checked: Sequence[int] = CHECKED) -> list[Drafts]:
    """Every way in turn; the first is step by step. Raises DamagedCheckpoint."""
    manifest, weights = load(checkpoint)
    info = ModelInfo(manifest.model, manifest.variant, manifest.temperature)
    ways: list[Drafts] = []
    for size in checked:
        buckets = (*STEPS, Bucket(1, size, size, True)) if size else STEPS
        engine = Engine(manifest.sizes, weights, slots=SLOTS, buckets=buckets)
        engine.warm_up()
        plans = replay(Resident(info, engine, buckets), tunes, temperature)
        if not ways:
            chords = [plan for plan, _, _ in plans]
            surprised = np.array([steps >= SURPRISED_STEPS for _, steps, _ in plans])
            frames = np.array([steps for _, steps, _ in plans])[surprised]
        calls = np.array([steps for _, steps, _ in plans])[surprised]
        took_ms = np.array([seconds for _, _, seconds in plans])[surprised] * 1000
        ways.append(
            Drafts(
                checked=size,
                plans=len(plans),
                differing=sum(one != other for (one, _, _), other in zip(plans, chords, strict=True)),
                surprised=len(calls),
                calls_mean=_rounded(calls.mean()),
                calls_p50=_rounded(np.median(calls)),
                calls_p90=_rounded(np.percentile(calls, 90)),
                ms_p50=_rounded(np.median(took_ms)),
                ms_mean=_rounded(took_ms.mean()),
                ms_p90=_rounded(np.percentile(took_ms, 90)),
                frames_a_call=_rounded(frames.sum() / calls.sum()),
            )
        )
    return ways


def _rounded(value: float) -> float:
    return round(float(value), 2)


def table(name: str, temperature: float, ways: Sequence[Drafts]) -> Table:
    """The report as people read it."""
    result = Table(title=f"{name}, T {temperature:g}: {ways[0].plans} plans, of which {ways[0].surprised} surprised by the player")
    for column in ("positions at once", "differing", "calls mean", "p50", "p90", "frames a call", "ms p50", "mean", "p90"):
        result.add_column(column, justify="right")
    for w in ways:
        result.add_row(
            f"{w.checked}" if w.checked else "step by step",
            f"{w.differing}",
            *(f"{value:.1f}" for value in (w.calls_mean, w.calls_p50, w.calls_p90, w.frames_a_call, w.ms_p50, w.ms_mean, w.ms_p90)),
        )
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="model to measure (default: the one that is served)")
    parser.add_argument("--data", type=Path, help="folder with pop909: replay its held-out melodies instead of the small fixtures")
    parser.add_argument("--melodies", type=int, default=4, help="how many (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write the report here")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    use_compilation_cache(compilation_cache())
    try:
        tunes = melodies(arguments.data)[: arguments.melodies]
        ways = measure(arguments.checkpoint, tunes, arguments.temperature)
    except (CorpusProblem, DamagedCheckpoint, NoTunes) as problem:
        print(f"sideman bench drafts: {problem}", file=sys.stderr)
        return 2
    Console(width=max(120, Console().width)).print(table(arguments.checkpoint.name, arguments.temperature, ways))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(ways), indent=2))
    return 0
