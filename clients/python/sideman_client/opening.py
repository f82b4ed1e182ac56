"""Opens a session: opening handshake, hello, welcome; and says why one was closed. Shell."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from sideman_client.codec import decode, encode
from sideman_client.errors import CannotConnect, ClosedByGateway
from sideman_client.generated.codes import should_reconnect
from sideman_client.generated.messages import Hello, Welcome

OPENING_TIMEOUT_S = 10.0
CLOSING_TIMEOUT_S = 2.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Backoff:
    """How to come back: full jitter below a bound that doubles, so that a thousand clients do not knock together."""

    first_s: float = 0.25
    longest_s: float = 10.0
    attempts: int = 12

    def delay_s(self, attempt: int, chance: float) -> float:
        """Seconds before attempt 0, 1, ...; `chance` is uniform in [0, 1)."""
        return float(chance * min(self.longest_s, self.first_s * 2**attempt))


async def open_session(url: str, hello: Hello, subprotocol: str) -> tuple[ClientConnection, Welcome]:
    """A connection on which `hello` was sent and `welcome` received. Raises CannotConnect, ClosedByGateway, UnreadableMessage."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await _websocket(url, subprotocol))
        welcome = await _greet(connection, hello, subprotocol)
        stack.pop_all()
    return connection, welcome


def close_code(closed: ConnectionClosed) -> int:
    """The close code received; 1006 if the connection just broke (RFC 6455, section 7.1.5)."""
    return closed.rcvd.code if closed.rcvd is not None else 1006


def refusal(closed: ConnectionClosed) -> ClosedByGateway:
    """The close as an error, with its reason and whether trying again helps."""
    code = close_code(closed)
    reason = closed.rcvd.reason if closed.rcvd is not None else "the connection broke"
    advice = "try again in a few seconds" if should_reconnect(code) else "trying again would not help: see the close codes of the protocol"
    return ClosedByGateway(expected="an open session", got=f"close code {code} ({reason})", advice=advice, code=code)


async def _websocket(url: str, subprotocol: str) -> ClientConnection:
    try:
        proxy: Literal[True] | None = None if urlsplit(url).hostname in _LOOPBACK else True
        return await open_websocket(
            url,
            subprotocols=[Subprotocol(subprotocol)],
            compression=None,
            proxy=proxy,
            open_timeout=OPENING_TIMEOUT_S,
            close_timeout=CLOSING_TIMEOUT_S,
        )
    except (OSError, ValueError, InvalidHandshake, InvalidURI) as problem:
        advice = "check the address, and that `sideman serve` or the hosted service is running"
        raise CannotConnect(expected=f"a gateway at {url}", got=str(problem) or type(problem).__name__, advice=advice) from None


async def _greet(connection: ClientConnection, hello: Hello, subprotocol: str) -> Welcome:
    try:
        async with asyncio.timeout(OPENING_TIMEOUT_S):
            await connection.send(encode(hello, subprotocol))
            message = decode(await connection.recv(), subprotocol)
    except ConnectionClosed as closed:
        raise refusal(closed) from None
    except TimeoutError:
        raise CannotConnect(expected="welcome", got="no answer to hello", advice="check that this is a Sideman gateway") from None
    if not isinstance(message, Welcome):
        advice = "check that this is a Sideman gateway of this version"
        raise CannotConnect(expected="welcome", got=type(message).__name__, advice=advice)
    return message
