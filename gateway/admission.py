"""Who may come in and how much one connection may send: seats, rates and the error budget. Pure.

Every judgement is a `Verdict`; time is passed in as `now`, monotonic seconds. What is refused costs no tokens, so a
client slightly over its rate is slowed down to it, not shut out.
"""

from collections import Counter, OrderedDict, deque
from enum import Enum, auto
from typing import NamedTuple

from schema.codes import FULL_HOUSE, TOO_FAST, TOO_MANY_ERRORS, Close

MAX_ADDRESSES = 16_384


class Verdict(Enum):
    """May it pass? If not, what becomes of the connection."""

    PASS = auto()
    SLOW_DOWN = auto()  # refuse this message, keep the connection (C5)
    TOO_FAST = auto()
    TOO_MANY_ERRORS = auto()
    FULL_HOUSE = auto()

    @property
    def close(self) -> Close | None:
        """The close that goes with the verdict; None if the connection stays open."""
        return _CLOSES.get(self)


_CLOSES = {Verdict.TOO_FAST: TOO_FAST, Verdict.TOO_MANY_ERRORS: TOO_MANY_ERRORS, Verdict.FULL_HOUSE: FULL_HOUSE}


class Rate(NamedTuple):
    """So much per second on average, so much at once."""

    per_second: float
    burst: float


class Allowance(NamedTuple):
    """What one connection may send. 300 BPM is 20 ticks a second; a quarter more leaves room for `configure`."""

    messages: Rate = Rate(25.0, 50.0)
    received_bytes: Rate = Rate(32_768.0, 65_536.0)
    frames: Rate = Rate(100.0, 200.0)  # WebSocket frames, control frames too
    slow_downs: int = 40  # refusals for haste within the window, then 4004 (C5)
    errors: int = 5  # refused messages within the window, then 4507 (C6)
    window_s: float = 60.0


class TokenBucket:
    """Lets a rate pass, with bursts; full at first."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = float("-inf")

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Let `amount` pass if it may; what may not costs nothing."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        passes = self._tokens >= amount
        if passes:
            self._tokens -= amount
        return passes


class Budget:
    """So many uses within a sliding window; the last of them spends it."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._uses: deque[float] = deque(maxlen=limit)
        self._window_s = window_s

    def spend(self, now: float) -> bool:
        """Count a use; whether something is left after it."""
        self._uses.append(now)
        return len(self._uses) < self._limit or now - self._uses[0] > self._window_s


class Admission:
    """The limits of one connection."""

    def __init__(self, allowance: Allowance) -> None:
        self._messages = TokenBucket(*allowance.messages)
        self._bytes = TokenBucket(*allowance.received_bytes)
        self._frames = TokenBucket(*allowance.frames)
        self._slow_downs = Budget(allowance.slow_downs, allowance.window_s)
        self._errors = Budget(allowance.errors, allowance.window_s)

    def received(self, num_bytes: int, now: float) -> Verdict:
        """Judge what came from the socket, before it is parsed: PASS or TOO_FAST."""
        return Verdict.PASS if self._bytes.take(now, num_bytes) else Verdict.TOO_FAST

    def frame(self, now: float) -> Verdict:
        """Judge one WebSocket frame, control frames included: PASS or TOO_FAST."""
        return Verdict.PASS if self._frames.take(now) else Verdict.TOO_FAST

    def message(self, now: float) -> Verdict:
        """Judge one message: PASS, SLOW_DOWN (already counted, not one for `refused`), or TOO_FAST for going on like that."""
        if self._messages.take(now):
            return Verdict.PASS
        return Verdict.SLOW_DOWN if self._slow_downs.spend(now) else Verdict.TOO_FAST

    def refused(self, now: float) -> Verdict:
        """Count a message that was answered by `error`: PASS or TOO_MANY_ERRORS."""
        return Verdict.PASS if self._errors.spend(now) else Verdict.TOO_MANY_ERRORS


class Seats:
    """Sessions of the whole gateway, and of each address."""

    def __init__(self, max_sessions: int, max_per_address: int) -> None:
        self._max_sessions = max_sessions
        self._max_per_address = max_per_address
        self._taken: Counter[str] = Counter()

    @property
    def num_taken(self) -> int:
        """Sessions that hold a seat."""
        return self._taken.total()

    def admit(self, address: str) -> Verdict:
        """Take a seat: PASS, then give it back with `free`; or FULL_HOUSE."""
        if self.num_taken >= self._max_sessions or self._taken[address] >= self._max_per_address:
            return Verdict.FULL_HOUSE
        self._taken[address] += 1
        return Verdict.PASS

    def free(self, address: str) -> None:
        """Give a seat back."""
        assert self._taken[address] > 0, f"expected a seat taken by {address}, got none"
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]


class Handshakes:
    """Opening handshakes of the whole gateway, and of each address; remembers the MAX_ADDRESSES addresses seen last."""

    def __init__(self, overall: Rate, per_address: Rate) -> None:
        self._overall = TokenBucket(*overall)
        self._per_address = per_address
        self._addresses: OrderedDict[str, TokenBucket] = OrderedDict()

    def admit(self, address: str, now: float) -> Verdict:
        """Judge one handshake: PASS or TOO_FAST. An address over its own rate costs the others nothing."""
        bucket = self._addresses.pop(address, None) or TokenBucket(*self._per_address)
        self._addresses[address] = bucket
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)
        return Verdict.PASS if bucket.take(now) and self._overall.take(now) else Verdict.TOO_FAST
