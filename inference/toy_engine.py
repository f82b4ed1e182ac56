"""An engine whose answers can be checked by hand: for tests of everything around the real one, without JAX. Pure.

It keeps what was fed in every slot, position by position, and decides each frame from a checksum of all of it. So any
mistake with slots, positions or reuse changes an answer; `plan_by_hand` gives the right one from the request alone.
An offline one hears: the whole melody of a request belongs to what it is fed at position 0.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from inference.planner import Bucket, Decision, Work, controls_of, known_values
from schema.engine_messages import PlanRequest
from schema.tokens import NOTHING, NUM_CHORD_ACTIONS, NUM_CHORDS, NUM_MELODY_ACTIONS, NUM_PITCHES, value_of


class Given(NamedTuple):
    """What of a frame is known beforehand."""

    chord: int | None
    melody: int | None


class ToyEngine:
    """Stands in for `engine.Engine`: same slots, same buckets, same verbs."""

    def __init__(self, slots: int, *, offline: bool = False, devices: int = 1) -> None:
        """`slots` in all."""
        self.slots = slots
        self.devices = devices
        self.offline = offline
        self.compiled = 0
        self.calls: list[tuple[Bucket, int]] = []  # shape and rows of every call
        self._fed: list[dict[int, tuple[object, ...]]] = [{} for _ in range(slots)]

    def warm_up(self) -> None:
        """Nothing to compile."""

    def run(self, works: Sequence[Work], bucket: Bucket) -> list[list[Decision]]:
        """Compute one batch; the decisions of each row, as many as it asked for."""
        rows = Counter(work.slot * self.devices // self.slots for work in works)
        assert max(rows.values(), default=0) <= bucket.rows, "more rows of one device than the bucket holds"
        assert len({work.slot for work in works}) == len(works), "one slot twice in a batch"
        self.calls.append((bucket, len(works)))
        return [self._row(work, bucket) for work in works]

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy slots (from, to)."""
        for source, target in pairs:
            self._fed[target] = dict(self._fed[source])

    def _row(self, work: Work, bucket: Bucket) -> list[Decision]:
        assert len(work.chords) <= bucket.positions, "more positions than the bucket holds"
        assert work.decisions <= bucket.decisions, "more decisions than the bucket makes"
        fed = self._fed[work.slot]
        for offset, frame in enumerate(zip(work.chords, work.melody, strict=True)):
            fed[work.position + offset] = self._feed(work.request, work.position + offset, Decision(*frame))
        assert bucket.at_once or not work.drafted, "a draft in a bucket that checks none"
        known = len(work.chords) - work.drafted
        decided: list[Decision] = []
        now = Decision(work.chords[known - 1], work.melody[known - 1]) if work.position + known > 1 else Decision(0, 0)
        for index in range(work.decisions):
            position = work.position + known - 1 + index
            if work.drafted and index:
                now = Decision(work.chords[known - 1 + index], work.melody[known - 1 + index])
            elif index:
                fed[position] = self._feed(work.request, position, now)
            given = Given(_at(work.given_chords, index), _at(work.given_melody, index))
            now = _decide(work.request, [fed[p] for p in range(position + 1)], now, given)
            decided.append(now)
        return decided

    def _feed(self, request: PlanRequest, position: int, frame: Decision) -> tuple[object, ...]:
        return _fed(request, position, frame, self.offline)


def plan_by_hand(request: PlanRequest, *, offline: bool = False) -> list[int]:
    """The chords ToyEngine must plan for a request, from the request alone."""
    chords, melody = known_values(request, offline=offline)
    end = request.first_frame - request.window_start + request.lookahead_frames
    fed = [_fed(request, 0, Decision(0, 0), offline)]
    frames: list[Decision] = []
    for index in range(end):
        given = Given(_at(chords, index), _at(melody, index))
        if given.chord is not None and given.melody is not None:
            frames.append(Decision(given.chord, given.melody))
        else:
            frames.append(_decide(request, fed, frames[-1] if frames else Decision(0, 0), given))
        fed.append(_fed(request, index + 1, frames[-1], offline))
    return [frame.chord for frame in frames[request.first_frame - request.window_start :]]


def _at(values: Sequence[int], index: int) -> int | None:
    return values[index] if index < len(values) else None


def _fed(request: PlanRequest, position: int, frame: Decision, offline: bool) -> tuple[object, ...]:
    controls = controls_of(request)
    if position == 0:
        return (*controls, request.melody) if offline else controls
    return (*controls, position, frame.chord, frame.melody)


def _decide(request: PlanRequest, fed: Sequence[tuple[object, ...]], now: Decision, given: Given) -> Decision:
    """Hold mostly, else something that depends on all that was fed, the seed and the temperature."""
    number = zlib.crc32(repr((list(fed), request.seed, request.temperature)).encode())
    action = 2 + number % (NUM_CHORD_ACTIONS - 2) if number % 5 == 0 or now.chord == 0 else 1
    chord = given.chord if given.chord is not None else value_of(action, now.chord, NUM_CHORDS)
    action = 2 + number % (NUM_MELODY_ACTIONS - 2) if number % 3 == 0 or now.melody == 0 else 1
    melody = given.melody if given.melody is not None else value_of(action, now.melody, NUM_PITCHES)
    return Decision(chord, melody, (NOTHING, 62, 66))
