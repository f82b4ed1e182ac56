"""The one interface to inference: which worker gets which request when, and when to give up. Pure.

Every method takes `now` and returns `Orders`: calls to send, replies and give-ups to hand to their sessions. Every submitted
request is reported exactly once, as a reply or as a give-up. The shell calls `advance` at `next_deadline()`.

Coalescer: per worker so many calls in flight; what is submitted meanwhile waits, of each session only the newest request.
All of a call is answered together, so what else than live plans is asked for, warm starts and whole melodies, which take longer,
goes in calls of its own, one by one, and each kind is counted apart: no live plan waits for them (W1).
Deadlines: a request not answered within its slack is given up as `late`; where there are several workers, a request whose
call failed goes once to the next owner while slack is left. Workers are told of a little less slack: what they answer with at their
deadline (P11) must be back before ours.
Breaker, per worker: a missed deadline or failed call opens it for 1, 2, 4, 8 s; afterwards it is half open and lets a sixteenth
of the sessions through; an answer in time closes it. Misses noticed late are the fault of the gateway's own loop and do not
count, and neither does how long anything but a live plan takes. With all breakers open the least tripped worker is used; a worker
without connection is never used, one that leaves only where no other stays.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schema.client_messages import KeepReason
from schema.engine_messages import PlanReply, PlanRequest, player_of

MAX_OPEN_S = 8.0
HALF_OPEN_SHARE = 16
LIVE = ""  # kind of the requests that a player is waiting for, frame by frame
OTHER_CALLS = 4  # in flight at most, of each other kind
RETURN_SHARE, RETURN_S = 0.16, 0.016  # of a request's slack, and at most: from a worker's deadline to ours


class Call(NamedTuple):
    """One `plan_many` to one worker."""

    worker: str
    call_id: int
    requests: tuple[PlanRequest, ...]


class GiveUp(NamedTuple):
    """A request that will not be answered."""

    session: str
    seq: int
    reason: KeepReason


class Orders(NamedTuple):
    """What the shell does next."""

    calls: tuple[Call, ...] = ()
    replies: tuple[PlanReply, ...] = ()
    give_ups: tuple[GiveUp, ...] = ()


class PoolLimits(NamedTuple):
    """How much may be under way, and how late the gateway's own loop may notice a deadline."""

    calls_in_flight: int = 64  # of live plans
    requests_per_call: int = 128
    loop_late_s: float = 0.02


@dataclass(slots=True)
class _Pending:
    """A submitted request that is not reported yet."""

    ticket: int
    request: PlanRequest
    deadline: float
    worker: str = ""
    assigned_at: float = 0.0
    retried: bool = False


@dataclass(slots=True)
class _Lane:
    """Requests of one kind for one worker: what waits for it, and what it has."""

    waiting: dict[str, _Pending] = field(default_factory=dict)  # by session: the newest request only
    calls: dict[int, list[int]] = field(default_factory=dict)  # call id -> tickets in the order sent

    def load(self, call_id: int, requests: int) -> list[_Pending]:
        """Put the earliest deadlines of what waits into a call."""
        batch = sorted(self.waiting.values(), key=lambda pending: pending.deadline)[:requests]
        for pending in batch:
            del self.waiting[pending.request.session]
        self.calls[call_id] = [pending.ticket for pending in batch]
        return batch


@dataclass(slots=True)
class _Worker:
    """One worker: its requests, and its breaker."""

    name: str
    connected: bool = False
    leaving: bool = False  # it says so itself, and answers what it has
    lanes: defaultdict[str, _Lane] = field(default_factory=lambda: defaultdict(_Lane))  # by kind
    trips: int = 0
    opened_at: float = float("-inf")
    open_until: float = float("-inf")

    def lane(self, session: str) -> _Lane:
        """Where requests of a session wait."""
        return self.lanes[_kind(session)]

    def answered(self, call_id: int) -> list[int]:
        """The tickets of a call that ended; none if it was not under way."""
        return [ticket for lane in self.lanes.values() for ticket in lane.calls.pop(call_id, ())]

    def admits(self, session: str, now: float) -> bool:
        """Whether the breaker lets this session through."""
        if not self.trips:
            return True
        return now >= self.open_until and _rank(session, "") % HALF_OPEN_SHARE == self.trips % HALF_OPEN_SHARE

    def trip(self, since: float, now: float) -> None:
        """Count a miss of something given to this worker at `since`; what it already had when the breaker opened says nothing new."""
        if since > self.opened_at:
            self.trips += 1
            self.opened_at = now
            self.open_until = now + min(MAX_OPEN_S, 2.0 ** (self.trips - 1))

    def recover(self, since: float) -> None:
        """An answer in time to something given after the breaker opened closes it."""
        if since > self.opened_at:
            self.trips = 0
            self.opened_at = self.open_until = float("-inf")


