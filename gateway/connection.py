"""A player's WebSocket connection that guards itself: counts what it receives, notices silence, ends without waiting. Shell.

One connection can freeze an event loop: at its defaults the library parses up to 256 KiB of tiny WebSocket frames before anyone
else runs. So reads are small (the listening socket's receive buffer), are parsed in slices, and every frame is counted.
"""

import asyncio
import errno
import socket
from time import monotonic
from typing import Any, Protocol

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from gateway.admission import Admission, Verdict
from gateway.errors import NoSuchAddress, PortForbidden, PortInUse
from gateway.settings import GatewaySettings
from schema import codes
from schema.codes import Close

SLICE_BYTES = 512  # at most 85 WebSocket frames are parsed before they are counted


class Doorkeeper(Protocol):
    """Who decides about opening handshakes."""

    def begin_handshake(self, connection: "PlayerConnection", address: str) -> bool:
        """Whether a new connection may go on; `end_handshake` follows in any case."""

    def end_handshake(self, connection: "PlayerConnection") -> None:
        """The connection is open or gone. Called once or twice."""

    def refuse_handshake(self, reason: str) -> None:
        """Count a refused opening handshake."""

    def send_page(self, transport: asyncio.Transport, request: Request) -> bool:
        """Whether the request was for the page and its transport has been taken over."""


class _Gone(asyncio.Transport):
    """What the library holds of a connection that is no longer its own."""

    def abort(self) -> None:
        """Nothing is left to abort."""

    def is_closing(self) -> bool:
        """It has closed, for whoever asks."""
        return True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Its addresses are forgotten."""
        return default


class PlayerConnection(ServerConnection):
    """A connection that counts all it receives, control frames too, and ends itself when that is too much (C11)."""

    def __init__(self, protocol: ServerProtocol, server: Server, *, settings: GatewaySettings, door: Doorkeeper, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self._limits = settings
        self._door = door
        self._last_heard = monotonic()
        self.admission = Admission(settings.allowance())
        self._handshake_bytes = 0
        self._fragments = 0
        self._pinged = False
        self._is_handed_over = False
        self.ended_with: Close | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection before anything is read if it is one too many (asyncio calls this)."""
        super().connection_made(transport)
        if not self._door.begin_handshake(self, self.address):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone (asyncio calls this)."""
        self._door.end_handshake(self)
        super().connection_lost(exc)

    @property
    def address(self) -> str:
        """The peer's address without its port."""
        return str((self.remote_address or ("",))[0])

    def data_received(self, data: bytes) -> None:
        """Read in small slices, so that a flood is seen before much of it is parsed (asyncio calls this)."""
        self._last_heard = monotonic()
        self._pinged = False
        if self.request is None:
            self._handshake_bytes += len(data)
            if self._handshake_bytes > self._limits.max_handshake_bytes:
                self._door.refuse_handshake("handshake_size")
                self.transport.abort()
                return
        elif self.state is State.OPEN:
            self._end_if(self.admission.received(len(data), self._last_heard))
        for start in range(0, len(data), SLICE_BYTES):
            if self.ended_with is None and not self._is_handed_over:
                super().data_received(data[start : start + SLICE_BYTES])

    def process_event(self, event: Event) -> None:
        """Count a WebSocket frame, then let the library have it; a request for the page leaves the library's hands here."""
        if isinstance(event, Request) and self._door.send_page(self.transport, event):
            self._is_handed_over = True
            self.transport = _Gone()  # the library aborts what it believes it still has
            self.loop.call_soon(self.connection_lost, None)  # as far as it knows the peer has left
            return
        if isinstance(event, Frame) and self.ended_with is None:
            self._count(event)
        if self.ended_with is None:
            super().process_event(event)

    def _count(self, frame: Frame) -> None:
        if frame.opcode in DATA_OPCODES:
            self._fragments = self._fragments + 1 if frame.opcode is Opcode.CONT else 1
        self._end_if(self.admission.frame(self._last_heard))
        if self._fragments > self._limits.max_fragments:
            self.end(codes.TOO_BIG)

    def _end_if(self, verdict: Verdict) -> None:
        if verdict.close is not None:
            self.end(verdict.close)

    def end(self, close: Close) -> None:
        """End the connection without waiting for the peer: a close frame if it can take one, then the socket. The first call counts."""
        if self.ended_with is not None:
            return
        self.ended_with = close
        if self.state is State.OPEN:
            self.protocol.fail(close.code, close.reason)
            self.send_data()
        self.transport.pause_reading()
        self.loop.call_later(self._limits.close_timeout_s, self.transport.abort)

    def abort(self, close: Close) -> None:
        """End the connection at once: its peer does not read any more."""
        self.ended_with = self.ended_with or close
        self.transport.abort()

    def look_alive(self, now: float) -> None:
        """Ping a silent peer; end the connection if that does not help."""
        silent_s = now - self._last_heard
        if silent_s > self._limits.ping_after_s + self._limits.pong_timeout_s:
            self.end(codes.SILENT_CLIENT)
        elif silent_s > self._limits.ping_after_s and not self._pinged and self.state is State.OPEN:
            self._pinged = True
            self.protocol.send_ping(b"")
            self.send_data()

    def final_code(self) -> int:
        """The close code this connection ended with, whoever chose it; 1006 if there was none."""
        if self.ended_with is not None:
            return self.ended_with.code
        return self.protocol.close_sent.code if self.protocol.close_sent else 1006


def listening_socket(settings: GatewaySettings, host: str, port: int, option: str) -> socket.socket:
    """A bound socket whose connections inherit small buffers. Raises OperatorError; `option` names the port in its sentence."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as problem:
        raise NoSuchAddress(host, problem.strerror or str(problem)) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.reuse_port and option == "--port" and hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer_bytes)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.tcp_timeout_s * 1000))
        listener.bind(address)
        listener.setblocking(False)
    except OSError as problem:
        listener.close()
        if problem.errno == errno.EADDRINUSE:
            raise PortInUse(host, port, option) from None
        if problem.errno == errno.EACCES:
            raise PortForbidden(host, port, option) from None
        raise NoSuchAddress(host, problem.strerror or str(problem)) from None
    return listener
