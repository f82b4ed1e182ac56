"""The local workers over Unix sockets: sends what `plan_pool` decides, hands on what comes back, reconnects. Shell.

The link: each frame is `<IQ` (payload length, call id) and the payload. A request's payload is a PlanCall, an answer's is
PlanAnswers under the same call id; call id 0 carries the empty PlanCall that asks how the worker is.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self, cast

import msgspec

from gateway.errors import BadAnswer
from gateway.plan_pool import GiveUp, Orders, PlanPool, PoolLimits
from gateway.settings import GatewaySettings
from schema.codec import decode_answers, encode_call
from schema.engine_messages import PlanCall, PlanReply, PlanRequest, WorkerState

FRAME = struct.Struct("<IQ")
DESCRIBE = 0
FIRST_PAUSE_S = 0.02
SILENT_ROUNDS = 4  # unanswered questions after which a worker does not count as ready: it is frozen

log = logging.getLogger("sideman.gateway")


class PoolEvents(Protocol):
    """Who wants to know what the pool has to say."""

    def plan_ready(self, reply: PlanReply) -> None:
        """A request was answered."""

    def plan_given_up(self, given_up: GiveUp) -> None:
        """A request will not be answered."""

    def worker_changed(self, worker: str, state: WorkerState | None) -> None:
        """How a worker is; None while there is no connection to it."""


class _Link(asyncio.Protocol):
    """One connection to one worker: frames out, frames in."""

    def __init__(self, path: str, max_answer_bytes: int, on_answer: Callable[[int, bytes], None]) -> None:
        self.path = path
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._max_answer_bytes = max_answer_bytes
        self._on_answer = on_answer
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Cut what came in into frames (asyncio calls this). A frame that breaks the rules ends the link."""
        self._received += data
        try:
            while len(self._received) >= FRAME.size:
                length, call_id = FRAME.unpack_from(self._received)
                if length > self._max_answer_bytes:
                    raise BadAnswer(self.path, expected=f"at most {self._max_answer_bytes} bytes", got=f"{length} bytes")
                if len(self._received) < FRAME.size + length:
                    return
                payload = bytes(self._received[FRAME.size : FRAME.size + length])
                del self._received[: FRAME.size + length]
                self._on_answer(call_id, payload)
        except BadAnswer as problem:
            log.error("%s", problem)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits for the end (asyncio calls this)."""
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, call_id: int, call: PlanCall) -> None:
        """Queue one frame; at most a few calls are under way, so the buffer stays small."""
        if self._transport is not None and not self._transport.is_closing():
            payload = encode_call(call)
            self._transport.write(FRAME.pack(len(payload), call_id) + payload)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class LocalPool:
    """All local workers behind one `submit`. Use as an async context manager."""

    def __init__(self, settings: GatewaySettings, events: PoolEvents) -> None:
        self._settings = settings
        self._events = events
        limits = PoolLimits(settings.calls_in_flight, settings.requests_per_call, settings.loop_late_s)
        self._pool = PlanPool(settings.workers, limits)
        self._loop = asyncio.get_running_loop()
        self._links: dict[str, _Link] = {}
        self._states: dict[str, WorkerState] = {}
        self._asked: dict[str, int] = {}  # workers that owe an answer how they are, and for how many rounds
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [self._loop.create_task(self._stay_connected(path)) for path in self._settings.workers]
        self._tasks.append(self._loop.create_task(self._keep_asking()))
        for task in self._tasks:
            task.add_done_callback(log_bug)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def submit(self, request: PlanRequest) -> None:
        """Ask for a plan; `plan_ready` or `plan_given_up` follows, maybe before this returns."""
        self._carry_out(self._pool.submit(request, self._loop.time()))

    def describe(self) -> dict[str, WorkerState]:
        """How each connected worker said it is, by its path."""
        return dict(self._states)

    def waiting(self) -> int:
        """Requests not sent yet."""
        return self._pool.waiting()

    def open_breakers(self) -> int:
        """Workers whose breaker is open."""
        return sum(self._pool.is_open(worker, self._loop.time()) for worker in self._settings.workers)

    def _carry_out(self, orders: Orders) -> None:
        for call in orders.calls:
            self._links[call.worker].send(call.call_id, PlanCall(list(call.requests)))
        self._set_timer()
        for given_up in orders.give_ups:
            self._events.plan_given_up(given_up)
        for reply in orders.replies:
            self._events.plan_ready(reply)

    def _set_timer(self) -> None:
        """Wake at the next deadline; a timer that is early enough already stays."""
        due = self._pool.next_deadline()
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(due, self._on_timer), due  # uvloop's handle for a time just past knows no time

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self._pool.advance(self._loop.time()))

    def _on_answer(self, worker: str, call_id: int, payload: bytes) -> None:
        """Raises BadAnswer."""
        try:
            answers = decode_answers(payload)
        except msgspec.DecodeError as problem:
            raise BadAnswer(worker, expected="plan answers", got=str(problem)) from None
        self._states[worker] = answers.worker
        self._pool.leaves(worker, not answers.worker.ready)
        if call_id == DESCRIBE:
            self._asked.pop(worker, None)
            self._events.worker_changed(worker, answers.worker)
        else:
            self._carry_out(self._pool.answered(worker, call_id, answers.replies, self._loop.time()))

    def _ask(self, worker: str) -> None:
        """Ask how a worker is, unless it still owes the last answer."""
        if worker not in self._asked:
            self._asked[worker] = 0
            self._links[worker].send(DESCRIBE, PlanCall([]))

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(self._settings.describe_s)
            for worker in list(self._links):
                self._ask(worker)
                self._asked[worker] = self._asked.get(worker, 0) + 1
                if self._asked[worker] == SILENT_ROUNDS and self._states.pop(worker, None) is not None:
                    log.warning("worker %s: connected, but silent for %d questions; not ready until it answers", worker, SILENT_ROUNDS)
                    self._events.worker_changed(worker, None)

    async def _stay_connected(self, path: str) -> None:
        """Connect, wait for the end of the connection, and again; pauses double up to `reconnect_s`."""
        pause_s = FIRST_PAUSE_S
        while True:
            link = _Link(path, self._settings.max_answer_bytes, lambda call_id, payload: self._on_answer(path, call_id, payload))
            with suppress(OSError):
                await self._loop.create_unix_connection(lambda link=link: link, path)  # type: ignore[misc]  # bound now, not later
                try:
                    if await self._serve(path, link):
                        pause_s = FIRST_PAUSE_S
                finally:
                    link.abort()
            await asyncio.sleep(pause_s)
            pause_s = min(self._settings.reconnect_s, 2 * pause_s)

    async def _serve(self, path: str, link: _Link) -> bool:
        """Use a connection until it ends; whether the worker ever said how it is."""
        log.info("worker %s: connected", path)
        self._links[path] = link
        self._ask(path)
        self._carry_out(self._pool.connected(path, self._loop.time()))
        await link.closed
        log.warning("worker %s: connection lost", path)
        del self._links[path]
        self._asked.pop(path, None)
        answered = self._states.pop(path, None) is not None
        self._carry_out(self._pool.disconnected(path, self._loop.time()))
        self._events.worker_changed(path, None)
        return answered


def log_bug(task: asyncio.Task[None]) -> None:
    """For tasks that only end by being cancelled: anything else is a bug and must not be silent."""
    if not task.cancelled() and task.exception() is not None:
        log.error("a task that runs for ever ended", exc_info=task.exception())
