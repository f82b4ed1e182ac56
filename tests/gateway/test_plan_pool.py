"""The decider in front of inference: coalescing, deadlines, breaker, retry. Values in, values out."""

from collections import Counter

import pytest

from gateway.plan_pool import OTHER_CALLS, RETURN_S, RETURN_SHARE, GiveUp, Orders, PlanPool, PoolLimits
from schema.engine_messages import PlanReply, PlanRequest


def request(session="s", seq=1, slack_ms=100.0):
    return PlanRequest(session, seq, "toy", 1, 0, 1, 16, b"", b"", 0.8, 4, 0, 0, 0, slack_ms)


def told(slack_ms, of=100.0):
    """What a worker hears of what is left of a request's slack: its answer must be back in time, the way being shorter at fast tempi."""
    return pytest.approx(slack_ms - min(1000 * RETURN_S, RETURN_SHARE * of))


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
    assert (call.worker, call.requests[0].seq, call.requests[0].slack_ms) == ("a", 1, told(80.0, of=80.0))
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
    assert second.requests[0].slack_ms == told(40.0, of=50.0)
    assert pool.waiting() == 0


def test_many_live_plans_are_under_way_alone_but_few_of_what_takes_longer():
    """All of a call is answered together: a plan that needs one step would wait for the sixteen of another."""
    pool = pool_of("a")
    assert [len(pool.submit(request(f"s{index}"), 0.0).calls[0].requests) for index in range(40)] == [1] * 40
    sent = [len(pool.submit(request(f"s{index}/harmonize", slack_ms=30_000.0), 0.0).calls) for index in range(OTHER_CALLS + 2)]
    assert sent == [1] * OTHER_CALLS + [0, 0]


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


# ---- kinds ----


def test_a_whole_melody_never_shares_a_call_with_live_plans():
    """W1: all of a call is answered together, so a live plan would wait for it."""
    pool = pool_of("a", calls_in_flight=1)
    (live,) = pool.submit(request("x"), 0.0).calls
    (melody,) = pool.submit(request("x/harmonize", slack_ms=30_000.0), 0.0).calls
    for name in ("y", "y/harmonize", "z/harmonize", "z"):
        assert pool.submit(request(name, slack_ms=900.0), 0.01).calls == ()
    assert pool.waiting() == 4
    (plans,) = pool.answered("a", live.call_id, replies_to(live), 0.02).calls
    assert [r.session for r in plans.requests] == ["y", "z"]
    (another,) = pool.answered("a", melody.call_id, replies_to(melody), 0.03).calls
    assert [r.session for r in another.requests] == ["y/harmonize"]


def test_melodies_under_way_leave_all_calls_to_live_plans_and_warm_starts():
    """W1, P10: each kind is counted apart."""
    pool = pool_of("a", calls_in_flight=2)
    for index in range(5):
        pool.submit(request(f"s{index}/harmonize", slack_ms=30_000.0), 0.0)
    assert pool.waiting() == 3
    for name in ("x", "y", "x/warm-start", "y/warm-start"):
        assert [r.session for call in pool.submit(request(name), 0.0).calls for r in call.requests] == [name]


def test_only_live_plans_say_whether_a_worker_is_in_time():
    """W1: how long a melody or a warm start takes neither opens a breaker nor closes one; a failed call opens it."""
    pool = pool_of("a")
    for name in ("x/harmonize", "x/warm-start"):
        (call,) = pool.submit(request(name, slack_ms=10.0), 0.0).calls
        assert pool.advance(0.01).give_ups == (GiveUp(name, 1, "late"),)
        pool.answered("a", call.call_id, replies_to(call), 0.01)
    assert not pool.is_open("a", 0.01)
    now = trip(pool, "a", 0.02)
    (call,) = pool.submit(request("x/harmonize", 2), now).calls
    assert len(pool.answered("a", call.call_id, replies_to(call), now).replies) == 1
    assert pool.is_open("a", now)
    (call,) = pool.submit(request("x/harmonize", 3), now + 2.0).calls
    pool.failed("a", call.call_id, now + 2.0)
    assert pool.is_open("a", now + 2.0)


def test_a_lost_connection_gives_up_every_kind():
    pool = pool_of("a", calls_in_flight=1)
    for name in ("x", "x/harmonize", "y/harmonize"):
        pool.submit(request(name), 0.0)
    assert {gone.session for gone in pool.disconnected("a", 0.01).give_ups} == {"x", "x/harmonize", "y/harmonize"}
    assert pool.waiting() == 0


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
    assert (again.worker, again.requests[0].slack_ms) == ("b", told(70.0))
    pool.connected("a", 0.04)
    assert pool.disconnected("b", 0.05).give_ups == (GiveUp(name, 1, "unavailable"),)


def test_a_worker_that_leaves_gets_nothing_new_while_another_stays_and_answers_what_it_has():
    pool = pool_of("a", "b", calls_in_flight=1)
    first, second = sessions_of(pool, "a", 2)
    (call,) = pool.submit(request(first), 0.0).calls
    pool.leaves("a", True)
    assert [call.worker for call in pool.submit(request(second), 0.01).calls] == ["b"]
    assert pool.answered("a", call.call_id, [PlanReply(first, 1)], 0.02).replies == (PlanReply(first, 1),)
    (again,) = pool.disconnected("b", 0.03).calls
    assert (again.worker, again.requests[0].session) == ("a", second), "nobody else stays"


def test_a_worker_that_came_back_does_not_leave_any_more():
    pool = pool_of("a", "b")
    (name,) = sessions_of(pool, "a")
    pool.leaves("a", True)
    pool.disconnected("a", 0.0)
    pool.connected("a", 0.1)
    assert [call.worker for call in pool.submit(request(name), 0.2).calls] == ["a"]


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
