"""Which plans advance next: fuzzed with an engine whose every answer can be checked by hand, then the rules one by one."""

import math
from collections import Counter

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.planner import Bucket
from inference.scheduler import LATE, SUPERSEDED, Scheduler
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.engine_messages import unpack_values
from schema.grid import window_start
from schema.tokens import NOTHING
from tests.inference.jams import Jam, Move, moves, whole_melody

SLOTS = 3
BUCKETS = (Bucket(1, 1, 4), Bucket(2, 1, 1), Bucket(4, 1, 1), Bucket(4, 1, 4), Bucket(2, 4, 1), Bucket(2, 16, 1))
SESSIONS = "abcdef"
CALL_S = 0.001


class Fuzz(RuleBasedStateMachine):
    """More sessions than slots, asked and computed in any order, with failures and deadlines."""

    devices = 1

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.engine = ToyEngine(SLOTS, devices=self.devices)
        self.scheduler = Scheduler(SLOTS, BUCKETS, devices=self.devices)
        self.jams = {name: Jam(name, history=1 + 7 * index, seed=index) for index, name in enumerate(SESSIONS)}
        self.asked = {}  # unanswered: (session, seq) -> (request, deadline)
        self.begun = set()  # of those: seen in a batch

    @rule(session=st.sampled_from(SESSIONS), move=moves, slack_ms=st.sampled_from((5.0, 50.0, 1e6)))
    def ask(self, session, move, slack_ms):
        request = msgspec.structs.replace(self.jams[session].ask(move), slack_ms=slack_ms)
        self.asked[session, request.seq] = (request, self.now + slack_ms / 1000)
        self.take(self.scheduler.add(request, self.now), {SUPERSEDED})

    @rule(session=st.sampled_from(SESSIONS), move=moves)
    def ask_badly(self, session, move):
        request = msgspec.structs.replace(self.jams[session].ask(move), slack_ms=1e6, density=99)
        self.asked[session, request.seq] = (request, self.now + 1e3)
        self.take(self.scheduler.add(request, self.now), {SUPERSEDED})

    @rule(seconds=st.sampled_from((0.001, 0.02)))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.asked)
    @rule()
    def compute(self):
        batch, replies = self.scheduler.schedule(self.now)
        self.take(replies, {LATE, "expected known controls"})
        if batch is None:
            return
        self.check(batch)
        decided = self.engine.run(batch.works, batch.bucket)
        self.take(self.scheduler.complete(batch, decided, CALL_S), set())

    @precondition(lambda self: not self.asked)
    @rule(calls=st.integers(1, 25))
    def look_ahead(self, calls):
        """Idle time: guesses are begun, left unfinished, in slots that other sessions may want."""
        for _ in range(calls):
            ahead = self.scheduler.look_ahead()
            if ahead is None:
                return
            slots = [work.slot for work in ahead.works]
            assert len(set(slots)) == len(slots) <= ahead.bucket.rows
            self.engine.copy(ahead.copies)
            self.scheduler.looked_ahead(ahead, self.engine.run(ahead.works, ahead.bucket))

    @precondition(lambda self: self.asked)
    @rule()
    def a_call_fails(self):
        batch, replies = self.scheduler.schedule(self.now)
        self.take(replies, {LATE, "expected known controls"})
        if batch is not None:
            self.engine = ToyEngine(SLOTS, devices=self.devices)  # slots may hold anything now
            self.take(self.scheduler.forget(), {"computation failed"})
            assert self.scheduler.slots_used == 0

    @invariant()
    def nothing_is_lost(self):
        assert self.scheduler.idle == (not self.asked)
        assert self.scheduler.slots_used <= SLOTS
        assert self.scheduler.num_waiting <= len(self.asked)

    def teardown(self):
        while self.asked:
            self.compute()
        for index in range(SLOTS):  # no slot leaked: as many sessions as slots compute together, each in its own
            assert self.scheduler.add(Jam(f"new {index}").ask(Move(frames=0)), self.now) == []
        batch, _ = self.scheduler.schedule(self.now)
        assert {work.slot for work in batch.works} == set(range(SLOTS))
        self.scheduler.forget()

    def check(self, batch):
        """The bucket holds the batch, each slot is in it once, and it is led by the earliest deadline under way."""
        assert batch.bucket in BUCKETS
        rows = Counter(work.slot * self.devices // SLOTS for work in batch.works)
        assert max(rows.values()) <= batch.bucket.rows
        assert len({work.slot for work in batch.works}) == len({row.progress.request.session for row in batch.rows}) == len(batch.rows)
        deadlines = [row.asked.deadline for row in batch.rows]
        assert deadlines == sorted(deadlines)
        self.begun |= {(row.progress.request.session, row.progress.request.seq) for row in batch.rows}
        assert deadlines[0] == min(self.asked[key][1] for key in self.begun)

    def take(self, replies, allowed):
        """Every reply answers one open request, with the plan made by hand or an allowed reason."""
        for reply in replies:
            request, deadline = self.asked.pop((reply.session, reply.seq))
            self.begun.discard((reply.session, reply.seq))
            if reply.problem:
                assert reply.problem.partition(", got")[0] in allowed
                continue
            chords = unpack_values(reply.chords)
            assert chords == plan_by_hand(request)[: len(chords)]
            assert len(chords) == request.lookahead_frames or (chords and self.now + CALL_S >= deadline)
            assert 0 <= reply.reused <= 1
            assert reply.queue_ms >= 0
            jam = self.jams[reply.session]
            if request.seq == jam.seq and len(jam.chords) == request.first_frame and len(chords) == request.lookahead_frames:
                jam.hear(chords)


Fuzz.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestFuzz = Fuzz.TestCase


class FuzzDevices(Fuzz):
    """The same with a device for every slot."""

    devices = SLOTS


FuzzDevices.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None, derandomize=True)
TestFuzzDevices = FuzzDevices.TestCase


