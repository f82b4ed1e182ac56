"""Which plans advance next: the rules one by one."""

import math

import msgspec
import pytest

from inference.planner import Bucket
from inference.toy_engine import plan_by_hand
from schema.engine_messages import LATE, unpack_values
from tests.inference.driven import BUCKETS, CHECKS, Device, asked
from tests.inference.jams import Jam, Move, whole_melody


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


def test_the_deadline_is_kept_although_the_next_call_may_be_a_long_one():
    """A call lately took 30 ms: 25 ms before the deadline what is decided goes out."""
    device, jam = Device(), Jam("a", history=9)
    device.scheduler.add(asked(jam, slack_ms=100.0), 0.0)
    for device_s, now in ((0.03, 0.03), (0.001, 0.04)):
        batch, _ = device.scheduler.schedule(now - device_s)
        assert device.scheduler.complete(batch, device.engine.run(batch.works, batch.bucket), device_s, now) == []
    batch, (reply,) = device.scheduler.schedule(0.075)
    assert batch is None
    assert len(unpack_values(reply.chords)) == 4  # and the melody of the frame before


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


def test_a_draft_is_checked_at_once_while_few_enough_plans_are_made():
    """Alone by a call of eight, two by eight each; three, and whoever has no draft, step by step."""
    device, jams = Device(buckets=BUCKETS + CHECKS), [Jam(name, history=9) for name in "abc"]
    buckets = []
    for move, names in (
        (Move(open=True), "abc"),
        *((Move(notes=(note,), open=True), names) for note, names in ((50, "a"), (51, "ab"), (53, "abc"))),
    ):
        asked_now = [asked(jam, move) for jam in jams if jam.session in names]
        for request in asked_now:
            device.scheduler.add(request, 0.0)
        before = len(device.engine.calls)
        plans = {reply.session: unpack_values(reply.chords) for reply in device.drain()}
        for request in asked_now:
            assert plans[request.session] == plan_by_hand(request)
            next(jam for jam in jams if jam.session == request.session).hear(plans[request.session])
        buckets.append({bucket for bucket, _ in device.engine.calls[before:] if bucket.at_once})
    assert buckets[0] == set()
    assert buckets[1] == {CHECKS[0]}
    assert CHECKS[1] in buckets[2]
    first_of_three = next(index for index, (_, rows) in enumerate(device.engine.calls[before:]) if rows == 3)
    assert not device.engine.calls[before:][first_of_three][0].at_once


def test_who_plays_is_pushed_out_now_and_then_only():
    """Four in three slots: were each request to take the slot of the next, all would be computed from nothing each time."""
    device, jams = Device(slots=3), {name: Jam(name, history=9) for name in "abcd"}
    for name in "abc":
        device.scheduler.add(asked(jams[name], slack_ms=1e6), 0.0)
    device.drain()
    for name in "ad":  # d takes the slot of b
        device.scheduler.add(asked(jams[name], slack_ms=1e6), 0.1)
    device.call(0.1)
    device.scheduler.add(asked(jams["b"], slack_ms=1e6), 0.11)
    device.call(0.11)
    assert (device.scheduler.num_waiting, device.scheduler.evictions) == (1, 1)
    device.call(0.36)  # b takes that of c
    assert (device.scheduler.num_waiting, device.scheduler.evictions) == (0, 2)


def test_crowded_are_slots_that_are_of_who_plays():
    """Nine of ten, as long as they asked lately; who went away is no crowd."""
    device, jams = Device(slots=10), [Jam(str(number)) for number in range(9)]
    for number, jam in enumerate(jams):
        assert not device.scheduler.crowded(0.1 * number)
        device.scheduler.add(asked(jam), 0.1 * number)
        device.call(0.1 * number)
    assert device.scheduler.crowded(0.9)
    assert device.scheduler.slots_used == 9
    assert not device.scheduler.crowded(2.1)


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


def test_the_time_of_a_plan_is_split_into_queue_batch_wait_and_device():
    """Of another class of calls, and later due: it has a slot at once, and waits while the other's call runs."""
    device = Device()
    device.scheduler.add(asked(Jam("long", history=8), Move(lookahead=1, open=True), slack_ms=50.0), 0.0)
    device.scheduler.add(asked(Jam("short", history=1), Move(lookahead=1, open=True), slack_ms=500.0), 0.0)
    (_, (first,)) = device.call(now=0.002)
    (_, (second,)) = device.call(now=0.006)
    times = [(reply.session, round(reply.queue_ms, 6), round(reply.batch_wait_ms, 6), reply.device_ms) for reply in (first, second)]
    assert times == [("long", 2.0, 0.0, 1.0), ("short", 2.0, 4.0, 1.0)]
