"""The decider in front of inference: coalescing, deadlines, breaker, retry. Values in, values out."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.plan_pool import GiveUp, Orders, PlanPool, PoolLimits
from schema.engine_messages import PlanReply, PlanRequest


def request(session="s", seq=1, slack_ms=100.0):
    return PlanRequest(session, seq, "toy", 1, 0, 1, 16, b"", b"", 0.8, 4, 0, 0, 0, slack_ms)


def replies_to(call):
    return [PlanReply(r.session, r.seq) for r in call.requests]


def pool_of(*workers, **limits):
    pool = PlanPool(workers, PoolLimits(**limits))
    for worker in workers:
        pool.connected(worker, 0.0)
    return pool


def sessions_of(pool, worker, count=1, now=0.0):
    """Names of sessions whose first owner is `worker`."""
    names = (f"s{i}" for i in range(10_000))
    return [name for _, name in zip(range(count), (n for n in names if pool._owner(n, None, now).name == worker), strict=False)]


def trip(pool, worker, now):
    """Let one request to `worker` miss its deadline; returns when that was."""
    (name,) = sessions_of(pool, worker, now=now)
    pool.submit(request(name, slack_ms=10.0), now)
    pool.advance(now + 0.01)
    return now + 0.01


# ---- coalescer ----


def test_a_request_goes_out_at_once_while_calls_are_free():
    orders = pool_of("a").submit(request(slack_ms=80.0), 1.0)
    (call,) = orders.calls
    assert (call.worker, call.requests[0].seq, call.requests[0].slack_ms) == ("a", 1, pytest.approx(80.0))
    assert orders.give_ups == ()


def test_what_is_submitted_while_all_calls_are_under_way_goes_out_together():
    pool = pool_of("a", calls_in_flight=1)
    (first,) = pool.submit(request("x"), 0.0).calls
    assert pool.submit(request("y", slack_ms=90.0), 0.01).calls == ()
    assert pool.submit(request("z", slack_ms=50.0), 0.01).calls == ()
    assert pool.waiting() == 2
    orders = pool.answered("a", first.call_id, replies_to(first), 0.02)
    assert [reply.session for reply in orders.replies] == ["x"]
    (second,) = orders.calls
    assert [r.session for r in second.requests] == ["z", "y"]  # earliest deadline first
    assert second.requests[0].slack_ms == pytest.approx(40.0)
    assert pool.waiting() == 0


def test_a_call_holds_no_more_than_its_limit():
    pool = pool_of("a", calls_in_flight=1, requests_per_call=2)
    (first,) = pool.submit(request("x"), 0.0).calls
    for name in ("p", "q", "r"):
        pool.submit(request(name), 0.0)
    (second,) = pool.answered("a", first.call_id, replies_to(first), 0.01).calls
    assert len(second.requests) == 2
    assert pool.waiting() == 1


def test_the_newest_unsent_request_of_a_session_wins_and_the_older_one_is_reported():
    pool = pool_of("a", calls_in_flight=1)
    (first,) = pool.submit(request("x", 1), 0.0).calls
    pool.submit(request("x", 2), 0.0)
    assert pool.submit(request("x", 3), 0.0).give_ups == (GiveUp("x", 2, "superseded"),)
    (second,) = pool.answered("a", first.call_id, replies_to(first), 0.01).calls
    assert [r.seq for r in second.requests] == [3]


def test_replies_that_do_not_fit_their_requests_are_failures_of_those_requests_only():
    pool = pool_of("a", calls_in_flight=1)
    (first,) = pool.submit(request("x"), 0.0).calls
    pool.submit(request("y"), 0.0)
    pool.submit(request("z"), 0.0)
    (second,) = pool.answered("a", first.call_id, replies_to(first), 0.01).calls
    good = replies_to(second)[0]
    orders = pool.answered("a", second.call_id, [good, PlanReply("stranger", 1)], 0.02)
    assert orders.replies == (good,)
    assert orders.give_ups == (GiveUp(second.requests[1].session, 1, "unavailable"),)


def test_an_answer_to_a_call_that_is_not_under_way_changes_nothing():
    assert pool_of("a").answered("a", 77, [PlanReply("x", 1)], 0.0) == Orders()


# ---- deadlines ----


def test_a_request_past_its_slack_is_given_up_as_late_and_its_answer_ignored():
    pool = pool_of("a")
    (call,) = pool.submit(request(slack_ms=80.0), 0.0).calls
    assert pool.next_deadline() == pytest.approx(0.08)
    assert pool.advance(0.079) == Orders()
    assert pool.advance(0.08).give_ups == (GiveUp("s", 1, "late"),)
    assert pool.next_deadline() is None
    assert pool.answered("a", call.call_id, replies_to(call), 0.09).replies == ()


def test_a_request_without_slack_is_late_at_once():
    orders = pool_of("a").submit(request(slack_ms=0.0), 0.0)
    assert (orders.calls, orders.give_ups) == ((), (GiveUp("s", 1, "late"),))


def test_an_unsent_request_past_its_slack_is_given_up_and_never_sent():
    pool = pool_of("a", calls_in_flight=1)
    (first,) = pool.submit(request("x", slack_ms=500.0), 0.0).calls
    pool.submit(request("y", slack_ms=50.0), 0.0)
    assert pool.advance(0.05).give_ups == (GiveUp("y", 1, "late"),)
    assert pool.answered("a", first.call_id, replies_to(first), 0.06).calls == ()


def test_the_next_deadline_skips_what_is_answered():
    pool = pool_of("a")
    (first,) = pool.submit(request("x", slack_ms=50.0), 0.0).calls
    pool.submit(request("y", slack_ms=90.0), 0.0)
    pool.answered("a", first.call_id, replies_to(first), 0.01)
    assert pool.next_deadline() == pytest.approx(0.09)
    assert pool.advance(0.06) == Orders()


# ---- connections and the retry ----


def test_without_a_connected_worker_a_request_is_unavailable():
    pool = PlanPool(["a"], PoolLimits())
    assert pool.submit(request(), 0.0).give_ups == (GiveUp("s", 1, "unavailable"),)
    pool.connected("a", 0.1)
    assert len(pool.submit(request(seq=2), 0.1).calls) == 1


def test_a_lost_connection_makes_all_it_had_unavailable_when_there_is_no_other_worker():
    pool = pool_of("a", calls_in_flight=1)
    pool.submit(request("x"), 0.0)
    pool.submit(request("y"), 0.0)
    orders = pool.disconnected("a", 0.01)
    assert set(orders.give_ups) == {GiveUp("x", 1, "unavailable"), GiveUp("y", 1, "unavailable")}
    assert orders.calls == ()


def test_a_lost_connection_sends_what_it_had_to_the_next_owner_once():
    pool = pool_of("a", "b")
    (name,) = sessions_of(pool, "a")
    pool.submit(request(name), 0.0)
    (again,) = pool.disconnected("a", 0.03).calls
    assert (again.worker, again.requests[0].slack_ms) == ("b", pytest.approx(70.0))
    pool.connected("a", 0.04)
    assert pool.disconnected("b", 0.05).give_ups == (GiveUp(name, 1, "unavailable"),)


def test_no_retry_after_the_slack_is_used_up():
    pool = pool_of("a", "b")
    (name,) = sessions_of(pool, "a")
    pool.submit(request(name), 0.0)
    assert pool.disconnected("a", 0.1) == Orders(give_ups=(GiveUp(name, 1, "late"),))


def test_no_retry_when_no_other_worker_is_connected():
    pool = PlanPool(["a", "b"], PoolLimits())
    pool.connected("a", 0.0)
    pool.submit(request("x"), 0.0)
    assert pool.disconnected("a", 0.01).give_ups == (GiveUp("x", 1, "unavailable"),)


def test_a_failed_call_is_retried_at_the_next_owner():
    pool = pool_of("a", "b")
    (name,) = sessions_of(pool, "a")
    (call,) = pool.submit(request(name), 0.0).calls
    (again,) = pool.failed("a", call.call_id, 0.01).calls
    assert again.worker == "b"


def test_a_retried_request_gives_way_to_a_newer_one_of_its_session():
    pool = pool_of("a", "b", calls_in_flight=1)
    (name,) = sessions_of(pool, "a")
    (other,) = sessions_of(pool, "b")
    (call,) = pool.submit(request(name, 1), 0.0).calls
    pool.submit(request(other, 1), 0.0)  # b is busy now
    pool.disconnected("a", 0.01)
    pool.connected("a", 0.01)
    assert pool.waiting() == 1
    assert pool.submit(request(name, 2), 0.02).give_ups == (GiveUp(name, 1, "superseded"),)
    assert call.requests[0].seq == 1


def test_an_older_retried_request_does_not_replace_a_newer_waiting_one():
    pool = pool_of("a", "b", calls_in_flight=1)
    (name,) = sessions_of(pool, "a")
    (other,) = sessions_of(pool, "b")
    (old,) = pool.submit(request(name, 1, slack_ms=900.0), 0.0).calls
    pool.submit(request(other, 1, slack_ms=900.0), 0.0)
    trip(pool, "a", 0.0)
    pool.submit(request(name, 2, slack_ms=800.0), 0.05)  # a is tripped: waits at b
    assert pool.failed("a", old.call_id, 0.1).give_ups == (GiveUp(name, 1, "superseded"),)


def test_sessions_spread_over_the_workers_and_stay_there():
    pool = pool_of("a", "b", "c")
    owners = [pool._owner(f"session {i}", None, 0.0).name for i in range(300)]
    assert all(70 <= count <= 130 for count in Counter(owners).values())
    assert owners == [pool._owner(f"session {i}", None, 5.0).name for i in range(300)]


# ---- breaker ----


def test_a_missed_deadline_opens_the_breaker_for_1_2_4_8_seconds():
    pool = pool_of("a", "b")
    now = 0.0
    for seconds in (1.0, 2.0, 4.0, 8.0, 8.0):
        now = trip(pool, "a", now)
        assert pool.is_open("a", now + seconds - 0.001)
        assert not pool.is_open("a", now + seconds)
        now += seconds


def test_an_open_worker_gets_no_sessions_and_a_half_open_one_a_sixteenth():
    pool = pool_of("a", "b")
    names = [f"n{i}" for i in range(1600)]
    mine = [name for name in names if pool._owner(name, None, 0.0).name == "a"]
    now = trip(pool, "a", 0.0)
    assert {pool._owner(name, None, now).name for name in names} == {"b"}
    share = sum(pool._owner(name, None, now + 1.0).name == "a" for name in mine) / len(mine)
    assert 1 / 32 < share < 1 / 10


def test_an_answer_in_time_closes_a_half_open_breaker():
    pool = pool_of("a", "b")
    now = trip(pool, "a", 0.0) + 1.0
    (name,) = sessions_of(pool, "a", now=now)
    (call,) = pool.submit(request(name), now).calls
    pool.answered("a", call.call_id, replies_to(call), now + 0.01)
    assert len(sessions_of(pool, "a", count=100, now=now + 0.02)) == 100
    later = trip(pool, "a", now + 1.0)
    assert not pool.is_open("a", later + 1.0)  # counted from one again


def test_what_a_worker_had_before_its_breaker_opened_neither_trips_nor_closes_it():
    pool = pool_of("a", "b")
    one, two, three = sessions_of(pool, "a", count=3)
    pool.submit(request(one, slack_ms=10.0), 0.0)
    pool.submit(request(two, slack_ms=20.0), 0.0)
    (call,) = pool.submit(request(three, slack_ms=90.0), 0.0).calls
    pool.advance(0.01)
    pool.advance(0.02)
    assert not pool.is_open("a", 1.01)  # one trip, not two
    pool.answered("a", call.call_id, replies_to(call), 0.03)
    assert pool.is_open("a", 0.04)


def test_misses_noticed_late_are_the_fault_of_our_own_loop():
    pool = pool_of("a", "b")
    (name,) = sessions_of(pool, "a")
    pool.submit(request(name, slack_ms=10.0), 0.0)
    assert pool.advance(0.04).give_ups == (GiveUp(name, 1, "late"),)
    assert not pool.is_open("a", 0.04)


def test_with_all_breakers_open_the_least_tripped_worker_is_used():
    pool = pool_of("a", "b")
    now = trip(pool, "a", 0.0) + 1.0
    now = trip(pool, "a", now)
    now = trip(pool, "b", now)
    assert pool.is_open("a", now)
    assert pool.is_open("b", now)
    assert {pool._owner(f"n{i}", None, now).name for i in range(50)} == {"b"}


def test_a_single_worker_is_used_even_while_its_breaker_is_open():
    pool = pool_of("a")
    now = trip(pool, "a", 0.0)
    assert len(pool.submit(request(), now).calls) == 1


# ---- the promise ----

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
            self.submitted.append((f"s{number}", len(self.submitted)))
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
        per_worker = Counter(call.worker for call in self.under_way.values())
        assert all(count <= self.pool._limits.calls_in_flight for count in per_worker.values())
        self.reported += [(item.session, item.seq) for item in (*orders.replies, *orders.give_ups)]
        waiting = [session for worker in self.pool._workers.values() for session in worker.waiting]
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