class Device:
    """A scheduler and its engine, driven call by call."""

    def __init__(self, slots=4, buckets=BUCKETS, *, offline=False):
        self.scheduler, self.engine = Scheduler(slots, buckets, offline=offline), ToyEngine(slots, offline=offline)

    def call(self, now=0.0):
        """One batch: its sessions in order and its replies."""
        batch, replies = self.scheduler.schedule(now)
        if batch is not None:
            replies = replies + self.scheduler.complete(batch, self.engine.run(batch.works, batch.bucket), CALL_S)
        return [row.progress.request.session for row in batch.rows] if batch else [], replies

    def drain(self):
        replies = []
        while not self.scheduler.idle:
            replies += self.call()[1]
        return replies


def asked(jam, move=None, slack_ms=100.0):
    return msgspec.structs.replace(jam.ask(move or Move()), slack_ms=slack_ms)


def test_earliest_deadline_first():
    """Slots and places in a batch go by deadline, not by arrival."""
    device = Device(slots=2)
    for name, slack_ms in (("a", 300.0), ("b", 100.0), ("c", 200.0)):
        device.scheduler.add(asked(Jam(name), slack_ms=slack_ms), 0.0)
    assert device.call()[0] == ["b", "c"]
    assert device.scheduler.num_waiting == 1


def test_equal_deadlines_go_by_arrival():
    device = Device()
    device.scheduler.add(asked(Jam("b"), slack_ms=100.0), 0.0)
    device.scheduler.add(asked(Jam("a"), slack_ms=50.0), 0.05)
    assert device.call()[0] == ["b", "a"]


def test_a_newer_request_supersedes_the_one_that_waits():
    device, jam = Device(slots=1), Jam("a")
    first, second = asked(jam), asked(jam)
    assert device.scheduler.add(first, 0.0) == []
    (reply,) = device.scheduler.add(second, 0.0)
    assert (reply.session, reply.seq, reply.problem) == ("a", 1, "superseded")
    assert [reply.seq for reply in device.drain()] == [2]


def test_a_request_that_runs_is_finished_before_the_next_of_its_session_begins():
    device, jam = Device(), Jam("a")
    device.scheduler.add(asked(jam), 0.0)
    device.call()
    assert device.scheduler.add(asked(jam), 0.0) == []
    assert [reply.seq for reply in device.drain()] == [1, 2]


def test_a_request_whose_deadline_passed_before_it_began_is_late():
    device = Device()
    device.scheduler.add(asked(Jam("a"), slack_ms=10.0), 0.0)
    (_, (reply,)) = device.call(now=0.011)
    assert reply.problem == "late"
    assert device.scheduler.idle


def test_at_its_deadline_a_plan_is_answered_with_what_is_decided():
    """Head first; the next request goes on from there and finds all of it decided that a plan in time would have."""
    device, jam = Device(), Jam("a", history=9)
    request = asked(jam, slack_ms=10.0)
    device.scheduler.add(request, 0.0)
    device.call(now=0.0)
    assert device.call(now=0.008) == (["a"], [])
    _, (reply,) = device.call(now=0.0099)
    whole = plan_by_hand(request)
    head = unpack_values(reply.chords)
    assert head == whole[: len(head)]
    assert 0 < len(head) < len(whole)
    assert device.scheduler.idle
    device.scheduler.add(asked(jam, Move(frames=0)), 1.0)
    (again,) = device.drain()
    assert unpack_values(again.chords) == whole
    assert again.steps == len(whole) - len(head)


