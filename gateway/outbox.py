"""What waits to be sent to one client: few messages, one plan, the newest wins. Pure.

Messages leave in the order they came. A plan that is overtaken by a newer one before it was sent becomes a
`keep`/`superseded` in its place, so that its tick keeps its one answer (T3). A client that does not apply its plans gets
no more of them until it does; what may leave meanwhile passes the plan that waits.
"""

from collections import deque

import msgspec

from schema.client_messages import GatewayMessage, Keep, Plan
from schema.codes import SLOW_CLIENT, Close

MAX_MESSAGES = 16


class Outbox:
    """One connection's queue. `now` is monotonic seconds wherever it appears."""

    def __init__(self, max_unacknowledged: int = 8, unacknowledged_timeout_s: float = 5.0) -> None:
        self._max_unacknowledged = max_unacknowledged
        self._timeout_s = unacknowledged_timeout_s
        self._queue: deque[GatewayMessage] = deque()  # at most one of them a plan
        self._plan_put_at = 0.0
        self._unacknowledged: deque[int] = deque()  # seqs of plans handed out, rising
        self._blocked_since: float | None = None  # since when a plan waits only because the client applied none
        self._overflowed = False

    def put(self, message: GatewayMessage, now: float) -> None:
        """Queue a message. If that is one too many it is dropped and `overdue` says so."""
        if isinstance(message, Plan):
            self._supersede()
            self._plan_put_at = now
            if self._is_blocked() and self._blocked_since is None:
                self._blocked_since = now
        self._queue.append(message)
        if sum(not isinstance(queued, Plan) for queued in self._queue) > MAX_MESSAGES:
            self._queue.pop()
            self._overflowed = True

    def acknowledge(self, seq: int) -> None:
        """Count all plans up to `seq` as applied (T5)."""
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._unacknowledged.popleft()
        if not self._is_blocked():
            self._blocked_since = None

    def next_message(self, now: float) -> GatewayMessage | None:
        """Take out what is to be sent next; None if there is nothing, or only a plan that must wait."""
        for index, message in enumerate(self._queue):
            if not isinstance(message, Plan):
                del self._queue[index]
                return message
            if not self._is_blocked():
                del self._queue[index]
                self._unacknowledged.append(message.seq)
                return self._stamped(message, now)
        return None

    def overdue(self, now: float) -> Close | None:
        """The close this client has earned by reading or applying too slowly, if any."""
        blocked_s = 0.0 if self._blocked_since is None else now - self._blocked_since
        return SLOW_CLIENT if self._overflowed or blocked_s >= self._timeout_s else None

    def _is_blocked(self) -> bool:
        return len(self._unacknowledged) >= self._max_unacknowledged

    def _supersede(self) -> None:
        """Answer the tick of an unsent plan with `keep` instead."""
        for index, message in enumerate(self._queue):
            if isinstance(message, Plan):
                self._queue[index] = Keep(message.seq, "superseded")

    def _stamped(self, plan: Plan, now: float) -> Plan:
        """The plan with the time it waited here counted in `gateway_ms`."""
        waited_ms = (now - self._plan_put_at) * 1000.0
        timing = msgspec.structs.replace(plan.timing, gateway_ms=plan.timing.gateway_ms + waited_ms)
        return msgspec.structs.replace(plan, timing=timing)
