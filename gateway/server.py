"""The players' port: one `Player` per connection, and the workers behind them. Shell.

A message's way: `connection` counts and reads it, `player` decodes it, `session` decides, `outbox` keeps what is to be sent,
`player` sends it. Requests leave through `LocalPool.submit`; replies come back through `Gateway.plan_ready`.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Self, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.admission import Handshakes, Rate, Seats, Verdict
from gateway.connection import PlayerConnection, listening_socket
from gateway.local_pool import LocalPool, log_bug
from gateway.meter import Watch
from gateway.metrics import Metrics
from gateway.metrics_port import HttpAnswer, MetricsPort
from gateway.page_sender import PageSender, read_page
from gateway.plan_pool import GiveUp
from gateway.player import Player
from gateway.relief import Relief, pressure
from gateway.settings import OFF, GatewaySettings
from gateway.tracing import over_http
from schema import codes
from schema.client_messages import SUBPROTOCOLS, Moving, Settings
from schema.engine_messages import ModelInfo, PlanReply, WorkerState, live_models, player_of


class Gateway:
    """Both ports and the pool. Use as an async context manager: it listens inside, and leaves in good order at the end."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.metrics = Metrics(settings.client_groups)
        self.metrics.seats.set(settings.max_sessions)
        self.metrics.workers_configured.set(len(settings.workers))
        self.watch = Watch()
        self.traces = None if settings.traces == OFF else over_http(settings.traces, settings.traces_share)
        self.models: dict[str, ModelInfo] = {}
        self.now = monotonic  # uvloop's own clock counts whole milliseconds and stands still while the loop is busy
        self.pool = LocalPool(settings, self)
        self.relief = Relief()
        self.port = self.metrics_port = 0
        self._players: dict[str, Player] = {}
        self._seats = Seats(settings.max_sessions, settings.max_sessions_per_address)
        overall = Rate(settings.handshakes_per_second, settings.handshake_burst)
        per_address = Rate(settings.address_handshakes_per_second, settings.address_handshake_burst)
        self._handshakes = Handshakes(overall, per_address)
        self._shaking_hands: set[PlayerConnection] = set()
        self._page = read_page(Path(settings.page)) if settings.page is not None else None
        self._page_senders: set[PageSender] = set()
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
            if self.traces is not None:
                stack.callback(self.traces.close)
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

    def send_page(self, transport: asyncio.Transport, request: Request) -> bool:
        """Answer a request that wants no WebSocket with a file of the page, if there is a page."""
        if self._page is None or "Upgrade" in request.headers:
            return False
        if len(self._page_senders) >= self.settings.max_page_answers or self._leaving:
            self.refuse_handshake("page_answers")
            transport.abort()
            return True
        wanted = {name: ", ".join(request.headers.get_all(name)) for name in ("Accept-Encoding", "If-None-Match")}
        answer = self._page.answer(request.path, accept_encoding=wanted["Accept-Encoding"], if_none_match=wanted["If-None-Match"])
        sender = PageSender(transport, answer, self.settings.page_timeout_s)
        self._page_senders.add(sender)
        sender.gone.add_done_callback(lambda _: self._page_senders.discard(sender))
        return True

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
        """Give a connection a seat and a player, as long as it lasts (C1, C8). Without a model to play with there are no seats."""
        if connection.subprotocol is None:
            await connection.close(*codes.UNKNOWN_PROTOCOL)
            return
        address = connection.address
        close = codes.FULL_HOUSE if not live_models(self.models) else self._seats.admit(address).close
        if close is not None:
            await connection.close(*close)
            return
        player = Player(self, connection, connection.subprotocol)
        self._players[player.session_id] = player
        self.metrics.sessions.set(len(self._players))
        try:
            await player.play()
        finally:
            del self._players[player.session_id]
            self._seats.free(address)
            self.metrics.sessions.set(len(self._players))

    def first_settings(self) -> Settings:
        """What holds for a new session: the first live model and the temperature it suggests."""
        model = next(iter(live_models(self.models).values()))
        return Settings(model=model.name, temperature=model.temperature)

    def plan_ready(self, reply: PlanReply) -> None:
        """A request was answered; its player may have gone."""
        player = self._players.get(player_of(reply.session))
        if player is not None:
            player.receive_reply(reply)

    def plan_given_up(self, given_up: GiveUp) -> None:
        """A request will not be answered; its player may have gone."""
        player = self._players.get(player_of(given_up.session))
        if player is not None:
            player.give_up(given_up)

    def worker_changed(self, worker: str, state: WorkerState | None) -> None:
        """A worker came, went, or said how it is. While all are away their models stay listed: they come back."""
        states = self.pool.describe().values()
        self.metrics.workers(states)
        if states:
            self.models.clear()
            self.models.update({model.name: model for each in states for model in each.models})

    def _http(self, method: str, path: str) -> HttpAnswer | None:
        """Answers of the metrics port that depend on the gateway."""
        if method == "POST":
            return self._watch(path)
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

    def _watch(self, path: str) -> HttpAnswer:
        """Give one session's series a place: POST /watch/SESSION, as `welcome` and the log name it, or `latest`."""
        session = path.removeprefix("/watch/")
        if session == "latest":
            session = next(reversed(self._players), session)
        if session not in self._players:
            return HttpAnswer(HTTPStatus.NOT_FOUND, b"expected a session that is open, got none of that name\n")
        return HttpAnswer(HTTPStatus.OK, f'watched="{self.watch.begin(session)}"\n'.encode())

    async def _sweep(self) -> None:
        """Look at all connections now and then, and at how late this loop is."""
        while True:
            due = self.now() + self.settings.sweep_s
            await asyncio.sleep(self.settings.sweep_s)
            now = self.now()
            lag_s = max(0.0, now - due)
            self.metrics.loop_lag.observe(lag_s)
            states = list(self.pool.describe().values())
            self.relief.observe(pressure([state.late_share for state in states], 1000.0 * lag_s), now)
            self.relief.crowded = bool(states) and all(state.crowded for state in states)
            self.metrics.relief_level.set(self.relief.level)
            self.metrics.breakers_open.set(self.pool.open_breakers())
            self.metrics.pool_waiting.set(self.pool.waiting())
            for player in list(self._players.values()):
                player.look_after(now)

    async def _leave(self, server: Server) -> None:
        """C9: accept nobody, tell everybody, then close with 1012, a few at a time."""
        self._leaving = True
        self.metrics.leaving.set(1)
        server.close(close_connections=False)
        for connection in list(self._shaking_hands):
            connection.transport.abort()
        for sender in list(self._page_senders):
            sender.abort()
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
