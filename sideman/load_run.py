"""One load run: starts the processes that play, tells them when, and looks on from outside. Shell.

What the processes took is read from /proc, what happened inside from the gateway's metrics; neither is there for a service
somewhere else.
"""

import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from schema.grid import frame_seconds
from sideman.load import Job, Part, Run, Takings, arrivals
from sideman.load_report import LoadReport, Resources, report, samples, waits_ms
from sideman.serve import ServiceProblem
from sideman.simulate import Melody

NAMES = {"gateway": "gateway", "inference": "worker", "sideman.load_generator": "generator"}  # modules as they are run
START_S = 0.3  # from `ready` of the last generator to the start
FOREIGN_PAUSE_S = 0.12  # between opening handshakes with a service of others, which allows an address ten a second
MOST_OUTPUT_BYTES = 1 << 30
METRICS_S = 2.0


class Vanished(RuntimeError):
    """A process ended while it was measured."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"expected the {self.what} to live through the run, got its end; its last lines above say why"


class Target(NamedTuple):
    """The service under load; `metrics` is None for one of others."""

    url: str
    metrics: str | None


class Measured(NamedTuple):
    """A run, and the waits of its ticks in rising order, for the picture."""

    report: LoadReport
    waits_ms: list[float]


class Snapshot(NamedTuple):
    """What /proc and the metrics say at one moment."""

    cpu_s: dict[str, float]
    rss_bytes: dict[str, int]
    busy_s: float | None
    metrics: dict[str, float]


# ---- one run ----


async def measure(target: Target, run: Run, tunes: Sequence[Melody]) -> Measured:
    """Play it. Raises ServiceProblem if a generator fails, Vanished."""
    parts = arrivals(tunes, run)
    players = [await _spawn() for _ in range(run.generators)]
    coming: list[asyncio.Task[Takings]] = []
    try:
        for number, player in enumerate(players):
            await _prepare(player, _job(target, run, parts[number :: run.generators]))
        start_s = time.monotonic() + START_S
        for player in players:
            _tell(player, f"{start_s!r}".encode())
        coming = [asyncio.create_task(_takings(player)) for player in players]
        seen = await _resources(target, start_s + run.warm_up_s, run.seconds)
        for player in players:
            _tell(player, b"enough")
        takings = await asyncio.gather(*coming)
    finally:
        for task in coming:
            task.cancel()
        for player in players:
            if player.returncode is None:
                player.kill()
                await player.wait()
    waits = waits_ms([played for taken in takings for played in taken.rounds])
    return Measured(report(run, takings, seen, cores=os.cpu_count() or 1), waits)


def _job(target: Target, run: Run, parts: list[Part]) -> Job:
    pause_s = 0.0 if target.metrics is not None else FOREIGN_PAUSE_S
    return Job(target.url, run.settings, parts, frame_seconds(run.bpm), run.warm_up_s, run.seconds, pause_s)


async def _spawn() -> asyncio.subprocess.Process:
    """A generator; Ctrl-C reaches only us."""
    command = [sys.executable, "-m", "sideman.load_generator"]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True, limit=MOST_OUTPUT_BYTES)


def _tell(player: asyncio.subprocess.Process, line: bytes) -> None:
    assert player.stdin is not None, "spawned with a pipe"
    player.stdin.write(line + b"\n")


async def _prepare(player: asyncio.subprocess.Process, job: Job) -> None:
    """Wait until all its sessions are open. Raises ServiceProblem."""
    assert player.stdout is not None, "spawned with a pipe"
    _tell(player, msgspec.json.encode(job))
    if await player.stdout.readline() != b"ready\n":
        raise ServiceProblem("load generator", await player.wait())


async def _takings(player: asyncio.subprocess.Process) -> Takings:
    assert player.stdout is not None, "spawned with a pipe"
    said = await player.stdout.read()
    if (code := await player.wait()) != 0:
        raise ServiceProblem("load generator", code)
    return msgspec.json.decode(said, type=Takings)


# ---- what can be seen from outside ----


async def _resources(target: Target, begin_s: float, seconds: float) -> Resources:
    """What the measured seconds took. Raises Vanished."""
    processes = _processes()
    await asyncio.sleep(begin_s - time.monotonic())
    before = await asyncio.to_thread(_snapshot, processes, target.metrics)
    await asyncio.sleep(begin_s + seconds - time.monotonic())
    after = await asyncio.to_thread(_snapshot, processes, target.metrics)
    busy_s = after.busy_s - before.busy_s if after.busy_s is not None and before.busy_s is not None else None
    cpu_s = {name: after.cpu_s[name] - before.cpu_s[name] for name in processes}
    return Resources(cpu_s, after.rss_bytes, busy_s, before.metrics, after.metrics)


def _processes() -> dict[str, list[int]]:
    """Our children by name; none where there is no /proc."""
    try:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        modules = {int(pid): Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2] for pid in children}
    except OSError:
        return {}
    return {name: pids for module, name in NAMES.items() if (pids := [pid for pid, ran in modules.items() if ran == module])}


def _snapshot(processes: dict[str, list[int]], metrics: str | None) -> Snapshot:
    cpu_s, rss_bytes = {}, {}
    for name, pids in processes.items():
        try:
            cpu_s[name] = sum(_cpu_s(pid) for pid in pids)
            rss_bytes[name] = sum(_rss_bytes(pid) for pid in pids)
        except OSError:
            raise Vanished(name) from None
    return Snapshot(cpu_s, rss_bytes, _busy_s() if processes else None, {} if metrics is None else samples(_page(metrics)))


def _cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _busy_s() -> float:
    """Of all cores together, by whatever runs; proc_stat(5): all but idle and waiting."""
    user, nice, system, _, _, *interrupts = (int(part) for part in Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _page(metrics: str) -> str:
    """Nothing if a gateway that is overwhelmed does not show it in time."""
    try:
        with urllib.request.urlopen(f"{metrics}/metrics", timeout=METRICS_S) as answer:
            page: bytes = answer.read()
    except OSError:
        return ""
    return page.decode()
