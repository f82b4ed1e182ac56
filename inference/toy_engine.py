"""An engine whose answers can be checked by hand: for tests of everything around the real one, without JAX. Pure.

It keeps what was fed in every slot, position by position, and decides each frame from a checksum of all of it. So any
mistake with slots, positions or reuse changes an answer; `plan_by_hand` gives the right one from the request alone.
"""

import zlib
from collections.abc import Sequence

from inference.planner import Bucket, Decision, Work, known_values
from schema.engine_messages import PlanRequest
from schema.tokens import NUM_CHORD_ACTIONS, NUM_CHORDS, NUM_MELODY_ACTIONS, NUM_PITCHES, value_of


class ToyEngine:
    """Stands in for `engine.Engine`: same slots, same buckets, same verbs."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.compiled = 0
        self.calls: list[tuple[Bucket, int]] = []  # shape and rows of every call
        self._fed: list[dict[int, tuple[object, ...]]] = [{} for _ in range(slots)]

    def warm_up(self) -> None:
        """Nothing to compile."""

    def run(self, works: Sequence[Work], bucket: Bucket) -> list[list[Decision]]:
        """Compute one batch; the decisions of each row, as many as it asked for."""
        assert len(works) <= bucket.rows, "more rows than the bucket holds"
        assert len({work.slot for work in works}) == len(works), "one slot twice in a batch"
        self.calls.append((bucket, len(works)))
        return [self._row(work, bucket) for work in works]

    def _row(self, work: Work, bucket: Bucket) -> list[Decision]:
        assert len(work.chords) <= bucket.positions, "more positions than the bucket holds"
        assert work.decisions <= bucket.decisions, "more decisions than the bucket makes"
        fed = self._fed[work.slot]
        for offset, frame in enumerate(zip(work.chords, work.melody, strict=True)):
            fed[work.position + offset] = _fed(work.request, work.position + offset, Decision(*frame))
        decided: list[Decision] = []
        now = Decision(work.chords[-1], work.melody[-1]) if work.position + len(work.chords) > 1 else Decision(0, 0)
        for index in range(work.decisions):
            position = work.position + len(work.chords) - 1 + index
            if index:
                fed[position] = _fed(work.request, position, now)
            given = work.given_chords[index] if index < len(work.given_chords) else None
            now = _decide(work.request, [fed[p] for p in range(position + 1)], now, given)
            decided.append(now)
        return decided


def plan_by_hand(request: PlanRequest) -> list[int]:
    """The chords ToyEngine must plan for a request, from the request alone."""
    chords, melody = known_values(request)
    end = request.first_frame - request.window_start + request.lookahead_frames
    fed = [_fed(request, 0, Decision(0, 0))]
    frames: list[Decision] = []
    for index in range(end):
        if index < len(melody):  # the chord is known as well
            frames.append(Decision(chords[index], melody[index]))
        else:
            now = frames[-1] if frames else Decision(0, 0)
            frames.append(_decide(request, fed, now, chords[index] if index < len(chords) else None))
        fed.append(_fed(request, index + 1, frames[-1]))
    return [frame.chord for frame in frames[request.first_frame - request.window_start :]]


def _fed(request: PlanRequest, position: int, frame: Decision) -> tuple[object, ...]:
    controls = (request.window_start, request.beats_per_bar, request.bar_line, request.density, request.style)
    return controls if position == 0 else (*controls, position, *frame)


def _decide(request: PlanRequest, fed: Sequence[tuple[object, ...]], now: Decision, given: int | None) -> Decision:
    """Hold mostly, else something that depends on all that was fed, the seed and the temperature."""
    number = zlib.crc32(repr((list(fed), request.seed, request.temperature)).encode())
    action = 2 + number % (NUM_CHORD_ACTIONS - 2) if number % 5 == 0 or now.chord == 0 else 1
    chord = given if given is not None else value_of(action, now.chord, NUM_CHORDS)
    action = 2 + number % (NUM_MELODY_ACTIONS - 2) if number % 3 == 0 or now.melody == 0 else 1
    return Decision(chord, value_of(action, now.melody, NUM_PITCHES))
