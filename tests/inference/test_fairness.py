"""What sessions do to each other, on a device whose calls take the time they take here: simulated, so that every case is exact.

The costs are those of docs/roofline.md, rounded up: a decode call takes a quarter of a millisecond a row and decision and half a
millisecond more, a feed of 64 positions 6 ms a row.
"""

from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.planner import Bucket
from inference.scheduler import Scheduler
from inference.settings import LIVE
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.engine_messages import unpack_values
from tests.inference.jams import Jam, Move

SLACK_S = 0.1
FRAME_S = 0.125
FEED_ALONE_S = 0.012  # of a 64-position chunk of two rows
SLOTS = 8
BUCKETS = tuple(bucket for bucket in LIVE.buckets if bucket.rows <= SLOTS)


def call_s(bucket):
    return 0.0005 + bucket.rows * (0.00025 * bucket.decisions + 0.0001 * (bucket.positions - 1))


class Answer(NamedTuple):
    """When a request came, when it was answered, and with what."""

    session: str
    arrived: float
    answered: float
    chords: list[int]
    problem: str


class World:
    """One device, its scheduler, and a clock that calls move."""

    def __init__(self, slots=SLOTS, buckets=BUCKETS):
        self.scheduler, self.engine = Scheduler(slots, buckets), ToyEngine(slots)
        self.now = 0.0
        self.answers = []
        self.buckets = []  # of every call
        self.idle_s = []  # of every call: how long the device had been free while there was work
        self._arrived = {}

    def play(self, arrivals, again=None):
        """Let requests arrive, each (when, request); `again(session)` is what a session asks the moment it is answered."""
        coming = sorted(arrivals, key=lambda arrival: arrival[0])
        while coming or not self.scheduler.idle:
            while coming and coming[0][0] <= self.now:
                self._ask(*coming.pop(0))
            batch, replies = self.scheduler.schedule(self.now)
            self._take(replies)
            if batch is None:
                if coming:
                    self.now = max(self.now, coming[0][0])
                continue
            self.buckets.append(batch.bucket)
            self.now += call_s(batch.bucket)
            decided = self.engine.run(batch.works, batch.bucket)
            done = self.scheduler.complete(batch, decided, call_s(batch.bucket), self.now)
            self._take(done)
            for reply in done:
                if again is not None and coming and (request := again(reply.session)) is not None:
                    self._ask(self.now, request)
        return {answer.session: answer for answer in self.answers}

    def of(self, session):
        return [answer for answer in self.answers if answer.session == session]

    def _ask(self, when, request):
        self._arrived[request.session, request.seq] = when
        left = max(0.0, when + request.slack_ms / 1000 - self.now)  # it may have come while a call was under way
        self._take(self.scheduler.add(msgspec.structs.replace(request, slack_ms=left * 1000), self.now))

    def _take(self, replies):
        for reply in replies:
            arrived = self._arrived.pop((reply.session, reply.seq))
            self.answers.append(Answer(reply.session, arrived, self.now, unpack_values(reply.chords), reply.problem))


def asked(jam, move=None, slack_s=SLACK_S):
    return msgspec.structs.replace(jam.ask(move or Move(lookahead=16)), slack_ms=slack_s * 1000)


moments = st.floats(0.0, FRAME_S, allow_nan=False)


@settings(deadline=None, max_examples=40)
@given(st.lists(moments, min_size=1, max_size=4), st.sampled_from(("seed", "reset", "density", "temperature")))
def test_who_asks_without_pause_takes_no_time_from_others(offsets, change):
    """One session asks for all anew as soon as it is answered; every other plan is whole and in time all the same."""
    polite = {f"polite {index}": Jam(f"polite {index}", history=9, seed=index) for index in range(len(offsets))}
    greedy = Jam("greedy", history=9)
    world = World()
    arrivals = [(0.0, asked(greedy))]
    requests = {}
    for turn in range(3):
        for (name, jam), offset in zip(polite.items(), offsets, strict=True):
            request = asked(jam, Move(lookahead=16, change="seed"))  # nothing of the plan before can be used
            requests[name, turn] = request
            arrivals.append((turn * FRAME_S + offset, request))
    world.play(arrivals, again=lambda session: asked(greedy, Move(frames=1, lookahead=16, change=change)) if session == "greedy" else None)
    for name in polite:
        for turn, answer in enumerate(sorted(world.of(name), key=lambda answer: answer.arrived)):
            assert not answer.problem
            assert answer.chords == plan_by_hand(requests[name, turn])
            assert answer.answered - answer.arrived <= SLACK_S
    assert len(world.of("greedy")) >= 3


