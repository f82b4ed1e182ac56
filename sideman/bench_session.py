"""`sideman bench session`: what a plan costs as a session grows, from 16 beats to half an hour. Shell.

One melody over and over, frame by frame, through the gateway's session and the worker's planner. Nothing of a session is remembered but
the window, so time and memory must not grow: that is what the table and the picture show. Between two frames the worker has time to feed
the window behind a hop, as it has in service; that is told apart. It guesses nothing here.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from inference.__main__ import prepare, rss_bytes, use_compilation_cache
from inference.errors import WorkerProblem
from inference.loop import Resident, answer, look_ahead
from schema.client_messages import Settings
from schema.grid import FRAMES_PER_BEAT, frame_seconds
from schema.manifest import DamagedCheckpoint
from sideman.paths import DEFAULT_CHECKPOINT, compilation_cache
from sideman.simulate import Player
from sideman.tunes import NoTunes, fixture_tunes

BPM = 120.0
SILENCE_BEATS = 8


class Tune(NamedTuple):
    """A melody repeated to any length."""

    melody: np.ndarray
    chords: np.ndarray
    beats_per_bar: int


class Stretch(msgspec.Struct, frozen=True):
    """Plans of one stretch of the session; milliseconds of the worker, and of the gateway's session."""

    until_minutes: float
    plans: int
    plan_p50_ms: float
    plan_p99_ms: float
    ahead_ms_per_plan: float  # mean, between the frames
    session_p50_ms: float
    steps_per_plan: float
    request_bytes: int  # largest
    rss_bytes: int


class SessionReport(msgspec.Struct, frozen=True):
    """The whole run."""

    model: str
    bpm: float
    stretches: list[Stretch]


def measure(resident: Resident, minutes: float, stretches: int) -> SessionReport:
    """Play one session. Raises NoTunes."""
    tune = fixture_tunes()[0]
    num_frames = int(minutes * 60 / frame_seconds(BPM))
    melody, chords = (np.resize(values, num_frames) for values in (tune.melody, tune.chords))
    settings = Settings(model=resident.info.name, temperature=1.0, silence_beats=SILENCE_BEATS)
    player = Player(Tune(melody, chords, tune.beats_per_bar), [resident.info], settings, name="one", seed=1)
    found = []
    first = 16 * FRAMES_PER_BEAT
    for until in np.unique(np.concatenate([[first, 4 * first], np.linspace(0, num_frames, stretches + 1)[1:]]).astype(int)):
        rows: list[tuple[float, ...]] = []
        while len(player.sounded) < until and not player.over:
            began = time.perf_counter()
            player.tick()
            request = player.next_request()
            if request is None:
                continue
            asked = time.perf_counter()
            (reply,) = answer(resident, [request])
            answered = time.perf_counter()
            player.take(reply)
            taken = time.perf_counter()
            while look_ahead(resident, guesses=0):
                pass
            ahead_s, session_s = time.perf_counter() - taken, taken - answered + asked - began
            rows.append((answered - asked, ahead_s, session_s, reply.steps, len(msgspec.msgpack.encode(request))))
        if rows:
            found.append(_stretch(until, rows))
    return SessionReport(resident.info.name, BPM, found)


def _stretch(until: int, rows: Sequence[tuple[float, ...]]) -> Stretch:
    plan_s, ahead_s, session_s, steps, size = (np.array(column) for column in zip(*rows, strict=True))
    return Stretch(
        until_minutes=round(float(until * frame_seconds(BPM) / 60), 2),
        plans=len(rows),
        plan_p50_ms=round(float(np.median(plan_s)) * 1000, 3),
        plan_p99_ms=round(float(np.percentile(plan_s, 99)) * 1000, 3),
        ahead_ms_per_plan=round(float(ahead_s.mean()) * 1000, 3),
        session_p50_ms=round(float(np.median(session_s)) * 1000, 3),
        steps_per_plan=round(float(steps.mean()), 2),
        request_bytes=int(size.max()),
        rss_bytes=rss_bytes(),
    )


def table(report: SessionReport) -> Table:
    """The report as people read it."""
    result = Table(title=f"{report.model}, one session at {report.bpm:g} BPM: ms per plan as it grows")
    for column in ("until minute", "plans", "plan p50", "p99", "fed ahead", "session p50", "steps", "request bytes", "memory MiB"):
        result.add_column(column, justify="right")
    for s in report.stretches:
        times = (f"{value:.2f}" for value in (s.plan_p50_ms, s.plan_p99_ms, s.ahead_ms_per_plan, s.session_p50_ms, s.steps_per_plan))
        result.add_row(f"{s.until_minutes:g}", f"{s.plans}", *times, f"{s.request_bytes}", f"{s.rss_bytes / 2**20:,.0f}")
    return result


def draw(path: Path, report: SessionReport) -> None:
    """Time and memory over the length of the session."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    minutes = [s.until_minutes for s in report.stretches]
    for name, label in (("plan_p50_ms", "plan, median"), ("plan_p99_ms", "plan, 99 of 100")):
        axes.plot(minutes, [getattr(s, name) for s in report.stretches], marker="o", label=label)
    axes.set_xlabel("length of the session, minutes")
    axes.set_ylabel("ms per plan")
    axes.set_ylim(bottom=0)
    other = axes.twinx()
    other.plot(minutes, [s.rss_bytes / 2**20 for s in report.stretches], color="grey", linestyle="--", label="memory")
    other.set_ylabel("resident memory, MiB")
    other.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=3)
    figure.savefig(path, dpi=120)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="model to measure (default: the shipped one)")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the session (default: %(default)g)")
    parser.add_argument("--stretches", type=int, default=15, help="parts to tell apart (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it here (needs matplotlib)")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    if arguments.plot is not None and find_spec("matplotlib") is None:
        print("sideman bench session: expected matplotlib for --plot, got none: pip install 'sideman[evaluate]'", file=sys.stderr)
        return 2
    use_compilation_cache(compilation_cache())
    try:
        report = measure(prepare(arguments.checkpoint), arguments.minutes, arguments.stretches)
    except (DamagedCheckpoint, NoTunes, WorkerProblem) as problem:
        print(f"sideman bench session: {problem}", file=sys.stderr)
        return 2
    Console(width=max(110, Console().width)).print(table(report))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if arguments.plot is not None:
        draw(arguments.plot, report)
    return 0
