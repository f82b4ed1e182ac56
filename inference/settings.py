"""Settings of a worker, one record. Pure."""

from dataclasses import dataclass
from pathlib import Path

from inference.planner import Bucket

ROW_BUCKETS = (1, 4, 8, 16, 32)


def _buckets() -> tuple[Bucket, ...]:
    """Decode in steps of one and four; feed up to 4 positions (a tick amended or lost) or 64 (a new or evicted session)."""
    decode = [Bucket(rows, 1, decisions) for rows in ROW_BUCKETS for decisions in (1, 4)]
    feed = [Bucket(rows, positions, 1) for positions in (4, 64) for rows in (1, 4)]
    return tuple(decode + feed)


@dataclass(frozen=True)
class WorkerSettings:
    """How one worker serves."""

    checkpoint: Path
    socket: Path
    slots: int = 32  # sessions with keys and values at hand; more sessions are served, with a prefill each time
    buckets: tuple[Bucket, ...] = _buckets()
    compilation_cache: Path | None = None  # JAX's persistent cache: later starts take seconds
