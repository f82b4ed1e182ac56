"""Which plans advance next: slots, deadlines, batches. Pure; no JAX.

    waiting --(slot free)--> running --(last frame decided)--> answered; the slot remembers
       |                                |
       | newer request of the session:  | a slot is evicted, least recently used first,
       | superseded; deadline past      | when none is free (a lost slot costs a prefill, never an error)
       | before it began: late

Head first: a live plan whose deadline would pass during the next call is answered with the frames decided so far, and its slot remembers
them. So the first frame of a plan is what must be in time, and the rest is welcome: plans without a frame, or one step from whole, go
before the others, each by deadline (imprecise computation: Liu et al., IEEE Computer 24(5), 1991). However many ask, all get their heads
before any gets sixteen frames. An offline plan is whole or late.

One request of a session waits at most, one runs at most. `schedule` names one batch, `complete` takes its result. Rows that need
one step and rows that need sixteen share batches: each is answered after its own last step. A batch is whatever is there when the device
is free: it waits for nobody.

What the player surprised is decided with the old plan as a draft, several frames a call, while few enough plans are made for that to pay.

Long histories are fed in chunks, and after a call that fed any the rows that only decide go next, whatever the deadlines: a new or
evicted session delays the others by one chunk at a time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from inference.branches import OTHERS, guesses
from inference.planner import BadRequest, Bucket, Decision, Progress, Work
from inference.slots import Slots
from schema.engine_messages import LATE, SUPERSEDED, PlanReply, PlanRequest, pack_values

LOOK_AHEAD_ROWS = 4
MOST_GUESSES = 1 + OTHERS
LATER_DECISION = 0.57  # what a second decision of a call costs, the first being 1 (docs/roofline.md)


class Waiting(NamedTuple):
    """A request in the queue; times in seconds of the caller's clock."""

    request: PlanRequest
    arrived: float
    deadline: float


@dataclass
class Running:
    """A plan in progress."""

    progress: Progress
    asked: Waiting
    started: float
    device_s: float = 0.0
    batch: int = 0  # largest batch it was part of
    headed: float | None = None  # when there was something to answer

    @property
    def positions(self) -> int:
        """Known positions to feed before anything can be decided."""
        return self.progress.positions_left()

    @property
    def urgent(self) -> bool:
        """Whether there is nothing to answer yet, or one step makes it whole."""
        return self.progress.num_decided == 0 or self.progress.decisions_left() <= 1

    def seen(self, now: float) -> None:
        """Note when there was something to answer."""
        if self.headed is None and self.progress.num_decided:
            self.headed = now


class Batch(NamedTuple):
    """One device call."""

    bucket: Bucket
    rows: tuple[Running, ...]
    works: tuple[Work, ...]


class Ahead(NamedTuple):
    """One short call for what comes next: slots to copy first, then one step of each guess, or a chunk of a history behind a hop."""

    copies: tuple[tuple[int, int], ...]
    bucket: Bucket
    rows: tuple[Progress, ...]
    works: tuple[Work, ...]


