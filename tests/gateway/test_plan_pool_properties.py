"""Whatever sessions, workers and time do, every request is reported exactly once."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.plan_pool import PlanPool, PoolLimits
from schema.engine_messages import PlanReply, PlanRequest


def request(session, seq, slack_ms):
    return PlanRequest(session, seq, "toy", 1, 0, 1, 16, b"", b"", 0.8, 4, 0, 0, 0, slack_ms)


def replies_to(call):
    return [PlanReply(r.session, r.seq) for r in call.requests]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(0, 5), st.integers(0, 120)),
        st.tuples(st.just("answer"), st.integers(0, 9), st.integers(0, 3)),
        st.tuples(st.just("connect"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("disconnect"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 60), st.just(0)),
    ),
    max_size=60,
)


class Driver:
    """Plays the shell: keeps the calls under way and everything that was reported."""

    def __init__(self, workers, in_flight):
        self.workers = workers
        self.pool = PlanPool(workers, PoolLimits(calls_in_flight=in_flight, requests_per_call=2))
        self.under_way = {}
        self.connected = set()
        self.submitted = []
        self.reported = []
        self.now = 0.0

    def step(self, kind, number, detail):
        if kind == "submit":
            self.submitted.append((f"s{number % 3}" + "/harmonize" * (number > 2), len(self.submitted)))
            self.take(self.pool.submit(request(*self.submitted[-1], slack_ms=float(detail)), self.now))
        elif kind == "answer" and self.under_way:
            call = self.under_way.pop(sorted(self.under_way)[number % len(self.under_way)])
            self.take(self.pool.answered(call.worker, call.call_id, replies_to(call)[detail > 2 :], self.now))
        elif kind == "wait":
            self.now += number / 1000.0
            self.take(self.pool.advance(self.now))
        elif kind in ("connect", "disconnect"):
            self.link(kind, self.workers[number % len(self.workers)])

    def link(self, kind, worker):
        if kind == "connect" and worker not in self.connected:
            self.connected.add(worker)
            self.take(self.pool.connected(worker, self.now))
        elif kind == "disconnect" and worker in self.connected:
            self.connected.discard(worker)
            self.under_way = {i: call for i, call in self.under_way.items() if call.worker != worker}
            self.take(self.pool.disconnected(worker, self.now))

    def take(self, orders):
        for call in orders.calls:
            assert call.worker in self.connected
            assert len({r.session for r in call.requests}) == len(call.requests) <= 2
            self.under_way[call.call_id] = call
        per_worker = Counter((call.worker, call.requests[0].session[2:]) for call in self.under_way.values())
        assert all(count <= self.pool._limits.calls_in_flight for count in per_worker.values())
        self.reported += [(item.session, item.seq) for item in (*orders.replies, *orders.give_ups)]
        waiting = [session for worker in self.pool._workers.values() for lane in worker.lanes.values() for session in lane.waiting]
        assert len(waiting) == len(set(waiting)), "more than one unsent request of a session"


@settings(deadline=None, max_examples=300)
@given(steps=STEPS, workers=st.integers(1, 2), in_flight=st.integers(1, 3))
def test_every_request_is_reported_exactly_once_and_at_most_one_of_a_session_waits(steps, workers, in_flight):
    driver = Driver(["a", "b"][:workers], in_flight)
    for worker in driver.workers:
        driver.link("connect", worker)
    for step in steps:
        driver.step(*step)
    driver.step("wait", 1000, 0)
    assert sorted(driver.reported) == sorted(driver.submitted)
    assert driver.pool.next_deadline() is None
    assert driver.pool.waiting() == 0
