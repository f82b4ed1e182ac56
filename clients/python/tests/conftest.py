"""A small gateway for the client's tests: it speaks the protocol and plans by a fixed rule. Shell."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sideman_client.generated.messages import (
    SUBPROTOCOLS,
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
    Keep,
    Limits,
    Plan,
    Reset,
    Settings,
    Tick,
    Timing,
    Welcome,
)

LOOKAHEAD_FRAMES, COMMIT_FRAMES, BAR_FRAMES = 16, 8, 16
CHORDS = {"C": [36, 52, 55, 60], "G": [43, 55, 59, 62]}
LIMITS = Limits(16384, 40.0, 40, 64, 1024)


class Gateway:
    """Answers every tick from the end of the silence on: C in even bars, G in odd ones. Switches change that."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[list[ClientMessage]] = []  # what each client said, connection by connection
        self.news = asyncio.Condition()
        self.close_on_hello: list[tuple[int, str]] = []  # used up one per connection
        self.close_at_tick: dict[int, tuple[int, str]] = {}  # frame -> close, used up
        self.keep_at_tick: dict[int, str] = {}  # frame -> reason
        self.before_answer: Callable[[ClientMessage], list[GatewayMessage | bytes]] = lambda message: []
        self.harmonize_refused: list[GatewayMessage] = []  # what a `harmonize` gets instead of chords
        self.close_on_harmonize: list[tuple[int, str]] = []  # used up one by one
        self.max_message_bytes = 16384
        self.may_welcome = asyncio.Event()
        self.may_welcome.set()
        self.silent_about: tuple[type, ...] = ()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something to be true of what was received."""
        async with self.news:
            await self.news.wait_for(happened)

    async def serve(self, connection: ServerConnection) -> None:
        said: list[ClientMessage] = []
        self.connections.append(said)
        settings = Settings(model="toy")
        binary = connection.subprotocol == SUBPROTOCOLS[0]
        codec = msgspec.msgpack if binary else msgspec.json
        try:
            async for data in connection:
                message: ClientMessage = codec.decode(data, type=ClientMessage)
                said.append(message)
                async with self.news:
                    self.news.notify_all()
                close = self._close(message)
                if close is not None:
                    await connection.close(*close)
                    return
                if isinstance(message, Hello):
                    await self.may_welcome.wait()
                if isinstance(message, Configure) and message.model in (None, "toy"):
                    given = {name: value for name, value in msgspec.structs.asdict(message).items() if value is not None}
                    settings = msgspec.structs.replace(settings, **given)
                for answer in [*self.before_answer(message), *self._answers(message, settings, len(self.connections))]:
                    raw = answer if isinstance(answer, bytes) else codec.encode(answer)
                    await connection.send(raw if binary else raw.decode())
        except ConnectionClosed:
            return

    def _close(self, message: ClientMessage) -> tuple[int, str] | None:
        if isinstance(message, Hello) and self.close_on_hello:
            return self.close_on_hello.pop(0)
        if isinstance(message, Tick):
            return self.close_at_tick.pop(message.frame, None)
        if isinstance(message, Harmonize) and self.close_on_harmonize:
            return self.close_on_harmonize.pop(0)
        return (1000, "bye") if isinstance(message, Bye) else None

    def _answers(self, message: ClientMessage, settings: Settings, number: int) -> list[GatewayMessage]:
        if isinstance(message, self.silent_about):
            return []
        if isinstance(message, Hello):
            limits = msgspec.structs.replace(LIMITS, max_message_bytes=self.max_message_bytes)
            return [Welcome(f"session {number}", 100 + number, 1, ["toy"], Settings(model="toy"), limits)]
        if isinstance(message, Configure) and message.model not in (None, "toy"):
            return [Error("unknown_model", "no such model here", field="$.configure.model")]
        if isinstance(message, Configure | Reset):
            return [Configured(settings, 0)]
        if isinstance(message, Harmonize):
            return self.harmonize_refused or harmonized(message)
        if isinstance(message, Tick):
            return [self._answer(message, settings.silence_beats * 4)]
        return []

    def _answer(self, tick: Tick, silence_frames: int) -> GatewayMessage:
        if tick.frame in self.keep_at_tick:
            return Keep(tick.seq, self.keep_at_tick[tick.frame])
        if tick.frame + 1 < silence_frames - 4:  # P7
            return Keep(tick.seq, "listening")
        first = tick.frame + 1
        runs = [chord_of(frame, silence_frames) for frame in range(first, first + LOOKAHEAD_FRAMES)]
        joined: list[ChordRun] = []
        for run in runs:
            if joined and not run.onset and joined[-1].symbol == run.symbol:
                joined[-1] = msgspec.structs.replace(joined[-1], length=joined[-1].length + 1)
            else:
                joined.append(run)
        return Plan(tick.seq, first, first + COMMIT_FRAMES, joined, Timing(0.1, 0.0, 0.1, 1, 1.0, 1))


def harmonized(message: Harmonize) -> list[GatewayMessage]:
    """In two parts: what was given, then a chord a bar, C and G in turn from the stretch's own beginning."""
    given = [ChordRun(run.start, run.length, run.symbol, [], run.onset) for run in message.chords]
    known = sum(run.length for run in message.chords)
    starts = [known, *range(known - known % BAR_FRAMES + BAR_FRAMES, message.frames, BAR_FRAMES)]
    ends = [*starts[1:], message.frames]
    free = [
        ChordRun(a, b - a, "CG"[a // BAR_FRAMES % 2], CHORDS["CG"[a // BAR_FRAMES % 2]], True) for a, b in zip(starts, ends, strict=True)
    ]
    half = len(free) // 2
    middle = free[half].start
    return [
        Harmonized(message.seq, 0, middle, message.frames, [*given, *free[:half]]),
        Harmonized(message.seq, middle, message.frames, message.frames, free[half:]),
    ]


def chord_of(frame: int, silence_frames: int) -> ChordRun:
    """The rule: N in the silence, then C in even bars and G in odd ones, struck where it begins."""
    if frame < silence_frames:
        return ChordRun(frame, 1, "N", [], False)
    symbol = "CG"[frame // BAR_FRAMES % 2]
    return ChordRun(frame, 1, symbol, CHORDS[symbol], frame % BAR_FRAMES == 0 or frame == silence_frames)


@asynccontextmanager
async def open_gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    async with serve(gateway.serve, "127.0.0.1", 0, subprotocols=list(SUBPROTOCOLS), max_size=LIMITS.max_message_bytes) as server:
        gateway.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with open_gateway() as running:
        yield running
