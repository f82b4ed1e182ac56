"""How busy the device is: what the gateway's relief under load goes by (P12). Pure."""

from collections import deque

SPAN_S = 1.0


class Load:
    """Calls and waits of the last second; times are monotonic seconds of one clock."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, float]] = deque()  # began, ended; in order
        self._waits: deque[tuple[float, float, bool]] = deque()  # when, milliseconds, too late

    def computed(self, began: float, ended: float) -> None:
        """A device call."""
        self._calls.append((began, ended))
        self._forget(ended)

    def waited(self, now: float, wait_ms: float, *, late: bool) -> None:
        """A live request had something to answer after so long, or had not and was given up as late."""
        self._waits.append((now, wait_ms, late))
        self._forget(now)

    def utilisation(self, now: float) -> float:
        """Share of the last second in which the device computed."""
        since = now - SPAN_S
        return sum(max(0.0, min(ended, now) - max(began, since)) for began, ended in self._calls) / SPAN_S

    def wait_p90_ms(self, now: float) -> float:
        """Nine of ten live requests of the last second waited no longer; 0 if there was none."""
        waits = sorted(wait_ms for when, wait_ms, _ in self._waits if when > now - SPAN_S)
        return waits[(9 * len(waits) - 1) // 10] if waits else 0.0

    def late_share(self, now: float) -> float:
        """Share of the live requests of the last second that had nothing to answer in time; 0 if there was none."""
        lates = [late for when, _, late in self._waits if when > now - SPAN_S]
        return sum(lates) / len(lates) if lates else 0.0

    def _forget(self, now: float) -> None:
        while self._calls and self._calls[0][1] <= now - SPAN_S:
            self._calls.popleft()
        while self._waits and self._waits[0][0] <= now - SPAN_S:
            self._waits.popleft()