class Scheduler:
    """Slots and queues of one model."""

    def __init__(self, slots: int, buckets: Sequence[Bucket], *, devices: int = 1, offline: bool = False) -> None:
        """`slots` are split evenly over `devices`, a bucket's rows are those of each; `offline`: the model hears the whole melody first."""
        self._offline = offline
        self._slots = Slots(slots, devices)
        self._buckets = sorted(bucket for bucket in buckets if not bucket.at_once)
        self._checks = sorted(bucket for bucket in buckets if bucket.at_once)
        self._classes = sorted({bucket.positions for bucket in self._buckets})
        self._call_s = 0.0  # how long a call may take: the longest lately
        self._fed = False  # the last call fed a stretch of known positions
        self._waiting: dict[str, Waiting] = {}
        self._running: dict[str, Running] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._waiting and not self._running

    @property
    def earliest_deadline(self) -> float:
        """Of all there is to compute; infinite when idle."""
        asked = [*self._waiting.values(), *(row.asked for row in self._running.values())]
        return min((waiting.deadline for waiting in asked), default=inf)

    @property
    def num_waiting(self) -> int:
        """Requests that have no slot yet."""
        return len(self._waiting)

    @property
    def slots_used(self) -> int:
        """Slots that remember a session."""
        return len(self._slots.sessions)

    @property
    def evictions(self) -> int:
        """Sessions forgotten for others."""
        return self._slots.evictions

    def crowded(self, now: float) -> bool:
        """Whether hardly a slot is left that is not of a session that plays."""
        return self._slots.crowded(now)

    def add(self, request: PlanRequest, now: float) -> list[PlanReply]:
        """Queue a request; the one it supersedes, if any, is answered."""
        older = self._waiting.pop(request.session, None)
        self._waiting[request.session] = Waiting(request, now, now + request.slack_ms / 1000)
        return [] if older is None else [_refusal(older.request, SUPERSEDED)]

    def schedule(self, now: float) -> tuple[Batch | None, list[PlanReply]]:
        """The next device call, heads first and the earliest deadline among them, and the answers that need none."""
        replies = self._admit(now) + self._cut_off(now)
        if not self._running:
            self._fed = False
            return None, replies
        queue = sorted(self._running.values(), key=self._turn)
        urgent = [row for row in queue if row.urgent]
        classes = [self._class_of(row) for row in urgent or queue]
        least = self._classes[0]
        head = least if self._fed and least in classes else classes[0]
        self._fed = head > least
        alike = [row for row in queue if self._class_of(row) == head]
        bucket = self._fit_drafts(alike) or self._fit(head, alike, urgent)
        rows = tuple(self._first_of_each_device(alike, bucket.rows))
        return Batch(bucket, rows, tuple(_next_work(row.progress, bucket) for row in rows)), replies

    def complete(self, batch: Batch, decided: Sequence[list[Decision]], device_s: float, now: float) -> list[PlanReply]:
        """Take a batch's result, which the device computed for so long; the plans that are complete now."""
        replies = []
        self._call_s = max(device_s, self._call_s + (device_s - self._call_s) / 8)
        for row, work, decisions in zip(batch.rows, batch.works, decided, strict=True):
            row.progress.absorb(work, decisions)
            row.seen(now)
            row.device_s += device_s
            row.batch = max(row.batch, len(batch.rows))
            if row.progress.done:
                replies.append(self._finish(row, now))
        return replies

    def look_ahead(self, *, guesses: int = MOST_GUESSES) -> Ahead | None:
        """A chunk of a history that will be needed, else a step of some guesses; None if there is none. Only when idle.

        At most so many guesses of a session; the first is the one that costs least. What belongs to the session that was answered longest
        ago comes first.
        """
        due = (session.hop for session in self._slots.sessions.values() if session.hop is not None and session.hop.positions_left() > 1)
        if (hop := next(due, None)) is not None:
            positions = next((size for size in self._classes if size >= hop.positions_left()), self._classes[-1])
            bucket = next(bucket for bucket in self._buckets if bucket.positions == positions)
            return Ahead((), bucket, (hop,), (hop.next_work(positions, 1),))
        return self._step_of_guesses(guesses)

    def _step_of_guesses(self, guesses: int) -> Ahead | None:
        steps = [bucket for bucket in self._buckets if bucket.positions == bucket.decisions == 1]
        if not steps:
            return None
        most = next((bucket for bucket in steps if bucket.rows >= LOOK_AHEAD_ROWS), steps[-1]).rows
        copies: list[tuple[int, int]] = []
        rows: list[Progress] = []
        for session in self._slots.sessions.values():
            while session.ahead and len(session.guesses) < guesses and len(rows) < most:
                copies += self._slots.begin_guess(session)
            rows += [guess for guess in session.guesses if not guess.done and guess.positions_left() == 1]
            if len(rows) >= most:
                break
        if not rows:
            return None
        chosen = tuple(rows[:most])
        bucket = next(bucket for bucket in steps if bucket.rows >= len(chosen))
        return Ahead(tuple(copies), bucket, chosen, tuple(row.next_work(1, 1) for row in chosen))

    def looked_ahead(self, ahead: Ahead, decided: Sequence[list[Decision]]) -> None:
        """Take the result of `look_ahead`."""
        for guess, work, decisions in zip(ahead.rows, ahead.works, decided, strict=True):
            guess.absorb(work, decisions)

    def forget(self) -> list[PlanReply]:
        """Drop everything after a failed call: slots may hold anything now. The plans in progress are refused."""
        lost = [_refusal(row.asked.request, "computation failed") for row in self._running.values()]
        self._running.clear()
        self._slots.forget()
        return lost

    def _admit(self, now: float) -> list[PlanReply]:
        """Give slots to waiting requests, earliest deadline first."""
        replies = []
        for asked in sorted(self._waiting.values(), key=lambda w: w.deadline):
            session = asked.request.session
            if session in self._running:
                continue
            if asked.deadline < now:
                del self._waiting[session]
                replies.append(_too_late(asked, now))
                continue
            claimed = self._slots.claim(session, now, self._running)
            if claimed is None:
                continue
            claimed.asked = now
            del self._waiting[session]
            try:
                self._slots.take_best_guess(claimed, asked.request)
                progress = Progress(asked.request, claimed.slot, claimed.memory, offline=self._offline)
            except BadRequest as problem:
                replies.append(_refusal(asked.request, str(problem)))
                continue
            row = Running(progress, asked, started=now)
            row.seen(now)
            self._running[session] = row
            if progress.done:
                replies.append(self._finish(row, now))
        return replies

    def _cut_off(self, now: float) -> list[PlanReply]:
        """Answer what cannot wait for another call: with what is decided of it, or not at all."""
        replies = []
        for row in list(self._running.values()):
            if now + self._call_s < row.asked.deadline:
                continue
            if row.progress.num_decided and not self._offline:
                replies.append(self._finish(row, now))
            elif now >= row.asked.deadline:
                del self._running[row.progress.request.session]
                replies.append(_too_late(row.asked, now))
        return replies

    def _turn(self, row: Running) -> tuple[bool, float, float, int]:
        """What rows go by: whole melodies are of no use before they are whole, so among them the deadline alone counts."""
        return not (self._offline or row.urgent), row.asked.deadline, row.asked.arrived, row.progress.slot

    def _class_of(self, row: Running) -> int:
        """The smallest bucket of fed positions that holds what the row must feed, else the largest."""
        return next((size for size in self._classes if size >= row.positions), self._classes[-1])

    def _fit(self, positions: int, rows: Sequence[Running], urgent: Sequence[Running]) -> Bucket:
        """The bucket of a batch: as many decisions as enough of its rows need, then as few rows as hold it.

        As few decisions as there are, if urgent rows are left behind.
        """
        fitting = [bucket for bucket in self._buckets if bucket.positions == positions]
        taken = list(self._first_of_each_device(rows, max(bucket.rows for bucket in fitting)))
        choices = sorted({bucket.decisions for bucket in fitting})
        if any(row not in taken for row in urgent):
            decisions = choices[0]
        else:
            left = [row.progress.decisions_left() for row in taken]
            decisions = max((d for d in choices if sum(min(d, needed) for needed in left) >= _worth(d) * len(left)), default=choices[0])
        sizes = [bucket for bucket in fitting if bucket.decisions == decisions]
        needed = max(Counter(self._device_of(row) for row in rows).values())
        return next((bucket for bucket in sizes if bucket.rows >= needed), sizes[-1])

    def _fit_drafts(self, rows: Sequence[Running]) -> Bucket | None:
        """The bucket that checks the drafts of all rows at once, if there is one and something to check."""
        needed = max(Counter(self._device_of(row) for row in rows).values())
        for bucket in self._checks:
            if bucket.rows >= needed and all(row.positions < bucket.positions and row.progress.drafts_left() for row in rows):
                return bucket
        return None

    def _first_of_each_device(self, rows: Sequence[Running], count: int) -> Iterator[Running]:
        """At most `count` rows of every device, in their order."""
        taken: Counter[int] = Counter()
        for row in rows:
            device = self._device_of(row)
            taken[device] += 1
            if taken[device] <= count:
                yield row

    def _device_of(self, row: Running) -> int:
        return self._slots.device_of(row.progress.slot)

    def _finish(self, row: Running, now: float) -> PlanReply:
        request, memory = row.progress.request, row.progress.memory
        del self._running[request.session]
        if not self._offline:
            session = self._slots.sessions[request.session]
            session.ahead = guesses(request, memory) if row.progress.done else [request]  # its tail, while there is time
            self._slots.prepare_hop(session, request)
        return PlanReply(
            session=request.session,
            seq=request.seq,
            chords=pack_values(row.progress.chords()),
            steps=row.progress.steps,
            reused=row.progress.reused / row.progress.end,
            batch=row.batch,
            queue_ms=(row.started - row.asked.arrived) * 1000,
            batch_wait_ms=max(0.0, now - row.started - row.device_s) * 1000,
            device_ms=row.device_s * 1000,
            head_ms=((now if row.headed is None else row.headed) - row.asked.arrived) * 1000,
        )


def _worth(decisions: int) -> float:
    """Frames of each row that a call of so many decisions must decide to be worth it; the first costs most: it gathers keys and values."""
    return 1 + LATER_DECISION * (decisions - 1)


def _next_work(progress: Progress, bucket: Bucket) -> Work:
    return progress.next_check(bucket.positions) if bucket.at_once else progress.next_work(bucket.positions, bucket.decisions)


def _refusal(request: PlanRequest, problem: str) -> PlanReply:
    return PlanReply(session=request.session, seq=request.seq, problem=problem)


def _too_late(asked: Waiting, now: float) -> PlanReply:
    return PlanReply(
        asked.request.session, asked.request.seq, problem=LATE, queue_ms=(now - asked.arrived) * 1000, head_ms=(now - asked.arrived) * 1000
    )
