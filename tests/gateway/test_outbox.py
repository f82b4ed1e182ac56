"""The bounded queue of one connection."""

from gateway.outbox import MAX_MESSAGES, Outbox
from schema.client_messages import Keep, Moving, Plan, Timing
from schema.codes import SLOW_CLIENT


def plan(seq: int, gateway_ms: float = 0.0) -> Plan:
    return Plan(seq, seq, seq, [], Timing(gateway_ms, 0.0, 0.0, 0, 0.0, 0))


def drained(outbox: Outbox, now: float = 0.0) -> list[object]:
    """Everything that may leave, plans as their seq."""
    result: list[object] = []
    while (message := outbox.next_message(now)) is not None:
        result.append(message.seq if isinstance(message, Plan) else message)
    return result


def full(now: float = 0.0) -> Outbox:
    """An outbox that handed out plans 1 to 8, none of them applied."""
    outbox = Outbox()
    for seq in range(1, 9):
        outbox.put(plan(seq), now)
        drained(outbox)
    return outbox


def test_empty() -> None:
    """T3: nothing was put, so nothing leaves and nothing is overdue."""
    outbox = Outbox()
    assert outbox.next_message(0.0) is None
    assert outbox.overdue(0.0) is None


def test_messages_leave_in_order() -> None:
    """T3: an answer never overtakes an earlier one."""
    outbox = Outbox()
    for message in (Keep(1, "late"), plan(2), Keep(3, "busy")):
        outbox.put(message, 0.0)
    assert drained(outbox) == [Keep(1, "late"), 2, Keep(3, "busy")]


def test_newest_plan_wins() -> None:
    """P3: only the newest unsent plan is sent. T3: the tick of the older one still gets its answer, in its place."""
    outbox = Outbox()
    for message in (plan(1), Moving(5), plan(2)):
        outbox.put(message, 0.0)
    assert drained(outbox) == [Keep(1, "superseded"), Moving(5), 2]


def test_waiting_counts_as_gateway_time() -> None:
    """P1: `gateway_ms` reaches to the moment the plan is handed to the socket."""
    outbox = Outbox()
    outbox.put(plan(1, gateway_ms=2.0), 10.0)
    message = outbox.next_message(10.25)
    assert isinstance(message, Plan)
    assert message.timing.gateway_ms == 252.0


def test_too_many_messages() -> None:
    """C11: a client that does not read is closed with 4002 rather than kept in memory."""
    outbox = Outbox()
    for seq in range(MAX_MESSAGES):
        outbox.put(Keep(seq, "listening"), 0.0)
    assert outbox.overdue(0.0) is None
    outbox.put(Keep(99, "listening"), 0.0)
    assert outbox.overdue(0.0) == SLOW_CLIENT
    assert len(drained(outbox)) == MAX_MESSAGES


def test_a_plan_more_fits() -> None:
    """C11: beside the other messages there is room for exactly one plan."""
    outbox = Outbox()
    for seq in range(MAX_MESSAGES - 1):
        outbox.put(Keep(seq, "listening"), 0.0)
    outbox.put(plan(50), 0.0)
    outbox.put(plan(51), 0.0)
    assert outbox.overdue(0.0) is None
    assert len(drained(outbox)) == MAX_MESSAGES + 1


def test_unapplied_plans_stop() -> None:
    """T5: after 8 plans without acknowledgement no more are handed out, other messages are."""
    outbox = full()
    outbox.put(plan(9), 0.0)
    outbox.put(plan(10), 0.0)
    outbox.put(Moving(5), 0.0)
    assert drained(outbox) == [Keep(9, "superseded"), Moving(5)]
    outbox.acknowledge(1)
    assert drained(outbox) == [10]


def test_unapplied_for_too_long() -> None:
    """T5: a client whose plans wait 5 s for it to apply one is closed with 4002."""
    outbox = full()
    assert outbox.overdue(100.0) is None
    outbox.put(plan(9), 100.0)
    outbox.put(plan(10), 104.0)
    assert outbox.overdue(104.9) is None
    assert outbox.overdue(105.0) == SLOW_CLIENT


def test_applying_again() -> None:
    """T5: an acknowledgement ends the wait; one of an older plan does not."""
    outbox = full()
    outbox.put(plan(9), 0.0)
    outbox.acknowledge(0)
    assert outbox.overdue(5.0) == SLOW_CLIENT
    outbox.acknowledge(8)
    assert outbox.overdue(5.0) is None
    assert drained(outbox) == [9]
    outbox.acknowledge(12)
    assert drained(outbox) == []
