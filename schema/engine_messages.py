"""Messages between gateway and inference worker. Pure.

A request carries its whole windowed history by value, so any worker gives the same answer; affinity only saves work.
Chord and melody values travel as little-endian unsigned 16-bit integers in one byte string.
"""

import sys
from array import array
from collections.abc import Iterable

import msgspec

from schema.tokens import NOTHING


class PlanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Plan the chords of [first_frame, first_frame + lookahead_frames).

    Known chords cover [window_start, known_chords) contiguously: what sounded, then what is committed. Known melody
    covers [window_start, first_frame - 1) or [window_start, first_frame). Everything else is sampled.
    """

    session: str
    seq: int
    model: str
    seed: int
    window_start: int
    first_frame: int
    lookahead_frames: int
    chords: bytes
    melody: bytes
    temperature: float
    beats_per_bar: int
    bar_line: int
    density: int
    style: int
    slack_ms: float  # time left until the plan is useless


class PlanReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Chord values for the requested frames, or a sentence that says why not, and how it was made."""

    session: str
    seq: int
    chords: bytes = b""
    problem: str = ""
    steps: int = 0
    reused: float = 0.0
    batch: int = 0
    queue_ms: float = 0.0
    device_ms: float = 0.0


class ModelInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model a worker has resident."""

    name: str
    variant: str
    temperature: float  # suggested default


class WorkerState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the worker is: readiness is only reported once every shape is compiled and the golden output matched."""

    ready: bool
    models: list[ModelInfo]
    slots: int
    slots_used: int
    waiting: int
    compiles_after_ready: int
    rss_bytes: int


class PlanCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plan"):
    """What `plan_many` takes: everything that queued up for one worker; empty to ask how it is."""

    requests: list[PlanRequest]


class PlanAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plans"):
    """What `plan_many` gives: one reply per request, in their order."""

    replies: list[PlanReply]
    worker: WorkerState


def pack_values(values: Iterable[int]) -> bytes:
    """Values as little-endian uint16."""
    packed = array("H", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_values(data: bytes) -> list[int]:
    """The inverse of `pack_values`. Raises ValueError on an odd number of bytes."""
    packed = array("H")
    packed.frombytes(data)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tolist()


def golden_request(melody: list[int], seed: int) -> PlanRequest:
    """The request behind a checkpoint's golden plan: the player played `melody` alone, now 8 beats of chords at temperature 1."""
    first = len(melody)
    return PlanRequest(
        session="golden",
        seq=0,
        model="",
        seed=seed,
        window_start=0,
        first_frame=first,
        lookahead_frames=32,
        chords=pack_values([NOTHING] * first),
        melody=pack_values(melody),
        temperature=1.0,
        beats_per_bar=4,
        bar_line=0,
        density=0,
        style=0,
        slack_ms=1000.0,
    )
