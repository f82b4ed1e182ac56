"""The players' port: one `_Player` per connection, the workers behind them, and the one map from errors to close codes. Shell.

A message's way: `connection` counts and reads it, `_Player` decodes it, `session` decides, `outbox` keeps what is to be sent,
`_Player` sends it. Requests leave through `LocalPool.submit`; replies come back through `Gateway.plan_ready`.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from http import HTTPStatus
from time import monotonic, perf_counter
from typing import Self, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.admission import Handshakes, Rate, Seats, Verdict
from gateway.connection import PlayerConnection, listening_socket
from gateway.errors import Judged, NoHello
from gateway.local_pool import LocalPool, log_bug
from gateway.metrics import HttpAnswer, Metrics, MetricsPort
from gateway.outbox import Outbox
from gateway.plan_pool import GiveUp
from gateway.session import Effects, Session
from gateway.settings import GatewaySettings
from schema import codes
from schema.client_messages import SUBPROTOCOLS, Configured, Error, GatewayMessage, Moving, Settings, Tick
from schema.codec import decode_client, encode
from schema.codes import ERRORS, Close, ErrorCode, ProtocolError
from schema.engine_messages import ModelInfo, PlanReply, WorkerState
from schema.grid import frame_budget_ms

log = logging.getLogger("sideman.gateway")


def close_for(problem: Exception) -> Close:
    """What the peer is told about what went wrong: the only map from errors to close codes."""
    match problem:
        case NoHello():
            return codes.NO_HELLO
        case Judged():
            return problem.close
        case TimeoutError():  # a message could not be sent in time
            return codes.SLOW_CLIENT
        case _:
            return codes.BUG


class _Player:
    """One connection and its session."""

    def __init__(self, gateway: "Gateway", connection: PlayerConnection, subprotocol: str) -> None:
        self.session_id = secrets.token_hex(8)
        self._gateway = gateway
        self._connection = connection
        self._subprotocol = subprotocol
        self._limits = gateway.settings
        self._settings = gateway.first_settings()  # as the player was last told
        self._session = Session(
            session_id=self.session_id,
            seed=secrets.randbits(32),
            models=gateway.models,
            settings=self._settings,
            limits=self._limits.limits(),
        )
        self._outbox = Outbox(self._limits.max_unacknowledged, self._limits.unacknowledged_timeout_s)
        self._wake = asyncio.Event()
        self._closing: Close | None = None

    async def play(self) -> None:
        """Serve the connection until it ends."""
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
            self._outbox.put(message, self._gateway.now())
            if isinstance(message, Configured):
                self._settings = message.settings
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
        self._answer(lambda: self._session.receive_reply(reply, self._gateway.now()))

    def give_up(self, given_up: GiveUp) -> None:
        """No worker will answer."""
        self._answer(lambda: self._session.give_up(given_up.seq, given_up.reason, self._gateway.now()))

    def _fail(self, problem: Exception) -> None:
        close = close_for(problem)
        if close is codes.BUG:
            log.error("session %s: a bug of ours", self.session_id, exc_info=problem)
        self.leave(close)

    def _carry_out(self, effects: Effects) -> None:
        if effects.acknowledged is not None:
            self._outbox.acknowledge(effects.acknowledged)
        self.say(*effects.messages)
        self._gateway.metrics.effects(effects, self._settings.model)
        if effects.close is not None:
            self.leave(effects.close)
        if effects.request is not None:
            self._gateway.pool.submit(effects.request)

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
        now = self._gateway.now()
        verdict = self._connection.admission.message(now)
        _end_if_judged(verdict)
        if verdict is Verdict.SLOW_DOWN:
            expected = f"at most {self._limits.messages_per_second:g} messages a second"
            problem = ProtocolError(ErrorCode.SLOW_DOWN, field="", expected=expected, got="more")
            self.say(_error(problem))
            return False
        try:
            started = perf_counter()
            message = decode_client(data, self._subprotocol)
            self._gateway.metrics.stage.labels("decode").observe(perf_counter() - started)
            self._gateway.metrics.messages.labels(str(message.__struct_config__.tag)).inc()
            if isinstance(message, Tick) and message.round_trip_ms is not None:
                self._gateway.metrics.measured(message.round_trip_ms, frame_budget_ms(self._settings.bpm))
            self._carry_out(self._session.receive(message, now))
        except ProtocolError as problem:
            self.say(_error(problem))
            _end_if_judged(self._connection.admission.refused(now))
            return False
        return True

    async def _write(self) -> None:
        """Send what the outbox gives; close when that is asked for and all is sent."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (message := self._outbox.next_message(self._gateway.now())) is not None:
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
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._connection.send(encode(message, self._subprotocol))
        except TimeoutError as problem:
            self._connection.abort(close_for(problem))
            return
        self._gateway.metrics.stage.labels("write").observe(perf_counter() - started)
        self._gateway.metrics.sent(message)