@settings(deadline=None, max_examples=40)
@given(st.integers(1, SLOTS - 2), st.lists(moments, min_size=1, max_size=2), st.integers(100, 230))
def test_the_history_of_a_new_session_delays_nobody_past_the_deadline(known, joins, history):
    """Sessions whose plans stand but for a frame, or of which nothing stands, while others come with a history in chunks."""
    world = World()
    jams = [Jam(f"{index}", history=9, seed=index) for index in range(known)]
    for jam in jams:
        world.play([(world.now, asked(jam, Move(frames=0, lookahead=15)))])
    world.answers.clear()
    world.buckets.clear()
    start = world.now
    arrivals = [(start + join, asked(Jam(f"new {index}", history=history, seed=50 + index))) for index, join in enumerate(joins)]
    arrivals += [(start + 0.01 * index, asked(jam, Move(frames=0, lookahead=16))) for index, jam in enumerate(jams)]
    world.play(arrivals)
    for index in range(known):
        (answer,) = world.of(f"{index}")
        assert not answer.problem
        assert answer.answered - answer.arrived <= 2 * FEED_ALONE_S + 0.02  # a chunk under way, and one it could not share
    for index in range(len(joins)):
        (answer,) = world.of(f"new {index}")
        assert not answer.problem
        assert answer.chords
        assert answer.answered - answer.arrived <= SLACK_S + max(map(call_s, BUCKETS))


def test_after_a_chunk_of_history_those_that_only_decide_go_next():
    """Although the deadline of the long history is earlier."""
    world = World()
    hit = Jam("hit", history=9)
    world.play([(0.0, asked(hit, Move(frames=0, lookahead=15)))])
    world.buckets.clear()
    long = asked(Jam("long", history=180), slack_s=0.05)
    world.play([(world.now, long), (world.now, asked(hit, Move(frames=0, lookahead=16)))])
    fed = [bucket.positions for bucket in world.buckets]
    assert fed[:2] == [64, 1]
    assert fed.count(64) == 3


@settings(deadline=None, max_examples=40)
@given(st.lists(moments, min_size=1, max_size=SLOTS), st.integers(1, 16))
def test_the_device_never_waits_to_fill_a_batch(offsets, lookahead):
    """The window is nothing: whoever comes while it is free is in a call at once, and it is never free while anybody waits."""
    world = World()
    jams = [Jam(f"{index}", history=2, seed=index) for index in range(len(offsets))]
    arrivals = [(offset, asked(jam, Move(lookahead=lookahead))) for jam, offset in zip(jams, offsets, strict=True)]
    began = world.now
    world.play(arrivals)
    busy_s = sum(map(call_s, world.buckets))
    finished = max(answer.answered for answer in world.answers)
    free_s = finished - began - busy_s
    unasked_s = finished - began - _covered((answer.arrived, answer.answered) for answer in world.answers)
    assert free_s <= unasked_s + 1e-9


def _covered(spans):
    """Length of the union of some spans."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def test_a_full_batch_takes_the_earliest_deadlines():
    """Eight sessions, four rows: the four that are due first; the others are in the next call."""
    buckets = (Bucket(4, 1, 1), Bucket(4, 4, 1))
    scheduler = Scheduler(SLOTS, buckets)
    for index in range(8):
        scheduler.add(asked(Jam(f"{index}"), slack_s=0.2 - 0.01 * index), 0.0)
    batch, _ = scheduler.schedule(0.0)
    assert [row.progress.request.session for row in batch.rows] == ["7", "6", "5", "4"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=6, max_size=30))
def test_an_evicted_session_is_rebuilt_exactly(turns):
    """Six sessions in three slots, in any order: whoever lost the slot pays a prefill and gets the same plan."""
    world = World(slots=3, buckets=tuple(bucket for bucket in BUCKETS if bucket.rows <= 2))
    jams = [Jam(f"{index}", history=40, seed=index) for index in range(6)]
    for turn in turns:
        request = asked(jams[turn], Move(lookahead=8, commit=2), slack_s=1e3)
        answer = world.play([(world.now, request)])[f"{turn}"]
        assert answer.chords == plan_by_hand(request)
        jams[turn].hear(answer.chords)
        assert world.scheduler.slots_used <= 3
    assert world.scheduler.evictions == max(0, _misses(turns, 3) - 3)


def _misses(turns, slots):
    """Of a cache that forgets what was used least recently."""
    kept, misses = [], 0
    for turn in turns:
        misses += turn not in kept
        kept = [*(other for other in kept if other != turn), turn][-slots:]
    return misses
