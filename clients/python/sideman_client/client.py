"""The asyncio client: one session with a gateway, kept through lost connections. Shell.

    async with connect("wss://...") as client:
        await client.configure(Configure(bpm=96))
        chord = client.jam.begin_frame(frame)   # at the start of every frame, by your own clock
        await client.send_tick(frame)

One task reads; it hands every message to the jam, to `on_message`, and to whoever iterates over the client. When the
connection is lost the same task comes back and sends the settings and the history, while `jam` goes on sounding the plan it
has. Only close codes that ask for it are retried (C10).
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sideman_client.codec import MSGPACK, decode, encode
from sideman_client.errors import CannotConnect, ClosedByGateway, ConnectionLost, NoAnswer, NotConnected, SettingRefused, SidemanError
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.codes import ErrorCode, should_reconnect
from sideman_client.generated.messages import (
    MAX_HISTORY_FRAMES,
    Bye,
    ChordRun,
    ClientMessage,
    Configure,
    Configured,
    Error,
    GatewayMessage,
    Harmonize,
    Harmonized,
    Hello,
    History,
    Keep,
    MelodyRun,
    Plan,
    Reset,
    Tick,
    Welcome,
)
from sideman_client.harmonizing import Harmonizer, OnProgress
from sideman_client.jam import Jam
from sideman_client.opening import Backoff, close_code, open_session, refusal
from sideman_client.stretches import Stretches

ANSWER_TIMEOUT_S = 10.0
LEAVING_TIMEOUT_S = 2.0
MAX_WAITING_MESSAGES = 1024  # for iteration; the oldest go first
MAX_UNANSWERED_TICKS = 256  # of older ones the round trip is forgotten
NORMAL_CLOSE = 1000

OnMessage = Callable[[GatewayMessage, float | None], None]


class State(StrEnum):
    """Where the connection stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


@dataclass
class _Asked:
    """A message that `configured` or `error` will answer, the frame of the tick before it, and who waits for the answer."""

    message: Configure | Reset
    frame: int | None
    answer: asyncio.Future[Configured] | None