class Gateway:
    """Both ports and the pool. Use as an async context manager: it listens inside, and leaves in good order at the end."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.models: dict[str, ModelInfo] = {}
        self.now = monotonic  # uvloop's own clock counts whole milliseconds and stands still while the loop is busy
        self.pool = LocalPool(settings, self)
        self.port = self.metrics_port = 0
        self._players: dict[str, _Player] = {}
        self._seats = Seats(settings.max_sessions, settings.max_sessions_per_address)
        overall = Rate(settings.handshakes_per_second, settings.handshake_burst)
        per_address = Rate(settings.address_handshakes_per_second, settings.address_handshake_burst)
        self._handshakes = Handshakes(overall, per_address)
        self._shaking_hands: set[PlayerConnection] = set()
        self._leaving = False
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen on both ports. Raises OperatorError."""
        settings = self.settings
        async with AsyncExitStack() as stack:
            listener = listening_socket(settings, settings.host, settings.port, "--port")
            stack.callback(listener.close)
            metrics_listener = listening_socket(settings, settings.metrics_host, settings.metrics_port, "--metrics-port")
            stack.callback(metrics_listener.close)
            self.port, self.metrics_port = listener.getsockname()[1], metrics_listener.getsockname()[1]
            port = MetricsPort(self.settings, self._http)
            await port.start(metrics_listener)
            stack.push_async_callback(port.stop)
            await stack.enter_async_context(self.pool)
            server = await self._serve(listener)
            stack.push_async_callback(self._leave, server)
            sweeping = asyncio.get_running_loop().create_task(self._sweep())
            sweeping.add_done_callback(log_bug)
            stack.callback(sweeping.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _serve(self, listener: socket.socket) -> Server:
        limits = self.settings
        return await serve(
            self._handle,
            sock=listener,
            backlog=limits.backlog,
            create_connection=cast(type[ServerConnection], partial(PlayerConnection, settings=limits, door=self)),
            process_request=self._check_origin,
            select_subprotocol=_choose_subprotocol,
            compression=None,
            server_header=None,
            open_timeout=limits.open_timeout_s,
            ping_interval=None,  # `look_alive` pings, so that every message counts as a sign of life
            close_timeout=limits.close_timeout_s,
            max_size=limits.max_message_bytes,
            max_queue=(limits.read_queue_high, limits.read_queue_low),
            write_limit=limits.write_limit_bytes,
        )

    def begin_handshake(self, connection: PlayerConnection, address: str) -> bool:
        """Whether a new connection may go on."""
        if len(self._shaking_hands) >= self.settings.max_pending_handshakes:
            self.refuse_handshake("pending_handshakes")
            return False
        if self._handshakes.admit(address, self.now()) is not Verdict.PASS:
            self.refuse_handshake("handshake_rate")
            return False
        self._shaking_hands.add(connection)
        return True

    def end_handshake(self, connection: PlayerConnection) -> None:
        """The connection is open or gone."""
        self._shaking_hands.discard(connection)

    def refuse_handshake(self, reason: str) -> None:
        """Count a refused opening handshake."""
        self.metrics.refusals.labels(reason).inc()

    def _check_origin(self, connection: ServerConnection, request: Request) -> Response | None:
        """C7: pages of sites that are not listed are refused before anything else."""
        if all(map(self.settings.allows, request.headers.get_all("Origin"))):
            return None
        self.refuse_handshake("origin")
        return connection.respond(HTTPStatus.FORBIDDEN, "expected a page of a listed origin; ask the operator to add yours to --origin\n")

    async def _handle(self, opened: ServerConnection) -> None:
        connection = cast(PlayerConnection, opened)
        self.end_handshake(connection)
        try:
            await self._seat(connection)
        finally:
            self.metrics.close_code(connection.final_code())

    async def _seat(self, connection: PlayerConnection) -> None:
        """Give a connection a seat and a player, as long as it lasts (C1, C8). Before any worker came there are no seats."""
        if connection.subprotocol is None:
            await connection.close(*codes.UNKNOWN_PROTOCOL)
            return
        address = connection.address
        close = codes.FULL_HOUSE if not self.models else self._seats.admit(address).close
        if close is not None:
            await connection.close(*close)
            return
        player = _Player(self, connection, connection.subprotocol)
        self._players[player.session_id] = player
        self.metrics.sessions.set(len(self._players))
        try:
            await player.play()
        finally:
            del self._players[player.session_id]
            self._seats.free(address)
            self.metrics.sessions.set(len(self._players))

    def first_settings(self) -> Settings:
        """What holds for a new session: the first model and the temperature it suggests."""
        model = next(iter(self.models.values()))
        return Settings(model=model.name, temperature=model.temperature)

    def plan_ready(self, reply: PlanReply) -> None:
        """A request was answered; its player may have gone."""
        player = self._players.get(reply.session)
        if player is not None:
            player.receive_reply(reply)

    def plan_given_up(self, given_up: GiveUp) -> None:
        """A request will not be answered; its player may have gone."""
        player = self._players.get(given_up.session)
        if player is not None:
            player.give_up(given_up)

    def worker_changed(self, worker: str, state: WorkerState | None) -> None:
        """A worker came, went, or said how it is. While all are away their models stay listed: they come back."""
        states = self.pool.describe().values()
        self.metrics.workers(states)
        if states:
            self.models.clear()
            self.models.update({model.name: model for each in states for model in each.models})

    def _http(self, path: str) -> HttpAnswer | None:
        """Answers of the metrics port that depend on the gateway."""
        if path == "/metrics":
            return self.metrics.exposition()
        if path != "/readyz":
            return None
        if self._leaving:
            return HttpAnswer(HTTPStatus.SERVICE_UNAVAILABLE, b"expected a gateway that stays, got one that is leaving\n")
        if not any(state.ready for state in self.pool.describe().values()):
            workers = ", ".join(self.settings.workers)
            return HttpAnswer(HTTPStatus.SERVICE_UNAVAILABLE, f"expected a ready worker, got none at {workers}; start one\n".encode())
        return HttpAnswer(HTTPStatus.OK, b"ready\n")

    async def _sweep(self) -> None:
        """Look at all connections now and then, and at how late this loop is."""
        while True:
            due = self.now() + self.settings.sweep_s
            await asyncio.sleep(self.settings.sweep_s)
            now = self.now()
            self.metrics.loop_lag.observe(max(0.0, now - due))
            self.metrics.breakers_open.set(self.pool.open_breakers())
            self.metrics.pool_waiting.set(self.pool.waiting())
            for player in list(self._players.values()):
                player.look_after(now)

    async def _leave(self, server: Server) -> None:
        """C9: accept nobody, tell everybody, then close with 1012, a few at a time."""
        self._leaving = True
        server.close(close_connections=False)
        for connection in list(self._shaking_hands):
            connection.transport.abort()
        for player in self._players.values():
            player.say(Moving(within_ms=int(self.settings.moving_s * 1000)))
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.moving_s):
                await server.wait_closed()
        for player in list(self._players.values()):
            player.leave(codes.RESTARTING)
            await asyncio.sleep(1.0 / self.settings.closes_per_second)
        await server.wait_closed()


def _choose_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """C1: ours in our order; none is accepted here, so that the close code can say what is wrong."""
    return next((Subprotocol(name) for name in SUBPROTOCOLS if name in offered), None)


def _end_if_judged(verdict: Verdict) -> None:
    if verdict.close is not None:
        raise Judged(verdict.close)


def _error(problem: ProtocolError) -> Error:
    return Error(code=problem.code, message=str(problem), field=problem.field, seq=problem.seq, retry=ERRORS[problem.code].retry)
