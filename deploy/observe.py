"""`make observe`: gateway, worker, Prometheus and a minute of players on this machine, and where to look. Shell.

The same stack as `compose.yaml`, as plain processes; Grafana, which Debian does not have, is left out, so the dashboards' panels are
shown on a page of Prometheus, and as text.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from deploy.monitoring.console import NAME, console
from deploy.monitoring.overview import OVERVIEW
from deploy.monitoring.pages import PAGES
from deploy.monitoring.prometheus import Api, NoPrometheus, program, running
from deploy.monitoring.reading import diagnose, read, told
from sideman import serve
from sideman.paths import SHIPPED_CHECKPOINTS

WINDOW = "20s"
WARM_UP_S = 4.0
LOOK_S = 0.5
LEAVING_S = 4.0  # of the generator, after the last tick


async def observe(arguments: argparse.Namespace) -> None:
    """Start everything, play, tell, and stay until Ctrl-C. Raises ServiceProblem, NoPrometheus."""
    program()  # said before a service is started for nothing
    checkpoints = tuple(arguments.checkpoint or SHIPPED_CHECKPOINTS)
    options = serve.ServeOptions(checkpoints, port=0, metrics_port=0, worker_metrics_port=0, quiet=True)
    print("observe: starting gateway and worker; the first start takes up to a minute", flush=True)
    async with serve.running(options) as (_, address):
        assert address.worker_metrics is not None, "asked for"
        addresses = {"sideman-gateway": address.metrics, "sideman-worker": address.worker_metrics}
        jobs: dict[str, list[tuple[str, dict[str, str]]]] = {job: [(url.removeprefix("http://"), {})] for job, url in addresses.items()}
        with (
            tempfile.TemporaryDirectory(prefix="sideman-observe-") as folder,
            running(Path(folder), jobs, port=arguments.port, consoles={NAME: console(PAGES, WINDOW)}) as prometheus,
        ):
            print(
                f"observe: {arguments.sessions} players at {address.url} for {arguments.seconds:g} s; Prometheus: {prometheus.url}",
                flush=True,
            )
            watching = asyncio.create_task(_watch_one(address.metrics))
            await _play(address.url, arguments.sessions, arguments.seconds)
            ended = time.time() - LEAVING_S
            watching.cancel()
            await _tell(prometheus)
            if arguments.draw is not None:
                from deploy.monitoring.draw import draw  # whoever does not draw needs no matplotlib

                for page in PAGES:
                    picture = arguments.draw / f"{page.uid}.png"
                    draw(picture, page, prometheus, start=ended - arguments.seconds - WARM_UP_S, end=ended, rate_interval=WINDOW)
            if not arguments.once:
                await _until_stopped(address.url, prometheus)


async def _play(url: str, sessions: int, seconds: float) -> None:
    """The load generator as a process of its own. Raises ServiceProblem if it fails."""
    options = ("--url", url, "--sessions", sessions, "--seconds", seconds, "--warm-up", WARM_UP_S)
    player = await asyncio.create_subprocess_exec(sys.executable, "-m", "sideman.cli", "bench", "load", *map(str, options))
    if (code := await player.wait()) != 0:
        raise serve.ServiceProblem("load generator", code)


async def _watch_one(metrics: str) -> None:
    """Give one of the players a place of its own, as soon as one has come."""
    request = urllib.request.Request(f"{metrics}/watch/latest", method="POST")
    while True:
        with suppress(OSError):  # 404 until then
            (await asyncio.to_thread(urllib.request.urlopen, request)).close()
            return
        await asyncio.sleep(LOOK_S)


async def _tell(prometheus: Api) -> None:
    reading = await asyncio.to_thread(read, OVERVIEW, prometheus.now, WINDOW)
    print(f"\nThe overview now (of the last {WINDOW}):\n{told(reading)}\nWhat its table says: {diagnose(reading)}")
    print(f"\nEvery panel of the dashboards: {prometheus.url}/consoles/{NAME}\nAlerts: {prometheus.url}/alerts", flush=True)


async def _until_stopped(url: str, prometheus: Api) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"\nobserve: still there: {url} to play, {prometheus.url} to look; Ctrl-C stops all of it", flush=True)
    await stop.wait()


def main() -> int:
    """The command; 2 if something has to be mended first."""
    parser = argparse.ArgumentParser(prog="observe", description="The service under load, with Prometheus.")
    parser.add_argument("--sessions", type=int, default=4, help="players (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they play (default: %(default)g)")
    parser.add_argument("--checkpoint", type=Path, action="append", help="model to serve; again for more (default: the shipped ones)")
    parser.add_argument("--port", type=int, default=9090, help="of Prometheus (default: %(default)s; 0 takes any free one)")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="draw the dashboards there (needs matplotlib)")
    parser.add_argument("--once", action="store_true", help="stop after telling")
    try:
        asyncio.run(observe(parser.parse_args()))
    except (serve.ServiceProblem, NoPrometheus) as problem:
        print(f"observe: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
