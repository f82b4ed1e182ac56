"""Sends one answer of the page over a connection that asked for no WebSocket, as fast as its reader reads. Shell.

The WebSocket library gives an HTTP answer as long as its opening handshake may take, which is too short for an instrument on a slow
line. So such a connection is taken over: this protocol owns its transport from then on.
"""

import asyncio
from pathlib import Path

from gateway.errors import SettingsError
from gateway.page import INDEX, Page, PageAnswer

CHUNK_BYTES = 16_384


class PageSender(asyncio.Protocol):
    """One answer on its way; whatever the peer still sends is ignored."""

    def __init__(self, transport: asyncio.Transport, answer: PageAnswer, timeout_s: float) -> None:
        self._transport = transport
        self._left = memoryview(answer.head() + answer.body)
        self._may_write = True
        self._cut = asyncio.get_running_loop().call_later(timeout_s, transport.abort)
        self.gone = asyncio.get_running_loop().create_future()
        transport.set_protocol(self)
        self._write()

    def abort(self) -> None:
        """Give up what has not been sent."""
        self._transport.abort()

    def pause_writing(self) -> None:
        """The peer reads slower than we write (asyncio calls this)."""
        self._may_write = False

    def resume_writing(self) -> None:
        """The peer caught up (asyncio calls this)."""
        self._may_write = True
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone (asyncio calls this)."""
        self._cut.cancel()
        self.gone.set_result(None)

    def _write(self) -> None:
        while self._may_write and self._left:
            chunk, self._left = self._left[:CHUNK_BYTES], self._left[CHUNK_BYTES:]
            self._transport.write(bytes(chunk))
        if not self._left:
            self._transport.close()  # when what is buffered has left


def read_page(folder: Path) -> Page:
    """All files of the built page. Raises SettingsError if there is none."""
    if not (folder / INDEX).is_file():
        raise SettingsError("page", expected=f"a folder with {INDEX}, as `make page` builds it", got=str(folder))
    return Page({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
