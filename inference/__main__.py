"""One worker process: checkpoint, engine, golden plan, socket. Wiring. Shell.

Run: python -m inference --checkpoint DIR [--checkpoint DIR ...] --socket PATH
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import jax
from prometheus_client import disable_created_metrics

from inference import logs
from inference.checkpoints import load
from inference.drafts import fastest_check
from inference.engine import Engine
from inference.errors import GoldenMismatch, SameName, WorkerProblem
from inference.loop import Resident, answer
from inference.model import FLOAT32
from inference.planner import Bucket
from inference.server import Worker, serve
from inference.settings import LIVE, NUMBERS, OFFLINE, EngineSettings, WorkerSettings
from schema.engine_messages import ModelInfo, golden_request, unpack_values
from schema.manifest import DamagedCheckpoint

MEASURED_CALLS = 9
GOLDEN_BUCKETS = (Bucket(1, 1, 1), Bucket(1, 64, 1))


def prepare(checkpoint: Path, *, live: EngineSettings = LIVE, offline: EngineSettings = OFFLINE) -> Resident:
    """Load, check the golden plan, and compile every shape. Raises DamagedCheckpoint, GoldenMismatch."""
    manifest, weights = load(checkpoint)
    info = ModelInfo(manifest.model, manifest.variant, manifest.temperature)
    settings = offline if info.is_offline else live
    engine = Engine(manifest.sizes, weights, slots=settings.slots, buckets=settings.buckets + settings.checks, numbers=settings.numbers)
    resident = exact = Resident(info, engine, settings.buckets)
    if engine.dtype != FLOAT32:  # the golden plan is a float32 one: rounder numbers may choose other chords, wrong weights will
        exact = Resident(info, Engine(manifest.sizes, weights, slots=1, buckets=GOLDEN_BUCKETS, numbers="float32"), GOLDEN_BUCKETS)
    (reply,) = answer(exact, [golden_request(manifest.golden.melody, manifest.golden.seed, manifest.variant)])
    if (got := unpack_values(reply.chords)) != manifest.golden.chords:
        raise GoldenMismatch(str(checkpoint), manifest.golden.chords, got)
    engine.warm_up()  # of what the plan needed nothing is compiled again
    return Resident(info, engine, settings.buckets + worthwhile_checks(engine, settings)) if settings.checks else resident


def worthwhile_checks(engine: Engine, settings: EngineSettings) -> tuple[Bucket, ...]:
    """The check of drafts that beats deciding step by step on this device, if one does, by a few calls on scratch."""
    steps = min((bucket for bucket in settings.buckets if bucket.positions == 1), key=lambda bucket: (bucket.rows, -bucket.decisions))
    step_s = call_s(engine, steps) / steps.decisions
    check = fastest_check(step_s, {bucket: call_s(engine, bucket) for bucket in settings.checks})
    return () if check is None else (check,)


def call_s(engine: Engine, bucket: Bucket) -> float:
    """Seconds of a warm call, the median of some."""
    took_s = []
    for _ in range(MEASURED_CALLS):
        began = time.perf_counter()
        engine.run([], bucket)
        took_s.append(time.perf_counter() - began)
    return median(took_s)


def prepare_all(settings: WorkerSettings) -> list[Resident]:
    """All models of a worker. Raises DamagedCheckpoint, GoldenMismatch, SameName."""
    residents = [prepare(checkpoint, live=settings.live, offline=settings.offline) for checkpoint in settings.checkpoints]
    names = [resident.info.name for resident in residents]
    if len(set(names)) < len(names):
        raise SameName(tuple(names))
    return residents


def rss_bytes() -> int:
    """Resident memory of this process; where the system does not tell, its largest so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def use_compilation_cache(folder: Path) -> None:
    """Keep compiled programs on disk, however small: later starts read instead of compiling."""
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


async def run(settings: WorkerSettings, *, with_parent: bool = False) -> None:
    """Serve until SIGINT or SIGTERM, or until the parent is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    preparing = asyncio.ensure_future(asyncio.to_thread(prepare_all, settings))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not preparing.done():
        os._exit(0)  # compiling cannot be interrupted, and nothing is open yet
    residents = preparing.result()
    settings.socket.unlink(missing_ok=True)  # left by a worker that was killed
    worker = Worker(residents, rss_bytes)
    worker.start()
    server = await serve(worker, settings.socket)
    shown = ""
    if settings.metrics_port is not None:
        shown = f" metrics http://{settings.metrics_host}:{worker.show_metrics(settings.metrics_host, settings.metrics_port)}/metrics"
    print(f"sideman worker: {', '.join(resident.name for resident in residents)} ready on {settings.socket}{shown}", flush=True)
    await stop.wait()
    await worker.leave()
    server.close()
    worker.stop()
    settings.socket.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of a worker."""
    parser = argparse.ArgumentParser(prog="python -m inference", description="One inference worker on a Unix socket.")
    parser.add_argument(
        "--checkpoint", type=Path, action="append", required=True, help="folder with manifest.json and weights; again for more models"
    )
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--slots", type=int, default=LIVE.slots, help="sessions each live model remembers (default: %(default)s)")
    parser.add_argument("--numbers", choices=NUMBERS, help="of weights, keys and values (default: float32 on a CPU, else bfloat16)")
    parser.add_argument("--with-parent", action="store_true", help="leave when standard input closes, as it does when the parent dies")
    parser.add_argument("--cache", type=Path, help="folder for compiled programs, kept between starts")
    form = os.environ.get("SIDEMAN_LOG_FORMAT", "text")
    parser.add_argument("--log-format", choices=logs.FORMATS, default=form, help="lines, or JSON (default: $SIDEMAN_LOG_FORMAT, or text)")
    level = os.environ.get("SIDEMAN_LOG_LEVEL", "info")
    parser.add_argument("--log-level", choices=logs.LEVELS, default=level, help="least to write (default: $SIDEMAN_LOG_LEVEL, or info)")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="address for metrics (default: %(default)s)")
    parser.add_argument("--metrics-port", type=int, help="port for metrics (default: none is opened; 0 takes any free one)")
    arguments = parser.parse_args(argv)
    disable_created_metrics()
    logs.set_up(arguments.log_format, arguments.log_level)
    if arguments.cache is not None:
        use_compilation_cache(arguments.cache)
    try:
        settings = WorkerSettings(
            tuple(arguments.checkpoint),
            arguments.socket,
            live=replace(LIVE, slots=arguments.slots, numbers=arguments.numbers),
            offline=replace(OFFLINE, numbers=arguments.numbers),
            metrics_host=arguments.metrics_host,
            metrics_port=arguments.metrics_port,
        )
        asyncio.run(run(settings, with_parent=arguments.with_parent))
    except (DamagedCheckpoint, WorkerProblem) as problem:
        print(f"sideman worker: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
