"""`sideman bench load`: how many players a machine can accompany, over real sockets and in real time. Shell.

Gateway, worker and the processes that play are separate, on loopback. Ticks leave when they are due, whatever the answers do, and a
round trip counts from the moment its tick was due (see `sideman.load`).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sideman.bench import melodies
from sideman.load import Run
from sideman.load_report import GOAL, LoadReport, next_sessions
from sideman.load_run import Measured, Target, Vanished, measure
from sideman.paths import SHIPPED_CHECKPOINTS
from sideman.serve import ServeOptions, ServiceProblem, running
from sideman.simulate import Melody
from sideman.tunes import NoTunes
from sideman_client.errors import BadOption
from sideman_client.generated.messages import Configure
from training.corpora import CorpusProblem

RANGES = {"bpm": (20, 300), "commit": (0, 8), "lookahead": (1, 8), "silence": (0, 16)}  # as the protocol has them
# All players of a run come from one address; whoever starts it may still say otherwise.
LIMITS = {
    "SIDEMAN_MAX_SESSIONS_PER_ADDRESS": "100000",
    "SIDEMAN_ADDRESS_HANDSHAKES_PER_SECOND": "10000",
    "SIDEMAN_ADDRESS_HANDSHAKE_BURST": "10000",
}


class RampReport(msgspec.Struct, frozen=True):
    """The most sessions that went well, 0 if none did, and every run in the order of the search."""

    most_sessions: int
    runs: list[LoadReport]


# ---- what is done ----


async def bench(arguments: argparse.Namespace, tunes: Sequence[Melody]) -> tuple[LoadReport | RampReport, Measured]:
    """The report, and the run to draw. Raises ServiceProblem, Vanished."""
    if arguments.ramp:
        return await _ramp(arguments, tunes)
    async with _target(arguments) as target:
        measured = await measure(target, run_of(arguments, arguments.sessions), tunes)
    Console(width=max(120, Console().width)).print(table(measured.report))
    return measured.report, measured


async def _ramp(arguments: argparse.Namespace, tunes: Sequence[Melody]) -> tuple[RampReport, Measured]:
    """Search, each step on a service of its own: what one spared in the end (P12) would be the next one's loss.

    What is drawn and shown in full is the largest run that went well, or else the smallest.
    """
    tried: dict[int, Measured] = {}
    while (sessions := next_sessions(_carried(tried), arguments.sessions, arguments.max_sessions)) is not None:
        async with _target(arguments) as target:
            tried[sessions] = await measure(target, run_of(arguments, sessions), tunes)
        print(step(tried[sessions].report), flush=True)
    most = max((sessions for sessions, well in _carried(tried).items() if well), default=0)
    shown = tried[most or min(tried)]
    Console(width=max(120, Console().width)).print(table(shown.report))
    print(f"most sessions with {GOAL:.0%} of their round trips in budget: {most}{'+' if most == arguments.max_sessions else ''}")
    return RampReport(most, [measured.report for measured in tried.values()]), shown


def _carried(tried: dict[int, Measured]) -> dict[int, bool]:
    return {sessions: (measured.report.share_in_budget or 0.0) >= GOAL for sessions, measured in tried.items()}


@asynccontextmanager
async def _target(arguments: argparse.Namespace) -> AsyncIterator[Target]:
    """The service that was named, or one of our own for as long as this lasts. Raises ServiceProblem."""
    if arguments.url is not None:
        yield Target(arguments.url, None)
        return
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)
    checkpoints = tuple(arguments.checkpoint or SHIPPED_CHECKPOINTS)
    options = ServeOptions(checkpoints, port=0, metrics_port=0, slots=arguments.slots, quiet=True)
    print("sideman: starting a service to measure", file=sys.stderr, flush=True)
    async with running(options) as (_, address):
        yield Target(address.url, address.metrics)


def run_of(arguments: argparse.Namespace, sessions: int) -> Run:
    """What is asked of so many sessions."""
    settings = Configure(
        bpm=arguments.bpm,
        lookahead_beats=arguments.lookahead,
        commit_beats=arguments.commit,
        silence_beats=arguments.silence,
    )
    generators = min(arguments.generators, sessions)
    return Run(sessions, arguments.seconds, arguments.warm_up, settings, arguments.bpm, arguments.seed, generators)


# ---- what is shown ----


def step(report: LoadReport) -> str:
    """One line of a ramp."""
    share = "no tick wanted a plan" if report.share_in_budget is None else f"{report.share_in_budget:.2%} in budget"
    trip = report.round_trip_ms
    return f"{report.sessions:4} sessions: {share}, round trip p50 {_ms(trip.p50)}, p99 {_ms(trip.p99)}, max {_ms(trip.max)} ms"


def table(report: LoadReport) -> Table:
    """The report as people read it."""
    s = report.settings
    title = f"{report.sessions} sessions for {report.seconds:g} s at {s.bpm:g} bpm, {report.model} on {report.cores} cores"
    result = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False, padding=(0, 2, 0, 0))
    for name, text in _rows(report):
        result.add_row(name, text)
    return result


def _rows(report: LoadReport) -> list[tuple[str, str]]:
    s, trip, making = report.settings, report.round_trip_ms, report.making
    share = "no tick wanted a plan" if report.share_in_budget is None else f"{report.share_in_budget:.3%} of the ticks that wanted a plan"
    percentiles = ((name.replace("p999", "p99.9"), getattr(trip, name)) for name in trip.__struct_fields__)
    stages = ((name, getattr(making, name)) for name in ("queue", "device", "between", "gateway"))
    shares = (("ready when the tick came", making.ready_share), ("window reused", making.reused_share))
    counts = (("steps", making.steps_per_plan), ("plans a batch", making.plans_per_batch))
    rows = [
        ("settings (beats)", f"lookahead {s.lookahead_beats}, commit {s.commit_beats}, silence {s.silence_beats}"),
        ("answers", f"{report.ticks} ticks: " + ", ".join(f"{count} {kind}" for kind, count in report.answers.items())),
        ("round trip, ms", ", ".join(f"{name} {_ms(value)}" for name, value in percentiles)),
        (f"in {report.frame_budget_ms:g} ms", share),
        ("frames", f"{report.late_frames} began without their plan, {report.unplanned_frames} without any"),
        ("ticks left late, ms", f"p99 {_ms(report.lag_p99_ms)}, max {_ms(report.lag_max_ms)}"),
        ("lost sessions", str(report.lost_sessions)),
        ("stages, ms", ", ".join(f"{name} p50 {_ms(stage.p50)} p99 {_ms(stage.p99)}" for name, stage in stages)),
        ("stages, mean ms", ", ".join(f"{name} {value:.2f}" for name, value in report.stage_means_ms.items())),
        ("plans", ", ".join([*_known(shares, ".1%"), *_known(counts, ".2f")])),
    ]
    for name, use in report.processes.items():
        cpu = f"{use.cpu_s / report.seconds:.0%} of a core, {use.cpu_ms_per_session_s:.2f} ms a session-second"
        rows.append((name, f"{cpu}, {use.rss_bytes / 2**20:,.0f} MiB"))
    if report.other_cores_busy is not None:
        rows.append(("others", f"{report.other_cores_busy:.0%} of a core: what else ran on this machine"))
    return [(name, text) for name, text in rows if text]


def _known(pairs: Iterable[tuple[str, float | None]], form: str) -> list[str]:
    return [f"{name} {value:{form}}" for name, value in pairs if value is not None]


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


# ---- the command ----


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("--sessions", type=int, default=4, metavar="N", help="players (default: %(default)s; with --ramp, the first step)")
    add("--seconds", type=float, default=10.0, metavar="S", help="to measure (default: %(default)g)")
    add("--warm-up", type=float, default=3.0, metavar="S", help="to play before, unmeasured; all join in it (default: %(default)g)")
    add("--ramp", action="store_true", help="find the most players with 99 %% of their round trips in budget")
    add("--max-sessions", type=int, default=256, metavar="N", help="most players the ramp tries (default: %(default)s)")
    add("--generators", type=int, default=1, metavar="N", help="processes that play (default: %(default)s)")
    add("--bpm", type=float, default=120.0, help="tempo of all (default: %(default)g)")
    add("--commit", type=int, metavar="BEATS", help="beats at the head of a plan that never change")
    add("--lookahead", type=int, metavar="BEATS", help="beats planned ahead")
    add("--silence", type=int, default=2, metavar="BEATS", help="beats the service only listens to (default: %(default)s)")
    add("--checkpoint", type=Path, action="append", help="model to serve; again for more (default: the shipped ones)")
    add("--slots", type=int, metavar="N", help="sessions the worker remembers at once")
    add("--url", help="play against this running service instead of one of our own")
    add("--data", type=Path, help="folder with pop909: play its held-out melodies instead of the small fixtures")
    add("--seed", type=int, default=0, help="decides keys, bars and moments (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the report here")
    add("--plot", type=Path, metavar="FILE.png", help="draw the round trips here (needs matplotlib)")


def check(arguments: argparse.Namespace) -> None:
    """Mistakes that would otherwise show up after a minute. Raises BadOption."""
    least = {"sessions": 1, "max_sessions": 1, "generators": 1, "seconds": 0.1, "warm_up": 0}
    ranges = RANGES | {name: (low, 1_000_000) for name, low in least.items()}
    for name, (low, high) in ranges.items():
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            raise BadOption(expected=f"--{name.replace('_', '-')} from {low} to {high}", got=f"{value:g}", advice="choose another")
    if arguments.url is not None and (arguments.checkpoint or arguments.slots):
        got = "--url, a service that is running"
        raise BadOption(expected="--checkpoint and --slots for a service of our own", got=got, advice="leave out one or the other")
    for path in (arguments.json, arguments.plot):
        if path is not None and not path.parent.is_dir():
            raise BadOption(expected=f"a folder for {path}", got="none", advice="make it, or choose another place")
    if arguments.plot is not None and find_spec("matplotlib") is None:
        advice = "pip install 'sideman[evaluate]', or leave out --plot"
        raise BadOption(expected="matplotlib for --plot", got="none installed", advice=advice)


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    try:
        check(arguments)
        report, shown = asyncio.run(bench(arguments, melodies(arguments.data)))
    except (BadOption, CorpusProblem, NoTunes, ServiceProblem, Vanished) as problem:
        if not (isinstance(problem, ServiceProblem) and problem.said):
            print(f"sideman bench load: {problem}", file=sys.stderr)
        return 2
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if arguments.plot is not None:
        from sideman.load_plot import draw  # whoever does not draw needs no matplotlib

        draw(arguments.plot, shown.report, shown.waits_ms)
    return 0
