"""`sideman bench engine`: plans over real melodies, plain against served, in one run with the same weights. Shell.

*Plain* is what a server without memory does for every request: prefill the window, decode the lookahead, in one compiled call of the
best fitting shape. *Served* is the worker's path: scheduler, slots, reuse by value. Both get the very same requests; a
request's latency runs from when its batch was handed over to when its own plan was complete. Equality is checked chord by chord.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import jax
import msgspec
import numpy as np
from flax import nnx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from inference.__main__ import prepare, rss_bytes, use_compilation_cache
from inference.cache import bytes_per_slot
from inference.checkpoints import load
from inference.engine import Engine
from inference.errors import WorkerProblem
from inference.loop import Resident, answer
from inference.model import build
from inference.planner import Bucket, Progress, SlotMemory
from inference.settings import LIVE, NUMBERS
from schema.client_messages import Settings
from schema.engine_messages import PlanReply, PlanRequest, unpack_values
from schema.grid import FRAMES_PER_BEAT, frame_budget_ms
from schema.manifest import DamagedCheckpoint
from sideman.paths import DEFAULT_CHECKPOINT, compilation_cache
from sideman.simulate import Melody, Player, rounds
from sideman.tunes import NoTunes, fixture_tunes
from training.corpora import CorpusProblem
from training.pop909 import read_pop909
from training.rollouts import plain_plan
from training.split import split

COMMITS = (0, 2, 4)  # beats
BATCHES = (1, 8, 32)
LOOKAHEAD_FRAMES = 4 * FRAMES_PER_BEAT  # plain planning decides one more: the melody of the frame being played may be open
PLAIN_POSITIONS = (64, 128, 192, 256)
MELODIES = 16  # replayed in every case, so that batch 1 is no single song's luck
PLAIN_EVERY = 8  # plain planning is measured on every eighth round: it is slow, and every round is alike
NEAR_TIE = 1e-4  # two candidates this close may change places with the order of additions in float32


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds."""

    median: float
    p99: float
    max: float


class Case(msgspec.Struct, frozen=True):
    """One line of the table."""

    commit_beats: int
    temperature: float
    batch: int
    plans: int
    plain: Latency
    served: Latency
    times_faster: float  # medians
    steps_per_plan: float
    stood_share: float  # requests whose earlier plan stood: one step for the new frame, or none
    compared: int  # plans made both ways
    differing: int  # that differ at all
    defects: int  # that differ where the candidates are not nearly tied


class EngineReport(msgspec.Struct, frozen=True):
    """The whole run."""

    model: str
    parameters: int
    devices: str
    slots: int
    bytes_per_slot: int
    worker_rss_bytes: int  # with every shape compiled, before plain planning's
    half_frame_ms_at_120_bpm: float
    cases: list[Case]


@dataclass
class _Seen:
    """What a case has measured so far; times in seconds per plan."""

    served_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    compared: int = 0
    differing: int = 0
    defects: int = 0


