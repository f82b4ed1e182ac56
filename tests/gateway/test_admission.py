"""Seats, rates and the error budget."""

import pytest

from gateway import admission
from gateway.admission import Admission, Allowance, Budget, Handshakes, Rate, Seats, TokenBucket, Verdict
from schema.codes import FULL_HOUSE, TOO_FAST, TOO_MANY_ERRORS, Close

PLENTY = Allowance()


@pytest.mark.parametrize(
    ("verdict", "close"),
    [
        (Verdict.PASS, None),
        (Verdict.SLOW_DOWN, None),
        (Verdict.TOO_FAST, TOO_FAST),
        (Verdict.TOO_MANY_ERRORS, TOO_MANY_ERRORS),
        (Verdict.FULL_HOUSE, FULL_HOUSE),
    ],
)
def test_closes(verdict: Verdict, close: Close | None) -> None:
    """C5: every verdict says whether and how the connection closes."""
    assert verdict.close == close


def test_bucket() -> None:
    """C5: a bucket is full at first, refills at its rate and never above its burst; what it refuses costs nothing."""
    bucket = TokenBucket(2.0, 4.0)
    assert bucket.take(0.0, 4.0)
    assert not bucket.take(0.25)
    assert bucket.take(0.5)
    assert not bucket.take(100.0, 4.5)
    assert bucket.take(100.0, 4.0)


def test_fastest_tempo_passes() -> None:
    """C5: an hour at 300 BPM, 20 ticks a second, with a `configure` every other second is never refused."""
    connection = Admission(PLENTY)
    times = [n * 0.05 for n in range(20 * 60)] + [n * 2.0 for n in range(30)]
    assert {connection.message(now) for now in sorted(times)} == {Verdict.PASS}


def test_slow_down_then_close() -> None:
    """C5: messages over the rate get slow_down, going on like that closes."""
    connection = Admission(Allowance(messages=Rate(1.0, 2.0), slow_downs=3))
    assert [connection.message(0.0) for _ in range(5)] == [Verdict.PASS] * 2 + [Verdict.SLOW_DOWN] * 2 + [Verdict.TOO_FAST]


def test_slightly_too_fast_is_slowed_down() -> None:
    """C5: refused messages cost no tokens, so half of twice the rate still passes."""
    connection = Admission(Allowance(messages=Rate(1.0, 1.0), slow_downs=100))
    verdicts = [connection.message(n * 0.5) for n in range(100)]
    assert verdicts.count(Verdict.PASS) == 50


def test_bytes_and_frames() -> None:
    """C5: too many bytes or WebSocket frames close at once: they cannot be answered one by one."""
    connection = Admission(Allowance(received_bytes=Rate(10.0, 100.0), frames=Rate(1.0, 2.0)))
    assert [connection.received(60, 0.0), connection.received(60, 0.0)] == [Verdict.PASS, Verdict.TOO_FAST]
    assert [connection.frame(0.0) for _ in range(3)] == [Verdict.PASS, Verdict.PASS, Verdict.TOO_FAST]


def test_error_budget() -> None:
    """C6: the fifth refused message within a minute closes."""
    connection = Admission(PLENTY)
    assert [connection.refused(float(now)) for now in (0, 10, 20, 30)] == [Verdict.PASS] * 4
    assert connection.refused(60.0) == Verdict.TOO_MANY_ERRORS


def test_error_budget_slides() -> None:
    """C6: errors older than a minute do not count."""
    connection = Admission(PLENTY)
    assert {connection.refused(n * 15.1) for n in range(100)} == {Verdict.PASS}


def test_budget_of_one() -> None:
    """C6: a budget of one is spent by the first use."""
    assert not Budget(1, 60.0).spend(0.0)


def test_seats() -> None:
    """C8: a full gateway turns players away until a seat is given back."""
    seats = Seats(max_sessions=2, max_per_address=2)
    assert [seats.admit(address) for address in "abc"] == [Verdict.PASS, Verdict.PASS, Verdict.FULL_HOUSE]
    assert seats.num_taken == 2
    seats.free("a")
    assert seats.admit("c") == Verdict.PASS


def test_seats_per_address() -> None:
    """C8: one address cannot take the house."""
    seats = Seats(max_sessions=9, max_per_address=2)
    assert [seats.admit("a") for _ in range(3)] == [Verdict.PASS, Verdict.PASS, Verdict.FULL_HOUSE]
    assert seats.admit("b") == Verdict.PASS
    seats.free("a")
    assert seats.admit("a") == Verdict.PASS


def test_seat_freed_twice() -> None:
    """C8: giving back a seat that was not taken is a bug of ours."""
    seats = Seats(9, 9)
    with pytest.raises(AssertionError, match="expected a seat taken by a"):
        seats.free("a")
    assert seats.num_taken == 0


def test_handshakes() -> None:
    """C11: an address that knocks too often is turned away without cost to the others; all together have a limit too."""
    door = Handshakes(overall=Rate(1.0, 3.0), per_address=Rate(1.0, 2.0))
    assert [door.admit("a", 0.0) for _ in range(3)] == [Verdict.PASS, Verdict.PASS, Verdict.TOO_FAST]
    assert door.admit("b", 0.0) == Verdict.PASS
    assert door.admit("c", 0.0) == Verdict.TOO_FAST


def test_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """C11: the addresses remembered are bounded; those not seen for longest go first."""
    monkeypatch.setattr(admission, "MAX_ADDRESSES", 2)
    door = Handshakes(overall=Rate(1.0, 100.0), per_address=Rate(1.0, 1.0))
    assert [door.admit(address, 0.0) for address in "abac"] == [Verdict.PASS, Verdict.PASS, Verdict.TOO_FAST, Verdict.PASS]
    assert door.admit("a", 0.0) == Verdict.TOO_FAST
    assert door.admit("b", 0.0) == Verdict.PASS
