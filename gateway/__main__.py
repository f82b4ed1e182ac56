"""`python -m gateway`: reads the settings, runs the gateway, stops it in good order. Shell."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence

import uvloop
from prometheus_client import disable_created_metrics

from gateway import logs
from gateway.errors import OperatorError
from gateway.server import Gateway
from gateway.settings import GatewaySettings, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 2 if the operator has to mend something first."""
    disable_created_metrics()
    try:
        given = parse(arguments)
        settings = read_settings(given)
        logs.set_up(settings.log_format, level=settings.log_level)
        uvloop.run(run(settings, with_parent=given.with_parent))
    except OperatorError as problem:
        print(f"sideman gateway: {problem}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The WebSocket gateway of Sideman.")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="players' port (8765); 0 takes any free one")
    parser.add_argument("--metrics-host", help="address for health and metrics (127.0.0.1)")
    parser.add_argument("--metrics-port", type=int, help="port of /healthz, /readyz and /metrics (9765); 0 takes any free one")
    parser.add_argument("--worker", action="append", metavar="PATH", help="Unix socket of a worker; may be given several times")
    parser.add_argument("--origin", action="append", help="page that may connect; `local` stands for http://localhost with any port")
    parser.add_argument("--page", metavar="FOLDER", help="the built web client, to be served at / (default: no page)")
    parser.add_argument("--max-sessions", type=int, help="seats (2000)")
    parser.add_argument("--with-parent", action="store_true", help="leave when standard input closes, as it does when the parent dies")
    return parser.parse_args(arguments)


def read_settings(given: argparse.Namespace) -> GatewaySettings:
    """Options win over the environment (SIDEMAN_PORT and so on). Raises SettingsError."""
    return load(
        os.environ,
        host=given.host,
        port=given.port,
        metrics_host=given.metrics_host,
        metrics_port=given.metrics_port,
        workers=tuple(given.worker) if given.worker else None,
        origins=tuple(given.origin) if given.origin else None,
        max_sessions=given.max_sessions,
        page=given.page,
    )


async def run(settings: GatewaySettings, *, with_parent: bool = False) -> None:
    """Serve until a signal comes, or the parent is gone, then leave in good order. Raises OperatorError."""
    stop = asyncio.Event()
    if with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Gateway(settings) as gateway:
        gc.collect()
        gc.freeze()  # what is here now stays: full collections need not look at it
        print(
            f"sideman gateway: ws://{settings.host}:{gateway.port} metrics http://{settings.metrics_host}:{gateway.metrics_port}/metrics"
            f" workers {' '.join(settings.workers)}",
            flush=True,
        )
        await stop.wait()
    print("sideman gateway: stopped", flush=True)


if __name__ == "__main__":
    sys.exit(main())
