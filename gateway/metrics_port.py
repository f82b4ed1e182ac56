"""A very small HTTP server for probes, scrapers and operators: health, readiness, metrics, watching a session. Shell."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple

from gateway.settings import GatewaySettings


class HttpAnswer(NamedTuple):
    """An answer of the metrics port."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class MetricsPort:
    """One request per connection, on the players' event loop. `answer` is given the method, GET or POST, and the path."""

    def __init__(self, settings: GatewaySettings, answer: Callable[[str, str], HttpAnswer | None]) -> None:
        self._settings = settings
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Listen on a bound socket."""
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=self._settings.http_header_bytes)

    async def stop(self) -> None:
        """Stop listening and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._settings.max_http_connections:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(self._settings.http_timeout_s):
                    await self._respond(reader, writer)
        finally:
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        except asyncio.LimitOverrunError:
            method, answer = "GET", HttpAnswer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"headers over the limit: send less\n")
        except ValueError:
            method, answer = "GET", HttpAnswer(HTTPStatus.BAD_REQUEST, b"expected an HTTP request\n")
        else:
            answer = self._choose(method, path.partition("?")[0])
        lines = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + (b"" if method == "HEAD" else answer.body))
        await writer.drain()
        writer.write_eof()
        while await reader.read(self._settings.http_header_bytes):  # until the peer has taken everything and closes
            pass

    def _choose(self, method: str, path: str) -> HttpAnswer:
        if method not in (("POST",) if path.startswith("/watch/") else ("GET", "HEAD")):
            return HttpAnswer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD are answered here, and POST for /watch/SESSION\n")
        if path == "/healthz":
            return HttpAnswer(HTTPStatus.OK, b"the event loop answers\n")
        found = self._answer("GET" if method == "HEAD" else method, path)
        return found or HttpAnswer(HTTPStatus.NOT_FOUND, b"only /healthz, /readyz and /metrics are here, and POST /watch/SESSION\n")
