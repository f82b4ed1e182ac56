"""Services with a fault each, players in real time, and a slow way to them. Shell."""

import asyncio
import contextlib
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sideman_client.client import connect
from sideman_client.generated.messages import Configure, NoteEvent
from tests.doubles import SOON_S

BPM = 60.0  # a frame is 250 ms: a busy machine is no fault
SETTINGS = Configure(bpm=BPM, silence_beats=1, commit_beats=1, lookahead_beats=4)


@dataclass
class ToyWorker:
    """A worker with a cheap engine; `metrics` is host:port."""

    process: asyncio.subprocess.Process
    socket: Path
    metrics: str


@dataclass
class GatewayProcess:
    """A gateway; `metrics` is host:port."""

    process: asyncio.subprocess.Process
    url: str
    metrics: str

    @property
    def port(self) -> int:
        """Where players connect."""
        return int(self.url.rpartition(":")[2])


@dataclass
class Running:
    """A gateway and its worker: where players connect, and host:port of their metrics."""

    url: str
    gateway: str
    worker: str


@asynccontextmanager
async def toy_worker(socket: Path, *, slots: int = 32, call_ms: float = 2.0) -> AsyncIterator[ToyWorker]:
    """The real worker but for its engine, whose calls last as long as they are told to."""
    async with process("tests.deploy.toy_worker", "--socket", socket, "--slots", slots, "--call-ms", call_ms) as started:
        yield ToyWorker(started, socket, f"127.0.0.1:{(await line(started)).strip()}")


@asynccontextmanager
async def gateway(sockets: list[Path], *, port: int = 0, environment: dict[str, str] | None = None) -> AsyncIterator[GatewayProcess]:
    """A gateway that is ready."""
    workers = [part for socket in sockets for part in ("--worker", socket)]
    async with process("gateway", "--port", port, "--metrics-port", 0, *workers, environment=environment) as started:
        found = re.search(r"(ws://\S+) metrics http://(\S+)/metrics", await line(started))
        assert found, "the gateway said something else"
        await until_ready(found[2])
        yield GatewayProcess(started, found[1], found[2])


@asynccontextmanager
async def house(folder: Path, *, slots: int = 32, call_ms: float = 2.0) -> AsyncIterator[Running]:
    """One of each."""
    socket, groups = folder / "worker.sock", {"SIDEMAN_CLIENT_GROUPS": "near,far"}
    async with toy_worker(socket, slots=slots, call_ms=call_ms) as worker, gateway([socket], environment=groups) as front:
        yield Running(front.url, front.metrics, worker.metrics)


@asynccontextmanager
async def process(module: str, *options: object, environment: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module` that ends with its standard input, at the latest with this block."""
    pipe = asyncio.subprocess.PIPE
    with_parent = ["--with-parent"] if module == "gateway" else []
    command = [sys.executable, "-m", module, *map(str, options), *with_parent]
    started = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env={**os.environ, **(environment or {})})
    try:
        yield started
    finally:
        if started.returncode is None:
            started.stdin.close()
            try:
                await asyncio.wait_for(started.wait(), SOON_S)
            except TimeoutError:
                started.kill()
                await started.wait()


async def line(started: asyncio.subprocess.Process) -> str:
    """The next line it prints."""
    async with asyncio.timeout(SOON_S):
        return (await started.stdout.readline()).decode()


async def until_ready(metrics: str) -> None:
    """Ask /readyz until it says so."""
    host, _, port = metrics.partition(":")
    async with asyncio.timeout(SOON_S):
        status = b""
        while b" 200 " not in status:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                status = await reader.readline()
                writer.close()


async def play(url: str, *, name: str, seconds: float, seed: int = 0, settings: Configure = SETTINGS, welcomed=None):
    """An honest client that plays in real time; its jam. `welcomed` is called with the name of the session."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    frame_s = 15.0 / settings.bpm
    async with connect(url, name=name) as client:
        await client.configure(settings)
        if welcomed is not None:
            await welcomed(client.welcome.session)
        start = loop.time() + rng.uniform(0.0, frame_s)
        for frame in range(int(seconds / frame_s)):
            await asyncio.sleep(start + frame * frame_s - loop.time())  # the player's clock: real time is what is tested
            if frame % 2 and rng.random() < 0.7:
                client.jam.note(NoteEvent(frame - 1, rng.choice((60, 62, 64, 65, 67, 69, 71)), True))
            await client.send_tick(frame)
    return client.jam


@asynccontextmanager
async def slow_link(url: str, delay_s: float) -> AsyncIterator[str]:
    """Another address of the same service, everything on its way there and back delayed by so much, in order."""
    host, _, port = url.removeprefix("ws://").partition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(65_536):
            loop.call_later(delay_s, _write, writer, data)
        loop.call_later(delay_s, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        for task in (asyncio.create_task(carry(reader, far_writer)), asyncio.create_task(carry(far_reader, writer))):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
