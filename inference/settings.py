"""Settings of a worker, one record. Pure."""

from dataclasses import dataclass
from pathlib import Path

from inference.drafts import FRAMES_A_CHECK
from inference.planner import Bucket

ROWS = (1, 2, 4, 8, 16)
NUMBERS = ("float32", "bfloat16")


def _buckets() -> tuple[Bucket, ...]:
    """Decode in steps of one and four; feed up to 4 positions (a tick amended, lost or spared), 16 (several), or 64 (new or evicted).

    By measurement (docs/roofline.md): from four rows on a row costs the same in every bucket, so rows that are only padding are what costs,
    and more than 16 rows gain nothing. Four decisions a call read a row's keys and values once instead of four times. Of 64 positions two
    rows at most: four take longer than anybody should wait for one call, and are mostly padding.
    """
    decode = [Bucket(rows, 1, decisions) for rows in ROWS for decisions in (1, 4)]
    feed = [Bucket(rows, positions, 1) for positions, sizes in ((4, (1, 4, 16)), (16, (1, 4)), (64, (1, 2))) for rows in sizes]
    return tuple(decode + feed)


@dataclass(frozen=True)
class EngineSettings:
    """How a live or an offline model is held in memory."""

    slots: int  # sessions with keys and values at hand; more sessions are served, with a prefill each time
    buckets: tuple[Bucket, ...]
    numbers: str | None = None  # of weights, keys and values; None: float32 on a CPU, bfloat16 on accelerators
    checks: tuple[Bucket, ...] = ()  # of drafts, for a plan made alone; the fastest is used, if it beats steps on the device


# Eight frames a call: a live plan that arrives meanwhile waits for no more than those.
OFFLINE = EngineSettings(4, (Bucket(1, 1, 1), Bucket(1, 1, 8), Bucket(1, 64, 1)))
LIVE = EngineSettings(128, _buckets(), checks=tuple(Bucket(1, size, size, True) for size in FRAMES_A_CHECK))  # 64 MiB for `small`


@dataclass(frozen=True)
class WorkerSettings:
    """How one worker serves."""

    checkpoints: tuple[Path, ...]
    socket: Path
    live: EngineSettings = LIVE
    offline: EngineSettings = OFFLINE
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # none is opened; 0 takes any free one