class Bench:
    """Both paths over the same weights."""

    def __init__(self, checkpoint: Path, numbers: str | None = None) -> None:
        """`numbers` are those of the served path; the plain one is float32, whose plans it is compared with."""
        self.resident = prepare(checkpoint, live=replace(LIVE, numbers=numbers))
        assert isinstance(self.resident.engine, Engine), "prepared from a checkpoint"
        self.dtype = self.resident.engine.dtype
        self.rss_bytes = rss_bytes()
        manifest, weights = load(checkpoint)
        self.manifest = manifest
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(weights))
        shapes = [Bucket(batch, positions, LOOKAHEAD_FRAMES + 1) for batch in BATCHES for positions in PLAIN_POSITIONS]
        self._plain = Engine(manifest.sizes, weights, slots=max(BATCHES), buckets=shapes, numbers="float32")
        self._plain.warm_up()
        self._book = build(manifest.sizes)
        state = nnx.state(self._book)
        nnx.replace_by_pure_dict(state, weights)
        nnx.update(self._book, state)

    def case(self, tunes: Sequence[Melody], settings: Settings, batch: int, num_rounds: int) -> Case:
        """Replay melodies `batch` at a time, at least MELODIES of them, so that no case hangs on one song."""
        seen = _Seen()
        for group in range(max(1, MELODIES // batch)):
            numbers = range(group * batch, (group + 1) * batch)
            players = [
                Player(tunes[n % len(tunes)], [self.resident.info], settings, name=f"{settings}{batch} {n}", seed=n) for n in numbers
            ]
            full = (asked for asked in rounds(players) if len(asked) == batch)  # not while listening, nor when a melody is over
            for number, asked in enumerate(islice(full, num_rounds)):
                self._round(asked, seen, compare=number % PLAIN_EVERY == 0)
        plain, served = latency(seen.plain_s), latency(seen.served_s)
        return Case(
            commit_beats=settings.commit_beats,
            temperature=settings.temperature,
            batch=batch,
            plans=len(seen.steps),
            plain=plain,
            served=served,
            times_faster=round(plain.median / served.median, 2),
            steps_per_plan=round(float(np.mean(seen.steps)), 2),
            stood_share=round(float(np.mean(np.array(seen.steps) <= 1)), 3),
            compared=seen.compared,
            differing=seen.differing,
            defects=seen.defects,
        )

    def _round(self, asked: Sequence[tuple[Player, PlanRequest]], seen: "_Seen", *, compare: bool) -> None:
        """Answer one wave of all players, and plan it plainly too if it is to be compared."""
        requests = [request for _, request in asked]
        players = {request.session: player for player, request in asked}
        served: dict[str, list[int]] = {}
        for reply, seconds in timed_answer(self.resident, requests):
            players[reply.session].take(reply)
            served[reply.session] = unpack_values(reply.chords)
            seen.served_s.append(seconds)
            seen.steps.append(reply.steps)
        if not compare:
            return
        plans, seconds = self.plain(requests)
        seen.plain_s += [seconds] * len(plans)
        seen.compared += len(plans)
        for request, plan in zip(requests, plans, strict=True):
            if plan != served[request.session]:
                seen.differing += 1
                seen.defects += not self._nearly_tied(request, plan, served[request.session])

    def plain(self, requests: Sequence[PlanRequest]) -> tuple[list[list[int]], float]:
        """Plan the requests together from nothing, in one call; the plans and the seconds it took."""
        plans = [Progress(request, slot, SlotMemory()) for slot, request in enumerate(requests)]
        needed = max(progress.positions_left() for progress in plans)
        bucket = next(b for b in self._plain.buckets if b.rows >= len(plans) and b.positions >= needed)
        began = time.perf_counter()
        works = [progress.next_work(bucket.positions, bucket.decisions) for progress in plans]
        for progress, work, decided in zip(plans, works, self._plain.run(works, bucket), strict=True):
            progress.absorb(work, decided)
        seconds = time.perf_counter() - began
        assert all(progress.done for progress in plans), "expected one call to be enough"
        return [progress.chords() for progress in plans], seconds

    def _nearly_tied(self, request: PlanRequest, one: list[int], other: list[int]) -> bool:
        """Whether the plans part where the best two candidates are closer than float32 can tell, by whole forward passes."""
        margins = plain_plan(self._book, request).margins
        parted = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        return min(margins[: parted + 1]) < NEAR_TIE


def latency(seconds: Sequence[float]) -> Latency:
    """Percentiles in milliseconds."""
    values = np.asarray(seconds) * 1000
    return Latency(*(round(float(v), 3) for v in (np.median(values), np.percentile(values, 99), values.max())))


def timed_answer(resident: Resident, requests: Sequence[PlanRequest]) -> list[tuple[PlanReply, float]]:
    """Replies with the seconds each took from the moment its batch was handed over."""
    began = time.perf_counter()
    return [(reply, time.perf_counter() - began) for reply in answer(resident, requests)]


def table(report: EngineReport) -> Table:
    """The report as people read it."""
    result = Table(title=f"{report.model}, {report.parameters:,} parameters on {report.devices}: ms per plan, lookahead 4 beats")
    for column in (
        "commit",
        "T",
        "batch",
        "plain p50",
        "p99",
        "served p50",
        "p99",
        "faster",
        "steps",
        "stood",
        "compared",
        "differing",
        "defects",
    ):
        result.add_column(column, justify="right")
    for c in report.cases:
        times = (c.plain.median, c.plain.p99, c.served.median, c.served.p99)
        counts = (c.compared, c.differing, c.defects)
        result.add_row(
            *(f"{value:g}" for value in (c.commit_beats, c.temperature, c.batch)),
            *(f"{value:.2f}" for value in times),
            f"{c.times_faster:.1f}x",
            f"{c.steps_per_plan:.1f}",
            f"{c.stood_share:.2f}",
            *(f"{value}" for value in counts),
        )
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="model to measure (default: the shipped one)")
    parser.add_argument("--numbers", choices=NUMBERS, help="of the served path (default: float32 on a CPU, else bfloat16)")
    parser.add_argument("--rounds", type=int, default=160, help="frames to replay per case (default: %(default)s)")
    parser.add_argument("--data", type=Path, help="folder with pop909: replay its held-out melodies instead of the small fixtures")
    parser.add_argument("--json", type=Path, help="write the report here")


def melodies(data: Path | None) -> list[Melody]:
    """What is replayed: held-out songs if there is a corpus, else the tunes that come with the project's tests."""
    if data is None:
        return list(fixture_tunes())
    return [song for song in split(read_pop909(data / "pop909", "chord_midi").songs).test if len(song.melody) >= 512]


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    use_compilation_cache(compilation_cache())
    try:
        tunes = melodies(arguments.data)
        bench = Bench(arguments.checkpoint, arguments.numbers)
    except (CorpusProblem, DamagedCheckpoint, NoTunes, WorkerProblem) as problem:
        print(f"sideman bench engine: {problem}", file=sys.stderr)
        return 2
    settings = Settings(model=bench.manifest.model, lookahead_beats=4, silence_beats=8)
    plan = [(commit, 1.0, batch, arguments.rounds) for batch in BATCHES for commit in COMMITS]
    plan += [(commit, 0.0, 8, arguments.rounds // 2) for commit in COMMITS]
    cases = [
        bench.case(tunes, msgspec.structs.replace(settings, commit_beats=commit, temperature=temperature), batch, num_rounds)
        for commit, temperature, batch, num_rounds in track(plan, description="replaying", transient=True)
    ]
    report = EngineReport(
        model=bench.manifest.model,
        parameters=bench.parameters,
        devices=", ".join(sorted({str(device.device_kind) for device in jax.devices()})),
        slots=bench.resident.engine.slots,
        bytes_per_slot=bytes_per_slot(bench.manifest.sizes, bench.dtype),
        worker_rss_bytes=bench.rss_bytes,
        half_frame_ms_at_120_bpm=frame_budget_ms(120.0) / 2,
        cases=cases,
    )
    Console(width=max(130, Console().width)).print(table(report))
    memory = f"{report.worker_rss_bytes / 2**20:,.0f} MiB"
    print(f"{report.slots} slots of {report.bytes_per_slot / 2**20:.2f} MiB; resident memory with the worker ready: {memory}")
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 0