class SidemanClient:
    """One session; made by `connect`. `jam` is its musical state, `state` that of the connection."""

    def __init__(self, url: str, *, hello: Hello, subprotocol: str, backoff: Backoff, on_message: OnMessage | None) -> None:
        self.url = url
        self.state = State.CONNECTING
        self.jam = Jam()
        self.reconnects = 0
        self._hello = hello
        self._subprotocol = subprotocol
        self._backoff = backoff
        self._on_message = on_message
        self._chosen = Configure()
        self._to_ask: deque[_Asked] = deque()  # while reconnecting
        self._asked: deque[_Asked] = deque()
        self._attempt = 0
        self._waiting: deque[GatewayMessage] = deque(maxlen=MAX_WAITING_MESSAGES)
        self._news = asyncio.Event()
        self._sent_at: dict[int, float] = {}
        self._round_trip_ms: float | None = None
        self._leaving = False
        self._harmonizer = Harmonizer(self._send_when_open, self._check_alive)
        self._connection: ClientConnection
        self._reader: asyncio.Task[None]
        self.welcome: Welcome

    async def start(self) -> None:
        """Open the session. Raises CannotConnect, ClosedByGateway."""
        self._connection, self.welcome = await open_session(self.url, self._hello, self._subprotocol)
        self.jam.settings, self.jam.seed = self.welcome.settings, self.welcome.seed
        self.state = State.OPEN
        self._reader = asyncio.create_task(self._read(), name="sideman reader")

    async def configure(self, change: Configure) -> Configured:
        """Change settings; the fields that are None stay. Raises SettingRefused, NoAnswer, or why the session ended."""
        return await self._ask(change)

    async def reset(self) -> Configured:
        """Forget melody, chords and plans here and there. Raises NoAnswer, or why the session ended."""
        self.jam = self.jam.forgotten()
        return await self._ask(Reset())

    async def send_tick(self, frame: int) -> Tick | None:
        """Report `frame` at its start; None while the connection is being restored (history makes up for it).

        Raises why the session ended.
        """
        self._check_alive()
        self.jam.begin_frame(frame)
        if self.state is not State.OPEN:
            return None
        if self.jam.needs_history(frame):
            await self._send(self._history(frame - 1))
        tick = self.jam.tick(frame, self._round_trip_ms)
        self._round_trip_ms = None
        self._sent_at[tick.seq] = asyncio.get_running_loop().time()
        self._sent_at.pop(tick.seq - MAX_UNANSWERED_TICKS, None)
        await self._send(tick)
        return tick

    async def harmonize(
        self, melody: Sequence[MelodyRun], num_frames: int, *, bar_line: int = 0, on_progress: OnProgress | None = None
    ) -> list[ChordRun]:
        """Chords for a whole melody of any length, frames [0, num_frames), by the gateway's offline model and this session's settings.

        `on_progress(decided, all)` counts frames. One at a time: another call waits for this one. Raises HarmonizeRefused, NoAnswer,
        or why the session ended.
        """
        stretches = Stretches(
            melody,
            num_frames,
            bar_frames=self.jam.settings.beats_per_bar * FRAMES_PER_BEAT,
            bar_line=bar_line,
            fits=lambda message: _num_bytes(encode(message, self._subprotocol)) <= self.welcome.limits.max_message_bytes,
        )
        return await self._harmonizer.harmonize(stretches, on_progress)

    async def leave(self) -> None:
        """Say `bye`, wait a moment for the close, and let go of everything. May be called in any state."""
        self._leaving = True
        if self.state is State.OPEN:
            await self._send(Bye())
            await asyncio.wait([self._reader], timeout=LEAVING_TIMEOUT_S)
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if not self._reader.cancelled():
            self._reader.exception()  # seen here, raised by raise_failure
        await self._connection.close()

    def raise_failure(self) -> None:
        """Raise what ended the session, if it did not end well."""
        if self._reader.done() and not self._reader.cancelled():
            problem = self._reader.exception()
            if problem is not None:
                raise problem

    def __aiter__(self) -> AsyncIterator[GatewayMessage]:
        """Messages as they come, until the session ends."""
        return self

    async def __anext__(self) -> GatewayMessage:
        """The next message. Raises StopAsyncIteration after a normal end, else why the session ended."""
        while not self._waiting:
            if self.state is State.CLOSED:
                self.raise_failure()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    async def _ask(self, message: Configure | Reset) -> Configured:
        self._check_alive()
        answer: asyncio.Future[Configured] = asyncio.get_running_loop().create_future()
        asked = _Asked(message, self.jam.ticked_frame, answer)
        if self.state is State.OPEN:
            await self._put(asked)
        else:
            self._to_ask.append(asked)
        either: list[asyncio.Future[Configured] | asyncio.Task[None]] = [answer, self._reader]
        done, _ = await asyncio.wait(either, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if answer in done:
            return answer.result()
        answer.cancel()
        self._asked, self._to_ask = (  # so that the next answer is not taken for this one's
            deque(other for other in waiting if other.answer is not answer) for waiting in (self._asked, self._to_ask)
        )
        self._check_alive()
        raise NoAnswer(expected=f"an answer within {ANSWER_TIMEOUT_S:g} s", got="none", advice="try again, or connect to another gateway")

    def _check_alive(self) -> None:
        if self.state is State.CLOSED:
            self.raise_failure()
            raise NotConnected(expected="an open session", got="one that has ended", advice="open a new one with connect()")

    async def _put(self, asked: _Asked) -> None:
        self._asked.append(asked)
        await self._send(asked.message)

    async def _send(self, message: ClientMessage) -> None:
        """Send, or leave it: if the connection is gone the reader notices too, and history makes up for it."""
        try:
            await self._connection.send(encode(message, self._subprotocol))
        except ConnectionClosed:
            return

    async def _send_when_open(self, message: Harmonize) -> None:
        if self.state is State.OPEN:
            await self._send(message)

    def _history(self, frame: int) -> History:
        """The longest history that fits one message (H2, C5), by bisection; most often that is all there is to tell."""
        limits = self.welcome.limits
        message = self.jam.history(frame, 1)
        num_frames = min(frame + 1, MAX_HISTORY_FRAMES, limits.history_frames)
        fitting, too_many = 1, num_frames + 1
        while fitting < num_frames:
            longer = self.jam.history(frame, num_frames)
            if _num_bytes(encode(longer, self._subprotocol)) <= limits.max_message_bytes:
                message, fitting = longer, num_frames
            else:
                too_many = num_frames
            num_frames = (fitting + too_many) // 2
        return message

    async def _read(self) -> None:
        """Take messages until the session ends for good. Raises SidemanError leaves."""
        try:
            while True:
                try:
                    self._take(await self._connection.recv())
                except ConnectionClosed as closed:
                    if self._leaving or close_code(closed) == NORMAL_CLOSE:
                        return
                    if not should_reconnect(close_code(closed)):
                        raise refusal(closed) from None
                    await self._come_back(closed)
        finally:
            self.state = State.CLOSED
            self._news.set()
            asyncio.get_running_loop().call_soon(self._harmonizer.wake)  # when the reader is done, so that it tells why

    def _take(self, data: bytes | str) -> None:
        message = decode(data, self._subprotocol)
        if message is None:
            return
        round_trip_ms = None
        if isinstance(message, Plan | Keep):
            self._attempt = 0
            round_trip_ms = self._round_trip_of(message)
        elif isinstance(message, Harmonized | Error) and self._harmonizer.take(message):
            pass  # nobody else asked for it
        elif isinstance(message, Configured | Error):
            self._answer(message)
        self.jam.receive(message)
        self._waiting.append(message)
        self._news.set()
        if self._on_message is not None:
            self._on_message(message, round_trip_ms)

    def _round_trip_of(self, answer: Plan | Keep) -> float | None:
        """Milliseconds since the answered tick was sent; only plans are reported back (a `keep` can be instant)."""
        sent_at = self._sent_at.pop(answer.seq, None)
        if sent_at is None:
            return None
        round_trip_ms = (asyncio.get_running_loop().time() - sent_at) * 1000.0
        if isinstance(answer, Plan):
            self._round_trip_ms = round_trip_ms
        return round_trip_ms

    def _answer(self, message: Configured | Error) -> None:
        """Settle the oldest question; errors name the message they refuse in `field`, ticks by `seq`."""
        if not self._asked or (isinstance(message, Error) and not _refuses_question(message)):
            return
        asked = self._asked.popleft()
        if isinstance(message, Configured):
            self.jam.follow_settings(message.settings, asked.frame)
            if isinstance(asked.message, Configure):
                self._chosen = _merged(self._chosen, asked.message)
            else:
                self.jam.bar_line = 0  # S4: also if a `configure` before it moved the bar line after `reset` began the new jam
        if asked.answer is None or asked.answer.done():
            return
        if isinstance(message, Configured):
            asked.answer.set_result(message)
        else:
            advice = "change the setting and try again"
            got = f"{message.code}: {message.message}"
            asked.answer.set_exception(SettingRefused(expected="settings the gateway takes", got=got, advice=advice))

    async def _come_back(self, closed: ConnectionClosed) -> None:
        """Open again, with growing pauses, and tell the gateway all it must know (H1). Raises ConnectionLost, ClosedByGateway."""
        self.state = State.RECONNECTING
        self._sent_at.clear()
        problem: SidemanError = refusal(closed)
        while self._attempt < self._backoff.attempts:
            await asyncio.sleep(self._backoff.delay_s(self._attempt, random.random()))
            self._attempt += 1  # back to 0 only when a tick is answered
            try:
                self._connection, self.welcome = await open_session(self.url, self._hello, self._subprotocol)
            except (CannotConnect, ClosedByGateway) as refused:
                if isinstance(refused, ClosedByGateway) and not should_reconnect(refused.code):
                    raise
                problem = refused
                continue
            await self._resume()
            return
        advice = "check the network and the gateway, then start again; the jam so far is in `jam`"
        raise ConnectionLost(expected=f"to come back within {self._backoff.attempts} attempts", got=problem.got, advice=advice)

    async def _resume(self) -> None:
        """Settings first, then the history, then what is still unanswered; ticks go on from here."""
        self._to_ask.extendleft(asked for asked in reversed(self._asked) if asked.answer is not None and not asked.answer.done())
        self._asked.clear()
        if self._chosen == Configure():
            self.jam.follow_settings(self.welcome.settings, None)
        else:
            await self._put(_Asked(self._chosen, None, None))
        frame = len(self.jam.frames) - 1 if self.jam.frames else None
        if frame is None:
            self.jam.seed = self.welcome.seed
        else:
            await self._send(self._history(frame))
        while self._to_ask:
            asked = self._to_ask.popleft()
            await self._put(_Asked(asked.message, frame, asked.answer))
        self.reconnects += 1
        self.state = State.OPEN
        await self._harmonizer.begin_again()


@asynccontextmanager
async def connect(
    url: str,
    *,
    name: str = "",
    token: str = "",
    subprotocol: str = MSGPACK,
    backoff: Backoff | None = None,
    on_message: OnMessage | None = None,
) -> AsyncIterator[SidemanClient]:
    """Open a session and keep it until the block ends, then say `bye`.

    `name` tells the operator what you are. `on_message(message, round_trip_ms)` is called for each message as it comes, after
    `jam` took it; the round trip is None unless it answers a tick. Raises CannotConnect, ClosedByGateway.
    """
    hello = Hello(client=name, token=token)
    client = SidemanClient(url, hello=hello, subprotocol=subprotocol, backoff=backoff or Backoff(), on_message=on_message)
    await client.start()
    try:
        yield client
    finally:
        await client.leave()
    client.raise_failure()


def _num_bytes(data: bytes | str) -> int:
    return len(data.encode()) if isinstance(data, str) else len(data)


def _refuses_question(error: Error) -> bool:
    """Whether an error answers a question; `slow_down` (C5) may have met any message, most likely a tick."""
    if error.code == ErrorCode.SLOW_DOWN:
        return False
    named = error.field.removeprefix("$.").partition(".")[0]
    return error.seq is None and named not in ("tick", "history", "harmonize", "hello", "bye")


def _merged(settings: Configure, change: Configure) -> Configure:
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return msgspec.structs.replace(settings, **given)
