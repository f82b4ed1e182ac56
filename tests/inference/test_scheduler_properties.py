"""Which plans advance next, fuzzed: whatever comes in whatever order, every request is answered once, rightly, and no slot leaks."""

from collections import Counter

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.scheduler import Scheduler
from inference.slots import PLAYS_S
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.engine_messages import LATE, SUPERSEDED, unpack_values
from tests.inference.driven import BUCKETS, CALL_S, CHECKS
from tests.inference.jams import Jam, Move, moves

SLOTS = 3
SESSIONS = "abcdef"
HISTORIES = (1, 8, 15, 22, 236, 243)  # the last two are about to hop with their windows


class Fuzz(RuleBasedStateMachine):
    """More sessions than slots, asked and computed in any order, with failures and deadlines."""

    devices = 1
    buckets = BUCKETS

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.engine = ToyEngine(SLOTS, devices=self.devices)
        self.scheduler = Scheduler(SLOTS, self.buckets, devices=self.devices)
        self.jams = {name: Jam(name, history=HISTORIES[index], seed=index) for index, name in enumerate(SESSIONS)}
        self.asked = {}  # unanswered: (session, seq) -> (request, deadline)
        self.fed = False  # the last call fed a stretch of history

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
            assert replies or not self.asked  # while there is anything to compute, the device waits for nobody
            return
        self.check(batch)
        decided = self.engine.run(batch.works, batch.bucket)
        self.take(self.scheduler.complete(batch, decided, CALL_S, self.now), set())

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
        self.now += 2 * PLAYS_S  # nobody plays any more
        for index in range(SLOTS):  # no slot leaked: as many sessions as slots compute together, each in its own
            assert self.scheduler.add(Jam(f"new {index}").ask(Move(frames=0)), self.now) == []
        batch, _ = self.scheduler.schedule(self.now)
        assert {work.slot for work in batch.works} == set(range(SLOTS))
        self.scheduler.forget()

    def check(self, batch):
        """The bucket holds the batch, each slot is in it once, and the earliest deadline of the heads leads it, or it follows a feed."""
        assert batch.bucket in self.buckets
        rows = Counter(work.slot * self.devices // SLOTS for work in batch.works)
        assert max(rows.values()) <= batch.bucket.rows
        assert len({work.slot for work in batch.works}) == len({row.progress.request.session for row in batch.rows}) == len(batch.rows)
        turns = [(not row.urgent, row.asked.deadline) for row in batch.rows]
        assert turns == sorted(turns)  # heads first, each by deadline
        known = max(len(work.chords) - work.drafted for work in batch.works)
        feeds = (known if batch.bucket.at_once else batch.bucket.positions) > 1
        first = min((not row.urgent, row.asked.deadline) for row in self.scheduler._running.values())
        assert turns[0] == first or (self.fed and not feeds)
        self.fed = feeds

    def take(self, replies, allowed):
        """Every reply answers one open request, with the plan made by hand or an allowed reason."""
        for reply in replies:
            request, deadline = self.asked.pop((reply.session, reply.seq))
            if reply.problem:
                assert reply.problem.partition(", got")[0] in allowed
                continue
            chords = unpack_values(reply.chords)
            assert chords == plan_by_hand(request)[: len(chords)]
            assert len(chords) == request.lookahead_frames or (chords and self.now + CALL_S >= deadline)
            assert 0 <= reply.reused <= 1
            assert min(reply.queue_ms, reply.batch_wait_ms, reply.device_ms) >= 0
            jam = self.jams[reply.session]
            if request.seq == jam.seq and len(jam.chords) == request.first_frame and len(chords) == request.lookahead_frames:
                jam.hear(chords)


Fuzz.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestFuzz = Fuzz.TestCase


class FuzzDrafts(Fuzz):
    """The same where drafts are checked at once."""

    buckets = BUCKETS + CHECKS


FuzzDrafts.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestFuzzDrafts = FuzzDrafts.TestCase


class FuzzDevices(Fuzz):
    """The same with a device for every slot."""

    devices = SLOTS


FuzzDevices.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None, derandomize=True)
TestFuzzDevices = FuzzDevices.TestCase