def test_at_its_deadline_a_plan_without_any_frame_is_late():
    """A long history was still being fed."""
    device = Device(buckets=(Bucket(1, 4, 1), Bucket(1, 1, 1)))
    device.scheduler.add(asked(Jam("a", history=30), slack_ms=10.0), 0.0)
    device.call(now=0.0)
    assert device.call(now=0.0099)[1] == []
    _, (reply,) = device.call(now=0.01)
    assert (reply.problem, reply.chords) == (LATE, b"")
    assert reply.queue_ms == pytest.approx(10.0)


def test_a_whole_melody_is_whole_or_late():
    """What an offline model has decided by the deadline is of no use to anybody."""
    device = Device(offline=True)
    device.scheduler.add(msgspec.structs.replace(whole_melody("a", [60] * 5), slack_ms=10.0), 0.0)
    device.call(now=0.0)
    device.call(now=0.009)
    _, (reply,) = device.call(now=0.01)
    assert (reply.problem, device.scheduler.idle) == (LATE, True)


def test_the_earliest_deadline_is_that_of_all_there_is_to_compute():
    device = Device(slots=1)
    assert device.scheduler.earliest_deadline == math.inf
    device.scheduler.add(asked(Jam("a"), slack_ms=500.0), 0.0)
    device.call(now=0.0)
    assert device.scheduler.earliest_deadline == 0.5
    device.scheduler.add(asked(Jam("b"), slack_ms=200.0), 0.0)
    assert device.scheduler.earliest_deadline == 0.2


def test_a_hit_is_answered_after_its_own_step_while_misses_go_on():
    device, hit, miss = Device(), Jam("hit", history=9), Jam("miss", history=9, seed=3)
    device.scheduler.add(asked(hit, Move(frames=0)), 0.0)
    device.scheduler.add(asked(miss, Move(frames=0)), 0.0)
    device.drain()
    device.scheduler.add(asked(hit, Move(frames=0, lookahead=9)), 0.0)  # one more frame than is known already
    device.scheduler.add(asked(miss, Move(frames=0, change="seed")), 0.0)
    rows, replies = device.call()
    assert sorted(rows) == ["hit", "miss"]
    assert [(reply.session, reply.steps, reply.batch) for reply in replies] == [("hit", 1, 2)]
    assert device.call()[0] == ["miss"]
    assert [reply.session for reply in device.drain()] == ["miss"]


def test_what_is_known_already_is_answered_without_a_call():
    device, jam = Device(), Jam("a", history=9)
    device.scheduler.add(asked(jam, Move(frames=0)), 0.0)
    (first,) = device.drain()
    device.scheduler.add(asked(jam, Move(frames=0)), 2.0)
    batch, (again,) = device.scheduler.schedule(2.01)
    assert batch is None
    assert (again.chords, again.steps, again.reused, again.batch, again.device_ms) == (first.chords, 0, 1.0, 0, 0.0)
    assert round(again.queue_ms, 6) == 10.0


def test_the_least_recently_used_idle_session_is_evicted():
    device, jams = Device(slots=2), [Jam(name, history=9) for name in "abc"]
    for jam in (jams[0], jams[1], jams[0], jams[2]):
        device.scheduler.add(asked(jam, Move(frames=0)), 0.0)
        device.drain()
    assert device.scheduler.slots_used == 2
    remembered = {}
    for jam in (jams[0], jams[1]):
        device.scheduler.add(asked(jam, Move(frames=0)), 0.0)
        (reply,) = device.drain()
        remembered[jam.session] = reply.reused
    assert remembered == {"a": 1.0, "b": 0.0}


def test_long_histories_are_fed_in_the_largest_bucket():
    """A history longer than any bucket takes several calls; the last one fits and decides."""
    device = Device()
    device.scheduler.add(asked(Jam("a", history=40)), 0.0)
    device.drain()
    assert [bucket for bucket, _ in device.engine.calls][:3] == [Bucket(2, 16, 1)] * 3


