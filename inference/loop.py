"""The one device thread: requests in, batches to the engine, replies out. Shell.

Everything that computes runs here, one call after the other; the socket's event loop only hands over lists.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from inference.load import Load
from inference.metrics import EngineMetrics
from inference.planner import Bucket, Decision, Work
from inference.scheduler import MOST_GUESSES, Scheduler
from schema.engine_messages import LATE, ModelInfo, PlanReply, PlanRequest

log = logging.getLogger(__name__)
# Utilisations from which on fewer guesses are made in idle time: they are dropped first under load.
FEW, NONE = 0.5, 0.85
CROWDED_FOR_S = 1.0


class RunsBatches(Protocol):
    """What the loop needs of an engine; `Engine` and `ToyEngine` are such."""

    @property
    def slots(self) -> int:
        """Sessions it can remember."""

    @property
    def devices(self) -> int:
        """Devices that its slots are split over, evenly and in order; a bucket's rows are those of each."""

    @property
    def compiled(self) -> int:
        """Shapes compiled so far."""

    def warm_up(self) -> None:
        """Compile everything."""

    def run(self, works: Sequence[Work], bucket: Bucket) -> list[list[Decision]]:
        """Compute one batch and wait for it."""

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy slots (from, to)."""


class Resident:
    """A model in memory: what it is called, its engine, its scheduler."""

    def __init__(self, info: ModelInfo, engine: RunsBatches, buckets: Sequence[Bucket]) -> None:
        self.info = info
        self.engine = engine
        self.scheduler = Scheduler(engine.slots, buckets, devices=engine.devices, offline=info.is_offline)

    @property
    def name(self) -> str:
        """What requests and metrics call it."""
        return self.info.name

    @property
    def slots(self) -> int:
        """Sessions it can remember."""
        return self.engine.slots

    @property
    def slots_used(self) -> int:
        """Sessions it does remember."""
        return self.scheduler.slots_used

    @property
    def evictions(self) -> int:
        """Sessions it had to forget for others."""
        return self.scheduler.evictions


def answer(resident: Resident, requests: Sequence[PlanRequest]) -> Iterator[PlanReply]:
    """Answer requests on the calling thread, batched as the device thread would, each as soon as it is complete.

    For the golden plan, simulation and benchmarks. There are no deadlines here.
    """
    scheduler = resident.scheduler
    for request in requests:
        yield from scheduler.add(msgspec.structs.replace(request, slack_ms=math.inf), 0.0)
    while not scheduler.idle:
        batch, early = scheduler.schedule(0.0)
        yield from early
        if batch is not None:
            began = time.perf_counter()
            decided = resident.engine.run(batch.works, batch.bucket)
            yield from scheduler.complete(batch, decided, time.perf_counter() - began, 0.0)


def look_ahead(resident: Resident, *, guesses: int = MOST_GUESSES) -> bool:
    """Spend idle time on what will be asked next, and on guesses at it, one short call; whether there was anything to do."""
    ahead = resident.scheduler.look_ahead(guesses=guesses)
    if ahead is None:
        return False
    try:
        resident.engine.copy(ahead.copies)
        resident.scheduler.looked_ahead(ahead, resident.engine.run(ahead.works, ahead.bucket))
    except Exception:
        log.exception("a guess at what comes next failed; all slots are forgotten")
        resident.scheduler.forget()
    return True


def guesses_at(utilisation: float) -> int:
    """Guesses of each session: all, only that the player does what was anticipated (mostly a single step), or none."""
    return MOST_GUESSES if utilisation < FEW else 1 if utilisation < NONE else 0


class _Submitted(NamedTuple):
    """Requests, and when they came: what they wait for a call to end is waiting too."""

    at: float
    requests: list[PlanRequest]


class Busy(NamedTuple):
    """What the device had to do in the last second."""

    utilisation: float
    wait_p90_ms: float  # after so long nine of ten live requests had a head
    late_share: float  # of live requests that had none in time
    crowded: bool  # a live model's slots are nearly all of sessions that play


class DeviceLoop:
    """Owns the device thread and the resident models."""

    def __init__(self, residents: Sequence[Resident], deliver: Callable[[list[PlanReply]], None]) -> None:
        """`deliver` is called on the device thread with every list of replies."""
        self.residents = {resident.name: resident for resident in residents}
        self.metrics = EngineMetrics(self.residents)
        self._deliver = deliver
        self._inbox: queue.SimpleQueue[_Submitted | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._compiled_when_ready = 0
        self._crowded_at = -math.inf
        self._load = Load()
        self._load_lock = threading.Lock()  # written by the device thread, read by the socket's

    def start(self) -> None:
        """Begin to serve; every engine must be warm."""
        self._compiled_when_ready = self._compiled()
        self._thread.start()

    def submit(self, requests: list[PlanRequest]) -> None:
        """Hand over requests from any thread; each will be answered exactly once. Their slack counts from now on."""
        self._inbox.put(_Submitted(time.monotonic(), requests))

    def stop(self) -> None:
        """End the thread after the call it is in; what still waits stays unanswered."""
        self._inbox.put(None)
        self._thread.join()

    def load(self) -> Busy:
        """How busy the device was in the last second."""
        now = time.monotonic()
        with self._load_lock:
            load = self._load
            return Busy(load.utilisation(now), load.wait_p90_ms(now), load.late_share(now), now - self._crowded_at < CROWDED_FOR_S)

    @property
    def compiles_after_ready(self) -> int:
        """Shapes compiled while serving: must stay 0."""
        return self._compiled() - self._compiled_when_ready

    def _compiled(self) -> int:
        return sum(resident.engine.compiled for resident in self.residents.values())

    def _run(self) -> None:
        while True:
            submitted: _Submitted | None = _Submitted(0.0, [])
            if all(resident.scheduler.idle for resident in self.residents.values()):
                while self._inbox.empty() and any(map(self._look_ahead, self.residents.values())):
                    pass
                submitted = self._inbox.get()
            while submitted is not None:
                self._accept(submitted)
                if self._inbox.empty():
                    break
                submitted = self._inbox.get()
            if submitted is None:
                return
            self._step(min(self.residents.values(), key=lambda resident: resident.scheduler.earliest_deadline))

    def _look_ahead(self, resident: Resident) -> bool:
        """One call for what comes next, counted."""
        began = time.monotonic()
        guessed = look_ahead(resident, guesses=guesses_at(self.load().utilisation))
        if guessed:
            self.metrics.guessed(resident.name, time.monotonic() - began)
        return guessed

    def _accept(self, submitted: _Submitted) -> None:
        replies: list[PlanReply] = []
        for request in submitted.requests:
            resident = self.residents.get(request.model)
            if resident is None:
                names = ", ".join(self.residents)
                replies.append(
                    PlanReply(request.session, request.seq, problem=f"expected one of the models {names}, got {request.model!r}")
                )
            else:
                superseded = resident.scheduler.add(request, submitted.at)
                self.metrics.answered(resident.name, superseded)
                replies += superseded
        self._send(replies)

    def _step(self, resident: Resident) -> None:
        """One batch of one model."""
        began = time.monotonic()
        batch, replies = resident.scheduler.schedule(began)
        self._note(resident, replies, began)
        self._send(replies)
        if batch is None:
            return
        try:
            decided = resident.engine.run(batch.works, batch.bucket)
        except Exception:
            log.exception("a batch of %d rows failed; its plans are refused and all slots forgotten", len(batch.rows))
            self._send(resident.scheduler.forget())
            return
        ended = time.monotonic()
        replies = resident.scheduler.complete(batch, decided, ended - began, ended)
        with self._load_lock:
            self._load.computed(began, ended)
            if resident.scheduler.crowded(ended) and not resident.info.is_offline:
                self._crowded_at = ended
        self.metrics.called(resident.name, batch.bucket, len(batch.rows), ended - began)
        self._note(resident, replies, ended)
        self._send(replies)

    def _note(self, resident: Resident, replies: list[PlanReply], now: float) -> None:
        """Count answers, and how long live requests waited for the first frame."""
        self.metrics.answered(resident.name, replies)
        if resident.info.is_offline:
            return
        with self._load_lock:
            for reply in replies:
                if not reply.problem or reply.problem == LATE:
                    self._load.waited(now, reply.head_ms, late=reply.problem == LATE)

    def _send(self, replies: list[PlanReply]) -> None:
        if replies:
            self._deliver(replies)
