"""One player: a connection, its session, and what waits to be sent to it. Shell."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from structlog.contextvars import bind_contextvars
from websockets.exceptions import ConnectionClosed

from gateway.admission import Verdict
from gateway.connection import PlayerConnection
from gateway.errors import Judged, NoHello, close_for, error_message
from gateway.local_pool import LocalPool
from gateway.meter import Meter, Watch
from gateway.metrics import Metrics
from gateway.outbox import Outbox
from gateway.plan_pool import GiveUp
from gateway.relief import Relief
from gateway.session import Effects, Session
from gateway.settings import GatewaySettings
from gateway.tracing import Traces, Trail
from schema import codes
from schema.client_messages import GatewayMessage, Settings, Tick
from schema.codec import decode_client, encode
from schema.codes import Close, ErrorCode, ProtocolError
from schema.engine_messages import ModelInfo, PlanReply

log = logging.getLogger("sideman.gateway.player")


class House(Protocol):
    """What all players share."""

    settings: GatewaySettings
    metrics: Metrics
    watch: Watch
    traces: Traces | None
    models: dict[str, ModelInfo]
    pool: LocalPool
    relief: Relief
    now: Callable[[], float]

    def first_settings(self) -> Settings:
        """What holds for a new session."""


class Player:
    """One connection and its session."""

    def __init__(self, house: House, connection: PlayerConnection, subprotocol: str) -> None:
        self.session_id = secrets.token_hex(8)
        self._house = house
        self._connection = connection
        self._subprotocol = subprotocol
        self._limits = house.settings
        self._session = Session(
            session_id=self.session_id,
            seed=secrets.randbits(32),
            models=house.models,
            settings=house.first_settings(),
            limits=self._limits.limits(),
        )
        trail = Trail(house.traces, self.session_id) if house.traces is not None else None
        self._meter = Meter(house.metrics, house.watch, self.session_id, trail)
        self._outbox = Outbox(self._limits.max_unacknowledged, self._limits.unacknowledged_timeout_s)
        self._wake = asyncio.Event()
        self._closing: Close | None = None
        self._admitted = False  # by its first tick: before it nobody waits for chords, after it nobody is sent away for load (P12)

    async def play(self) -> None:
        """Serve the connection until it ends."""
        bind_contextvars(session=self.session_id)  # of this connection's task, and of those it starts
        log.info("session began", extra={"subprotocol": self._subprotocol})
        try:
            await self._play()
        finally:
            self._meter.end()
            log.info("session ended", extra={"code": self._connection.final_code()})

    async def _play(self) -> None:
        writing = asyncio.get_running_loop().create_task(self._write())
        try:
            await self._read()
        except ConnectionClosed:
            writing.cancel()
        except Exception as problem:
            self._fail(problem)
        if self._connection.ended_with is not None:
            writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    def leave(self, close: Close) -> None:
        """Send what is queued, then close; the first reason counts."""
        self._closing = self._closing or close
        self._wake.set()

    def say(self, *messages: GatewayMessage) -> None:
        """Queue messages."""
        for message in messages:
            self._outbox.put(message, self._house.now())
        self._wake.set()

    def look_after(self, now: float) -> None:
        """End the connection if its peer is silent, or applies no plans."""
        close = self._outbox.overdue(now)
        if close is not None:
            self._connection.end(close)
        else:
            self._connection.look_alive(now)

    def _answer(self, decide: Callable[[], Effects]) -> None:
        """Let the session decide about a reply or a give-up. A bug ends this session and no other."""
        if self._closing is None:
            try:
                self._carry_out(decide())
            except Exception as problem:
                self._fail(problem)

    def receive_reply(self, reply: PlanReply) -> None:
        """A worker answered."""
        self._answer(lambda: self._session.receive_reply(reply, self._house.now()))

    def give_up(self, given_up: GiveUp) -> None:
        """No worker will answer."""
        self._answer(lambda: self._session.give_up(given_up.session, given_up.seq, given_up.reason, self._house.now()))

    def _fail(self, problem: Exception) -> None:
        close = close_for(problem)
        if close is codes.BUG:
            log.error("a bug of ours", exc_info=problem, extra={"session": self.session_id})
        self.leave(close)

    def _carry_out(self, effects: Effects) -> None:
        if effects.acknowledged is not None:
            self._outbox.acknowledge(effects.acknowledged)
        self.say(*effects.messages)
        self._meter.effects(effects)
        if effects.close is not None:
            self.leave(effects.close)
        if effects.request is not None:
            self._house.pool.submit(effects.request)

    async def _read(self) -> None:
        """Take messages until the connection ends or is to be closed. Raises ConnectionClosed, NoHello, Judged."""
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s) as hello_time:
                while self._closing is None and self._connection.ended_with is None:
                    data = await self._connection.recv()
                    if self._take(data):
                        hello_time.reschedule(None)
        except TimeoutError:
            raise NoHello from None

    def _take(self, data: str | bytes) -> bool:
        """Judge, decode and carry out one message; whether it was accepted (the first one that is, is the hello). Raises Judged."""
        now = self._house.now()
        verdict = self._connection.admission.message(now)
        _end_if_judged(verdict)
        if verdict is Verdict.SLOW_DOWN:
            expected = f"at most {self._limits.messages_per_second:g} messages a second"
            problem = ProtocolError(ErrorCode.SLOW_DOWN, field="", expected=expected, got="more")
            self.say(error_message(problem))
            return False
        try:
            started = perf_counter()
            message = decode_client(data, self._subprotocol)
            self._meter.received(message, perf_counter() - started)
            self._session.relief = self._house.relief.level
            if isinstance(message, Tick) and not self._admitted:
                if self._house.relief.refuses_new and not self._session.holds_promise:
                    self.leave(codes.FULL_HOUSE)
                    return True
                self._admitted = True
            self._carry_out(self._session.receive(message, now))
        except ProtocolError as problem:
            self.say(error_message(problem))
            _end_if_judged(self._connection.admission.refused(now))
            return False
        return True

    async def _write(self) -> None:
        """Send what the outbox gives; close when that is asked for and all is sent."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (message := self._outbox.next_message(self._house.now())) is not None:
                    await self._send(message)
                if self._closing is not None:
                    await self._connection.close(*self._closing)
                    return
        except ConnectionClosed:
            return
        except Exception as problem:
            self._fail(problem)
            self._connection.end(close_for(problem))

    async def _send(self, message: GatewayMessage) -> None:
        started = perf_counter()
        data = encode(message, self._subprotocol)
        encoded = perf_counter()
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._connection.send(data)
        except TimeoutError as problem:
            self._connection.abort(close_for(problem))
            return
        self._meter.sent(message, encoded - started, perf_counter() - encoded)


def _end_if_judged(verdict: Verdict) -> None:
    if verdict.close is not None:
        raise Judged(verdict.close)
