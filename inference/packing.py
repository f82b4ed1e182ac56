"""What travels to the device and back, one row of int32 each: packed and unpacked. Pure.

A row is a header, fed chords, fed melody, committed chords, known melody; what comes back are the decisions of the whole call.
"""

from typing import Any, NamedTuple

import numpy as np

from inference.planner import Bucket, Decision, Work
from schema.tokens import NOTHING


class Header(NamedTuple):
    """Scalars of a row as they travel to the device, one int32 each."""

    slot: Any
    position: Any
    count: Any  # positions fed
    given: Any  # committed chords
    window_start: Any
    bar_line: Any
    beats_per_bar: Any
    density: Any
    style: Any
    seed: Any  # bits of the uint32
    temperature: Any  # bits of the float32


def row_width(bucket: Bucket) -> int:
    """Integers of a row."""
    return len(Header._fields) + 2 * bucket.positions + 2 * bucket.decisions


def pack(row: np.ndarray, work: Work, slot: int, bucket: Bucket) -> None:
    """Write one row: header, fed chords, fed melody, committed chords, known melody."""
    at = 0
    unasked = (NOTHING,) * _skipped(work, bucket)
    for values, width in (
        (header(work, slot, len(work.chords), len(unasked) + len(work.given_chords)), len(Header._fields)),
        (work.chords, bucket.positions),
        (work.melody, bucket.positions),
        ((*unasked, *work.given_chords), bucket.decisions),
        ((*unasked, *work.given_melody), bucket.decisions),
    ):
        row[at : at + len(values)] = values
        at += width


def header(work: Work, slot: int, count: int, given: int) -> Header:
    """The scalars of a row that feeds `count` positions and knows `given` chords, in a slot of its device."""
    request = work.request
    return Header(
        slot, work.position, count, given, request.window_start, request.bar_line, request.beats_per_bar,
        request.density, request.style, np.uint32(request.seed).view(np.int32), np.float32(request.temperature).view(np.int32),
    )  # fmt: skip


def decisions_of(chosen: np.ndarray, work: Work, bucket: Bucket) -> list[Decision]:
    """What a row asked for, of what its call decided."""
    first = _skipped(work, bucket)
    return [Decision(chord, melody, tuple(likely)) for chord, melody, *likely in chosen[first : first + work.decisions].tolist()]


def _skipped(work: Work, bucket: Bucket) -> int:
    """Decisions of a call that come before those a row asked for: behind known positions, where each position decides."""
    return len(work.chords) - work.drafted - 1 if bucket.at_once else 0
