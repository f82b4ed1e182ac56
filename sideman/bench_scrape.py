"""`sideman bench scrape`: what reading the gateway's metrics takes while many sessions are open. Shell.

A scrape runs on the players' event loop, so its time is also the longest that a player waits for it. The sessions tick once a second
in their silence: the gateway works, the worker does not.
"""

import argparse
import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import msgspec
from websockets.asyncio.client import ClientConnection

from sideman.bench_load import LIMITS
from sideman.load_report import percentile
from sideman.paths import SHIPPED_CHECKPOINTS
from sideman.serve import ServeOptions, ServiceProblem, running
from sideman_client.codec import MSGPACK, decode, encode
from sideman_client.errors import BadOption, SidemanError
from sideman_client.generated.messages import Configure, Hello, Tick
from sideman_client.opening import open_session

LISTENING = Configure(bpm=20.0, silence_beats=16)  # 48 s in which ticks are answered by the gateway alone
LONGEST_S = 40.0  # of scraping: within that silence
TIMEOUT_S = 10.0


class ScrapeReport(msgspec.Struct, frozen=True):
    """Milliseconds from asking for the page to having all of it (nearest rank)."""

    sessions: int
    scrapes: int
    series: int
    page_bytes: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Player:
    """An open session that ticks now and then and reads what comes."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._seq = 0
        self._reading = asyncio.create_task(self._read())

    async def tick(self) -> None:
        """The next frame."""
        await self._connection.send(encode(Tick(self._seq, self._seq), MSGPACK))
        self._seq += 1

    async def leave(self) -> None:
        """Close."""
        self._reading.cancel()
        await self._connection.close()

    async def _read(self) -> None:
        async for data in self._connection:
            decode(data, MSGPACK)


async def bench(checkpoints: tuple[Path, ...], sessions: int, scrapes: int, pause_s: float) -> ScrapeReport:
    """Open the sessions, scrape, close. Raises ServiceProblem, SidemanError."""
    for name, value in (LIMITS | {"SIDEMAN_HANDSHAKES_PER_SECOND": "10000", "SIDEMAN_HANDSHAKE_BURST": "10000"}).items():
        os.environ.setdefault(name, value)
    async with running(ServeOptions(checkpoints, port=0, metrics_port=0, quiet=True)) as (_, address):
        players: list[Player] = []
        try:
            for _ in range(sessions):
                connection, _welcome = await open_session(address.url, Hello(client="sideman bench scrape"), MSGPACK)
                await connection.send(encode(LISTENING, MSGPACK))
                players.append(Player(connection))
            ticking = asyncio.create_task(_tick(players))
            taken_ms, page = await asyncio.to_thread(_scrape, f"{address.metrics}/metrics", scrapes, pause_s)
            ticking.cancel()
        finally:
            await asyncio.gather(*(player.leave() for player in players))
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    ordered = sorted(taken_ms)
    return ScrapeReport(sessions, scrapes, series, len(page), *(percentile(ordered, percent) for percent in (50, 99, 100)))


async def _tick(players: Sequence[Player]) -> None:
    """Every player once a second, spread evenly."""
    while True:
        for player in players:
            await player.tick()
            await asyncio.sleep(1.0 / len(players))


def _scrape(url: str, scrapes: int, pause_s: float) -> tuple[list[float], bytes]:
    taken_ms, page = [], b""
    for _ in range(scrapes):
        began = time.perf_counter()
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            page = answer.read()
        taken_ms.append((time.perf_counter() - began) * 1000.0)
        time.sleep(pause_s)
    return taken_ms, page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--sessions", type=int, default=1000, metavar="N", help="sessions open meanwhile (default: %(default)s)")
    parser.add_argument("--scrapes", type=int, default=100, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.1, metavar="S", help="between two of them (default: %(default)g)")
    parser.add_argument("--checkpoint", type=Path, action="append", help="model to serve; again for more (default: the shipped ones)")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    try:
        if arguments.sessions < 1 or arguments.scrapes < 1 or not 0 <= arguments.scrapes * arguments.pause <= LONGEST_S:
            got = f"{arguments.sessions} sessions, {arguments.scrapes} scrapes, {arguments.pause:g} s apart"
            expected = f"at least one of each, and at most {LONGEST_S:g} s of scraping"
            raise BadOption(expected=expected, got=got, advice="choose other numbers")
        checkpoints = tuple(arguments.checkpoint or SHIPPED_CHECKPOINTS)
        report = asyncio.run(bench(checkpoints, arguments.sessions, arguments.scrapes, arguments.pause))
    except (SidemanError, ServiceProblem) as problem:
        print(f"sideman bench scrape: {problem}", file=sys.stderr)
        return 2
    print(
        f"{report.scrapes} scrapes with {report.sessions} sessions open: p50 {report.p50_ms:.1f} ms, p99 {report.p99_ms:.1f} ms, "
        f"max {report.max_ms:.1f} ms; {report.series} series, {report.page_bytes / 1024:.0f} KiB"
    )
    return 0