class PlanPool:
    """Requests of all sessions over all workers. Not connected to any worker at first."""

    def __init__(self, workers: Iterable[str], limits: PoolLimits) -> None:
        self._workers = {name: _Worker(name) for name in workers}
        self._limits = limits
        self._pending: dict[int, _Pending] = {}
        self._deadlines: list[tuple[float, int]] = []  # heap; tickets that are done are skipped
        self._last_ticket = 0
        self._last_call_id = 0

    def submit(self, request: PlanRequest, now: float) -> Orders:
        """Take a new request; an unsent one of the same session is superseded by it."""
        self._last_ticket += 1
        pending = _Pending(self._last_ticket, request, now + request.slack_ms / 1000.0)
        self._pending[pending.ticket] = pending
        lanes = [worker.lane(request.session) for worker in self._workers.values()]
        give_ups = [self._give_up(old, "superseded") for lane in lanes if (old := lane.waiting.get(request.session))]
        if pending.deadline <= now:
            return Orders(give_ups=(*give_ups, self._give_up(pending, "late")))
        heapq.heappush(self._deadlines, (pending.deadline, pending.ticket))
        give_ups += self._assign(pending, None, now)
        return Orders(calls=self._calls(now), give_ups=tuple(give_ups))

    def connected(self, worker: str, now: float) -> Orders:
        """The link to a worker is up."""
        self._workers[worker].connected = True
        self._workers[worker].leaving = False
        return Orders(calls=self._calls(now))

    def leaves(self, worker: str, leaving: bool) -> None:
        """A worker says whether it is about to leave."""
        self._workers[worker].leaving = leaving

    def disconnected(self, worker: str, now: float) -> Orders:
        """The link to a worker is down: what it had or should have got goes to the next owner, or is given up as `unavailable`."""
        lost = self._workers[worker]
        lost.connected = False
        lost.lanes.clear()
        moved = [pending for pending in self._pending.values() if pending.worker == worker]
        give_ups = [gone for pending in moved for gone in self._retry(pending, now)]
        return Orders(calls=self._calls(now), give_ups=tuple(give_ups))

    def answered(self, worker: str, call_id: int, replies: Sequence[PlanReply], now: float) -> Orders:
        """A call came back. Replies that do not fit their requests count as a failed call for those requests."""
        owner = self._workers[worker]
        done: list[PlanReply] = []
        give_ups: list[GiveUp] = []
        for index, ticket in enumerate(owner.answered(call_id)):
            pending = self._pending.get(ticket)
            if pending is None:  # given up as late before
                continue
            reply = replies[index] if index < len(replies) else None
            if reply is None or (reply.session, reply.seq) != (pending.request.session, pending.request.seq):
                owner.trip(pending.assigned_at, now)
                give_ups += self._retry(pending, now)
                continue
            if _kind(reply.session) == LIVE:
                owner.recover(pending.assigned_at)
            del self._pending[ticket]
            done.append(reply)
        return Orders(calls=self._calls(now), replies=tuple(done), give_ups=tuple(give_ups))

    def failed(self, worker: str, call_id: int, now: float) -> Orders:
        """A call came back as an error."""
        return self.answered(worker, call_id, (), now)

    def advance(self, now: float) -> Orders:
        """Give up what is past its deadline."""
        give_ups: list[GiveUp] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, ticket = heapq.heappop(self._deadlines)
            pending = self._pending.get(ticket)
            if pending is None:
                continue
            if now - deadline <= self._limits.loop_late_s and _kind(pending.request.session) == LIVE:
                self._workers[pending.worker].trip(pending.assigned_at, now)
            give_ups.append(self._give_up(pending, "late"))
        return Orders(give_ups=tuple(give_ups))

    def next_deadline(self) -> float | None:
        """When `advance` is due; None while nothing is pending."""
        while self._deadlines and self._deadlines[0][1] not in self._pending:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def is_open(self, worker: str, now: float) -> bool:
        """Whether the breaker of a worker is open."""
        return now < self._workers[worker].open_until

    def waiting(self) -> int:
        """Requests not sent yet."""
        return sum(len(lane.waiting) for worker in self._workers.values() for lane in worker.lanes.values())

    def _assign(self, pending: _Pending, failed: str | None, now: float) -> list[GiveUp]:
        """Queue a request at its owner, or give it up if no worker is connected."""
        owner = self._owner(pending.request.session, failed, now)
        if owner is None:
            return [self._give_up(pending, "unavailable")]
        pending.worker = owner.name
        pending.assigned_at = now
        waiting = owner.lane(pending.request.session).waiting
        older = waiting.pop(pending.request.session, None)
        if older is None or older.ticket < pending.ticket:
            waiting[pending.request.session] = pending
            return [self._give_up(older, "superseded")] if older else []
        waiting[pending.request.session] = older
        return [self._give_up(pending, "superseded")]

    def _owner(self, session: str, failed: str | None, now: float) -> _Worker | None:
        """The worker for a session: the first by rendezvous hashing whose breaker admits it, else the least tripped one."""
        choice = [worker for worker in self._workers.values() if worker.connected and worker.name != failed]
        choice = [worker for worker in choice if not worker.leaving] or choice
        choice.sort(key=lambda worker: _rank(session, worker.name))
        admitting = next((worker for worker in choice if worker.admits(session, now)), None)
        return admitting or min(choice, key=lambda worker: worker.trips, default=None)

    def _retry(self, pending: _Pending, now: float) -> list[GiveUp]:
        if pending.deadline <= now:
            return [self._give_up(pending, "late")]
        if pending.retried or len(self._workers) < 2:
            return [self._give_up(pending, "unavailable")]
        pending.retried = True
        return self._assign(pending, pending.worker, now)

    def _give_up(self, pending: _Pending, reason: KeepReason) -> GiveUp:
        """Report a request as not answered. A call it is part of stays under way."""
        del self._pending[pending.ticket]
        session = pending.request.session
        if pending.worker:
            waiting = self._workers[pending.worker].lane(session).waiting
            if waiting.get(session) is pending:
                del waiting[session]
        return GiveUp(session, pending.request.seq, reason)

    def _calls(self, now: float) -> tuple[Call, ...]:
        """Everything that may be sent now, earliest deadlines first; each request says how much slack it has left."""
        calls: list[Call] = []
        for worker in self._workers.values():
            for kind, lane in worker.lanes.items():
                calls_in_flight, requests = self._limits.calls_in_flight, self._limits.requests_per_call
                if kind != LIVE:
                    calls_in_flight, requests = min(calls_in_flight, OTHER_CALLS), 1
                while worker.connected and lane.waiting and len(lane.calls) < calls_in_flight:
                    self._last_call_id += 1
                    batch = lane.load(self._last_call_id, requests)
                    calls.append(Call(worker.name, self._last_call_id, tuple(_with_slack(pending, now) for pending in batch)))
        return tuple(calls)


def _kind(session: str) -> str:
    """What is asked for: what stands behind the player in the session of a request."""
    return session.removeprefix(player_of(session))


def _rank(session: str, worker: str) -> int:
    """Rendezvous hashing: the same in every gateway, and evenly spread."""
    return int.from_bytes(blake2b(f"{session} {worker}".encode(), digest_size=8).digest(), "big")


def _with_slack(pending: _Pending, now: float) -> PlanRequest:
    back_s = min(RETURN_S, RETURN_SHARE * pending.request.slack_ms / 1000.0)
    return msgspec.structs.replace(pending.request, slack_ms=max(0.0, (pending.deadline - back_s - now) * 1000.0))