def test_the_bucket_is_the_smallest_that_holds_the_batch_and_decides_no_more_than_needed():
    """Nine frames to decide: one fed with the history, two calls of four; a full house is cut to the rows there are."""
    device = Device()
    device.scheduler.add(asked(Jam("a")), 0.0)
    device.drain()
    assert device.engine.calls == [(Bucket(2, 4, 1), 1), (Bucket(1, 1, 4), 1), (Bucket(1, 1, 4), 1)]
    crowd = Device()
    for name in "abcd":
        crowd.scheduler.add(asked(Jam(name)), 0.0)
    assert len(crowd.call()[0]) == 2
    lone = Device(buckets=[Bucket(2, 2, 4)])  # nothing smaller: more is decided than asked for
    lone.scheduler.add(asked(Jam("a"), Move(lookahead=4)), 0.0)
    assert lone.drain()[0].chords


def test_a_failed_call_refuses_what_ran_and_what_waits_is_planned():
    device, jams = Device(slots=1), [Jam("a", history=5), Jam("b", history=5)]
    requests = [asked(jam, slack_ms=slack) for jam, slack in zip(jams, (50.0, 90.0), strict=True)]
    for request in requests:
        device.scheduler.add(request, 0.0)
    device.scheduler.schedule(0.0)
    (lost,) = device.scheduler.forget()
    assert (lost.session, lost.problem, device.scheduler.slots_used) == ("a", "computation failed", 0)
    (reply,) = device.drain()
    assert (reply.session, unpack_values(reply.chords)) == ("b", plan_by_hand(requests[1]))


def test_a_bad_request_is_refused_and_its_slot_can_be_taken():
    device = Device(slots=1)
    device.scheduler.add(msgspec.structs.replace(asked(Jam("a")), style=77), 0.0)
    (_, (refusal,)) = device.call()
    assert refusal.problem == "expected known controls, got density 0, style 77, 4 beats per bar"
    device.scheduler.add(asked(Jam("b")), 0.0)
    assert device.drain()[0].chords


def idle(device):
    """Look ahead until there is nothing left to guess; the calls it took."""
    calls = 0
    while (ahead := device.scheduler.look_ahead()) is not None:
        device.engine.copy(ahead.copies)
        device.scheduler.looked_ahead(ahead, device.engine.run(ahead.works, ahead.bucket))
        calls += 1
    return calls


@pytest.mark.parametrize("surprise", [0, 1, 2])
def test_what_was_guessed_is_answered_without_a_step(surprise):
    """As anticipated, or with another of the likeliest melody values: the plan is there already. The toy engine likes rest, D4 and F#4."""
    device, jam = Device(slots=5), Jam("a", history=9)
    device.scheduler.add(asked(jam), 0.0)
    (reply,) = device.drain()
    jam.hear(unpack_values(reply.chords))
    memory = device.scheduler._sessions["a"].memory
    anticipated = memory.frames[len(jam.melody) - 1].melody
    value = [anticipated, *(v for v in (NOTHING, 62, 66) if v != anticipated)][surprise]
    assert idle(device) > 1
    jam.melody[-1] = value
    request = asked(jam, Move(frames=1))
    device.scheduler.add(request, 0.0)
    (again,) = device.drain()
    assert unpack_values(again.chords) == plan_by_hand(request)
    assert (again.steps, again.batch) == (0, 0)


def test_guesses_take_no_slot_from_a_session():
    """They wait for a free one, and give it back to whoever comes."""
    device, jam = Device(slots=2), Jam("a", history=9)
    device.scheduler.add(asked(jam), 0.0)
    device.drain()
    assert idle(device) > 1
    device.scheduler.add(asked(Jam("b")), 0.0)
    assert device.drain()[0].chords
    assert device.scheduler.slots_used == 2
    assert idle(device) == 1  # one more frame of each plan, in its own slot: there is no other
    device.scheduler.add(asked(Jam("c")), 0.0)
    assert device.drain()[0].chords
    assert device.scheduler.slots_used == 2


def test_there_is_nothing_to_guess_where_the_window_hops_or_without_a_step_bucket():
    """The keys of the hopped window would all be others."""
    device = Device()
    jam = Jam("a", history=247)
    request = asked(jam)
    assert window_start(request.first_frame + 1, 8) > request.window_start == 0
    device.scheduler.add(request, 0.0)
    device.drain()
    assert device.scheduler.look_ahead() is None
    other = Device(buckets=(Bucket(1, 16, 4), Bucket(1, 1, 4)))
    other.scheduler.add(asked(Jam("a")), 0.0)
    other.drain()
    assert other.scheduler.look_ahead() is None


def test_nothing_is_guessed_about_whole_melodies():
    device = Device(offline=True)
    device.scheduler.add(whole_melody("a", [60] * 5), 0.0)
    device.drain()
    assert device.scheduler.look_ahead() is None
