"""The gateway's sockets: one `_Player` per connection, the workers behind them, and the one map from errors to close codes. Shell.

A message's way: `PlayerConnection` counts and reads it, `_Player._take` decodes it, `session` decides, `outbox` keeps what is to
be sent, `_Player._write` sends it. Plans come back through `Gateway.plan_ready`.
"""

import asyncio
import errno
import logging
import re
import secrets
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from gateway.admission import TokenBucket
from gateway.errors import NoSuchAddress, PortForbidden, PortInUse
from gateway.local_pool import LocalPool
from gateway.metrics import Metrics
from gateway.outbox import Outbox
from gateway.plan_pool import GiveUp
from gateway.session import Effects, Session
from gateway.settings import LOCAL_ORIGIN, GatewaySettings
from schema import codes
from schema.client_messages import SUBPROTOCOLS, ClientMessage, Error, GatewayMessage, Hello, Keep, Moving, Plan, Settings, Tick, Welcome
from schema.codec import decode_client, encode
from schema.codes import ERRORS, Close, ErrorCode, ProtocolError
from schema.engine_messages import ModelInfo, PlanReply, WorkerState
from schema.grid import frame_budget_ms

SLICE_BYTES = 512  # at most 85 WebSocket frames are parsed before they are counted
LOCAL_PAGE = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")

log = logging.getLogger("sideman.gateway")


class PlayerConnection(ServerConnection):
    """A connection that counts all it receives, control frames too, and ends itself when that is too much (C11)."""

    def __init__(self, protocol: ServerProtocol, server: Server, *, gateway: "Gateway", **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self._gateway = gateway
        self._frames = TokenBucket(gateway.settings.frames_per_second, gateway.settings.frame_burst)
        self._bytes = TokenBucket(gateway.settings.bytes_per_second, gateway.settings.byte_burst)
        self._handshake_bytes = 0
        self._fragments = 0
        self.ended_with: Close | None = None
        self.last_heard = self.loop.time()
        self.pinged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection before anything is read if too many are shaking hands (asyncio calls this)."""
        super().connection_made(transport)
        address = str((self.remote_address or ("",))[0])
        refusal = self._gateway.begin_handshake(self, address)
        if refusal:
            self._gateway.metrics.refusals.labels(refusal).inc()
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone (asyncio calls this)."""
        self._gateway.end_handshake(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read in small slices, so that a flood is seen before much of it is parsed (asyncio calls this)."""
        now = self.last_heard = self.loop.time()
        self.pinged = False
        if self.request is None:
            self._handshake_bytes += len(data)
            if self._handshake_bytes > self._gateway.settings.max_handshake_bytes:
                self._gateway.metrics.refusals.labels("handshake_size").inc()
                self.transport.abort()
                return
        elif not self._bytes.take(now, len(data)):
            self.end(codes.TOO_FAST)
        for start in range(0, len(data), SLICE_BYTES):
            if self.ended_with is None:
                super().data_received(data[start : start + SLICE_BYTES])

    def process_event(self, event: Event) -> None:
        """Count a WebSocket frame, then let the library have it."""
        if isinstance(event, Frame):
            self._fragments = self._fragments + 1 if not event.fin or event.opcode == 0 else 0
            if self.ended_with is None and not self._frames.take(self.last_heard):
                self.end(codes.TOO_FAST)
            elif self._fragments > self._gateway.settings.max_fragments:
                self.end(codes.TOO_BIG)
        if self.ended_with is None:
            super().process_event(event)
