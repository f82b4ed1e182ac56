"""The worker's Unix socket: `plan_many(bytes) -> bytes` for any number of gateways. Shell.

Link framing: length of the payload (uint32) and call id (uint64), little-endian, then the payload: a PlanCall one way,
PlanAnswers with the same id back. Calls may overlap; an empty PlanCall asks how the worker is.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inference.errors import SocketProblem
from inference.loop import DeviceLoop, Resident
from schema.codec import decode_call, encode_answers
from schema.engine_messages import PlanAnswers, PlanReply, PlanRequest, WorkerState

log = logging.getLogger(__name__)
HEADER = struct.Struct("<IQ")
LEAVE_S = 10.0  # to answer what gateways still ask while they have nobody else
QUIET_S = 2.0  # gateways ask once a second how a worker is, so by then they know that it leaves
LOOK_S = 0.05
MAX_PAYLOAD_BYTES = 1 << 20  # 128 requests of about 1.2 KiB, several times over


@dataclass
class _Open:
    """A call that waits for its replies, in the order of its requests."""

    order: list[tuple[str, int]]
    replies: dict[tuple[str, int], PlanReply] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """Answers `plan_many` calls from the device loop."""

    def __init__(self, residents: list[Resident], rss_bytes: Callable[[], int]) -> None:
        self._device = DeviceLoop(residents, self._from_device)
        self._rss_bytes = rss_bytes
        self._open: dict[tuple[str, int], list[_Open]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False
        self._asked_at = 0.0  # when the last plan was asked for
        self.links = 0  # gateways that are connected

    def show_metrics(self, host: str, port: int) -> int:
        """Open the metrics port; the port. Raises PortProblem."""
        self._device.metrics.observe(list(self._device.residents.values()), self.state)
        return self._device.metrics.serve(host, port)

    def start(self) -> None:
        """Start the device thread; call it on the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._device.start()

    async def leave(self) -> None:
        """Tell the gateways, and answer what they have until they ask no more: until all are gone, or have others, or time is up."""
        self._leaving = True
        loop = asyncio.get_running_loop()
        until = loop.time() + LEAVE_S
        self._asked_at = loop.time()
        while self.links and loop.time() < min(until, self._asked_at + QUIET_S):  # noqa: ASYNC110 - until nothing happens
            await asyncio.sleep(LOOK_S)

    def stop(self) -> None:
        """Stop the device thread and close the metrics port."""
        self._device.stop()
        self._device.metrics.stop()

    async def plan_many(self, payload: bytes) -> bytes:
        """Answer everything in one PlanCall. Raises msgspec.DecodeError."""
        call = decode_call(payload)
        waiting = _Open([(request.session, request.seq) for request in call.requests])
        fresh: list[PlanRequest] = []
        for request in call.requests:
            askers = self._open.setdefault((request.session, request.seq), [])
            askers.append(waiting)
            if len(askers) == 1:
                fresh.append(request)
        if fresh:
            self._asked_at = asyncio.get_running_loop().time()
            self._device.submit(fresh)
        if call.requests:
            await waiting.complete.wait()
        return encode_answers(PlanAnswers([waiting.replies[key] for key in waiting.order], self.state()))

    def state(self) -> WorkerState:
        """How the worker is."""
        residents = self._device.residents.values()
        load = self._device.load()
        return WorkerState(
            ready=not self._leaving,
            models=[resident.info for resident in residents],
            slots=sum(resident.engine.slots for resident in residents),
            slots_used=sum(resident.scheduler.slots_used for resident in residents),
            waiting=sum(resident.scheduler.num_waiting for resident in residents),
            compiles_after_ready=self._device.compiles_after_ready,
            rss_bytes=self._rss_bytes(),
            **load._asdict(),
        )

    def _from_device(self, replies: list[PlanReply]) -> None:
        assert self._loop is not None, "started before anything is submitted"
        self._loop.call_soon_threadsafe(self._take, replies)

    def _take(self, replies: list[PlanReply]) -> None:
        for reply in replies:
            for waiting in self._open.pop((reply.session, reply.seq), []):
                waiting.replies[(reply.session, reply.seq)] = reply
                if len(waiting.replies) == len(set(waiting.order)):
                    waiting.complete.set()


async def serve(worker: Worker, socket: Path) -> asyncio.Server:
    """Listen on the Unix socket. Raises SocketProblem."""
    calls: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker.links += 1
        try:
            while True:
                length, call_id = HEADER.unpack(await reader.readexactly(HEADER.size))
                if length > MAX_PAYLOAD_BYTES:
                    log.error("expected a call of at most %d bytes, got %d; closing the link", MAX_PAYLOAD_BYTES, length)
                    return
                task = asyncio.ensure_future(_answer(worker, writer, call_id, await reader.readexactly(length)))
                calls.add(task)
                task.add_done_callback(calls.discard)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # cancelled when the worker stops
            return
        finally:
            worker.links -= 1
            writer.close()

    try:
        return await asyncio.start_unix_server(connection, path=socket)
    except OSError as problem:
        raise SocketProblem(str(socket), problem.strerror or str(problem)) from None


async def _answer(worker: Worker, writer: asyncio.StreamWriter, call_id: int, payload: bytes) -> None:
    try:
        answers = await worker.plan_many(payload)
    except msgspec.DecodeError as problem:
        log.error("expected a PlanCall, got %s; closing the link", problem)
        writer.close()
        return
    if not writer.is_closing():
        writer.write(HEADER.pack(len(answers), call_id) + answers)
