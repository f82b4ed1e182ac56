"""`sideman serve`: one gateway and one worker as processes of their own, started, watched and stopped together. Shell."""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sideman.paths import SHIPPED_CHECKPOINTS, built_page, compilation_cache

RESTART_PAUSES_S = (1, 2, 4, 8, 16)  # between attempts to restart a worker that died; then the service gives up
STOP_S = 20.0  # for a process to leave after SIGTERM, then it is killed
READY_POLL_S = 0.05
STEADY_S = 60.0  # a worker that served this long starts its pauses anew
OPERATOR_PROBLEM = 2  # exit code of a process that has already said what the operator has to mend

_GATEWAY = re.compile(r"sideman gateway: (?P<url>ws://\S+) metrics (?P<metrics>http://\S+)/metrics")
_WORKER = re.compile(r"sideman worker: (?P<models>.+) ready on (?P<socket>\S+)(?: metrics (?P<metrics>http://\S+)/metrics)?")


class ServiceProblem(RuntimeError):
    """The service cannot start or go on; `said` tells whether the process itself has printed why."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what, code)
        self.what, self.code = what, code
        self.said = code == OPERATOR_PROBLEM

    def __str__(self) -> str:
        return f"expected the {self.what} to run, got exit code {self.code}; its last lines above say why"


@dataclass(frozen=True)
class ServeOptions:
    """How to serve; None leaves the default to the process it concerns."""

    checkpoints: tuple[Path, ...] = SHIPPED_CHECKPOINTS
    host: str | None = None
    port: int | None = None
    metrics_host: str | None = None
    metrics_port: int | None = None
    origins: tuple[str, ...] = ()
    max_sessions: int | None = None
    slots: int | None = None
    worker_metrics_port: int | None = None
    quiet: bool = False  # a service for the length of another command: only what is wrong is said


@dataclass(frozen=True)
class Address:
    """Where a running service is."""

    url: str
    metrics: str
    models: str
    worker_metrics: str | None


class Service:
    """Both processes; use `running`."""

    def __init__(self, options: ServeOptions, socket: Path) -> None:
        self._options = options
        self._socket = socket
        self._gateway: asyncio.subprocess.Process | None = None
        self._worker: asyncio.subprocess.Process | None = None

    async def start(self) -> Address:
        """Start both and wait until plans can be made. Raises ServiceProblem."""
        self._gateway = await self._spawn(self._gateway_command())
        self._worker = await self._spawn(self._worker_command())
        gateway, worker = await asyncio.gather(_announced(self._gateway, "gateway", _GATEWAY), _announced(self._worker, "worker", _WORKER))
        await self._until_ready(gateway["metrics"])
        return Address(gateway["url"], gateway["metrics"], worker["models"], worker["metrics"])

    async def watch(self) -> None:
        """Restart the worker whenever it dies: sessions stay open and play on meanwhile. Raises ServiceProblem when that is in vain."""
        assert self._gateway is not None, "started before it is watched"
        gateway_gone = asyncio.ensure_future(_drain(self._gateway))
        try:
            failures = 0
            while True:
                began = asyncio.get_running_loop().time()
                assert self._worker is not None, "started before it is watched"
                worker_gone = asyncio.ensure_future(_drain(self._worker))
                await asyncio.wait({gateway_gone, worker_gone}, return_when=asyncio.FIRST_COMPLETED)
                if gateway_gone.done():
                    worker_gone.cancel()
                    raise ServiceProblem("gateway", gateway_gone.result())
                failures = 0 if asyncio.get_running_loop().time() - began > STEADY_S else failures + 1
                if worker_gone.result() == OPERATOR_PROBLEM or failures > len(RESTART_PAUSES_S):
                    raise ServiceProblem("worker", worker_gone.result())
                pause = RESTART_PAUSES_S[max(0, failures - 1)]
                print(f"sideman: the worker ended with {worker_gone.result()}; starting another in {pause} s", file=sys.stderr, flush=True)
                await asyncio.sleep(pause)
                self._worker = await self._spawn(self._worker_command())
        finally:
            gateway_gone.cancel()

    async def stop(self) -> None:
        """Gateway first, so that players are told; then the worker."""
        for process in (self._gateway, self._worker):
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _until_ready(self, metrics: str) -> None:
        """Wait until the gateway has found the worker. Raises ServiceProblem if either ends before."""
        while True:
            for what, process in (("gateway", self._gateway), ("worker", self._worker)):
                if process is not None and process.returncode is not None:
                    raise ServiceProblem(what, process.returncode)
            with contextlib.suppress(OSError):
                if await _is_ready(metrics):
                    return
            await asyncio.sleep(READY_POLL_S)

    async def _spawn(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        """A child that leaves when this process does, however it ends; Ctrl-C reaches only us, and we stop them in order."""
        pipe = asyncio.subprocess.PIPE
        environment = ({"SIDEMAN_LOG_LEVEL": "warning"} if self._options.quiet else {}) | os.environ
        return await asyncio.create_subprocess_exec(
            *command, "--with-parent", stdin=pipe, stdout=pipe, start_new_session=True, env=environment
        )

    def _gateway_command(self) -> list[str]:
        o = self._options
        pairs = (
            ("--host", o.host),
            ("--port", o.port),
            ("--metrics-host", o.metrics_host),
            ("--metrics-port", o.metrics_port),
            ("--max-sessions", o.max_sessions),
            ("--page", built_page()),
        )
        command = [sys.executable, "-m", "gateway", "--worker", str(self._socket)]
        command += [part for name, value in pairs if value is not None for part in (name, str(value))]
        return command + [part for origin in o.origins for part in ("--origin", origin)]

    def _worker_command(self) -> list[str]:
        command = [sys.executable, "-m", "inference", "--socket", str(self._socket), "--cache", str(compilation_cache())]
        command += [part for checkpoint in self._options.checkpoints for part in ("--checkpoint", str(checkpoint))]
        o = self._options
        pairs = (("--slots", o.slots), ("--metrics-host", o.metrics_host), ("--metrics-port", o.worker_metrics_port))
        return command + [part for name, value in pairs if value is not None for part in (name, str(value))]


@contextlib.asynccontextmanager
async def running(options: ServeOptions) -> AsyncIterator[tuple[Service, Address]]:
    """A service that is ready, stopped on the way out. Raises ServiceProblem."""
    with tempfile.TemporaryDirectory(prefix="sideman-") as folder:
        service = Service(options, Path(folder) / "worker.sock")
        try:
            yield service, await service.start()
        finally:
            await service.stop()


async def serve(options: ServeOptions) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("sideman: loading the model and compiling; the first start takes up to a minute, later ones seconds", flush=True)
    serving = asyncio.ensure_future(_serve(options))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        print("sideman: stopped", flush=True)
    except ServiceProblem as problem:
        if not problem.said:
            print(f"sideman serve: {problem}", file=sys.stderr)
        return OPERATOR_PROBLEM
    return 0


async def _serve(options: ServeOptions) -> None:
    async with running(options) as (service, address):
        worker = "" if address.worker_metrics is None else f"  its worker:   {address.worker_metrics}/metrics\n"
        print(
            f"sideman: ready, {address.models} on {address.url}\n"
            f"  in the browser: {_page_line(address.url)}\n"
            f"  play a tune:  sideman play tests/fixtures/sunday_walk.mid --url {address.url} --out jam.mid\n"
            f"{worker}  watch it:     {address.metrics}/metrics  {address.metrics}/readyz\n"
            "  stop it:      Ctrl-C",
            flush=True,
        )
        await service.watch()


def _page_line(url: str) -> str:
    """Where to open the page, or why there is none."""
    if built_page() is None:
        return "no page yet; it is built with Node 20.19 or newer (`make page`), everything else works without"
    return url.replace("ws://", "http://", 1)


async def _announced(process: asyncio.subprocess.Process, what: str, pattern: re.Pattern[str]) -> dict[str, str]:
    """The facts in the line a process prints when it is up. Raises ServiceProblem if it ends before."""
    assert process.stdout is not None, "spawned with a pipe"
    async for line in process.stdout:
        if match := pattern.search(line.decode()):
            return match.groupdict()
    raise ServiceProblem(what, await process.wait())


async def _is_ready(metrics: str) -> bool:
    """What the gateway says on /readyz."""
    host, _, port = metrics.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    return b" 200 " in status


async def _drain(process: asyncio.subprocess.Process) -> int:
    """Read what a process still prints, until it ends; its exit code."""
    assert process.stdout is not None, "spawned with a pipe"
    async for _ in process.stdout:
        pass
    return await process.wait()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        help="model to serve; again for more. The first that can play live is the default, an offline one gives warm start and harmonize"
        " (default: the shipped ones)",
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1; put a proxy with TLS in front of anything else)")
    parser.add_argument("--port", type=int, help="players' port (default: 8765; 0 takes any free one)")
    parser.add_argument("--metrics-host", help="address for health and metrics (default: 127.0.0.1)")
    parser.add_argument("--metrics-port", type=int, help="port of /healthz, /readyz and /metrics (default: 9765; 0 takes any free one)")
    parser.add_argument("--origin", action="append", default=[], help="origin of a web page that may connect (default: this machine's)")
    parser.add_argument("--max-sessions", type=int, help="seats (default: 2000)")
    parser.add_argument("--slots", type=int, help="sessions the worker remembers at once (default: 32)")
    parser.add_argument("--worker-metrics-port", type=int, help="port for the worker's own metrics (default: none is opened)")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    options = ServeOptions(
        checkpoints=tuple(arguments.checkpoint or SHIPPED_CHECKPOINTS),
        host=arguments.host,
        port=arguments.port,
        metrics_host=arguments.metrics_host,
        metrics_port=arguments.metrics_port,
        origins=tuple(arguments.origin),
        max_sessions=arguments.max_sessions,
        slots=arguments.slots,
        worker_metrics_port=arguments.worker_metrics_port,
    )
    return asyncio.run(serve(options))
