"""`python -m sideman.load_generator`: one process of players for `sideman bench load`. Shell.

Standard input: a Job; once this process has said `ready` on standard output, the moment to start; and a last line when it has been
measured and may go. Standard output, at the end: Takings. A thread keeps time, because timers of an event loop know only whole
milliseconds; everything else happens on the loop. Each session is an honest client of the protocol: its musical state is the SDK's
`Jam`, its connection is opened as the SDK does.
"""

import asyncio
import os
import sys
import time
from contextlib import suppress
from typing import Self

import msgspec
import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sideman.load import Job, Part, Round, Takings, schedule
from sideman_client.codec import MSGPACK, decode, encode
from sideman_client.errors import SettingRefused, SidemanError
from sideman_client.generated.messages import Bye, Configured, Error, GatewayMessage, Hello, Keep, Plan
from sideman_client.jam import Jam
from sideman_client.opening import open_session

LAST_ANSWERS_S = 2.0  # a tick not answered so long after the end of the run never will be
LEAVING_S = 2.0


class Session:
    """One player."""

    def __init__(self, part: Part, connection: ClientConnection, jam: Jam) -> None:
        self.jam = jam
        self.rounds: list[Round] = []
        self._unanswered: dict[int, Round] = {}
        self.lost = False
        self._connection = connection
        self._events = part.events[::-1]
        self._start_s = 0.0
        self._round_trip_ms: float | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._leaving = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, job: Job, part: Part) -> Self:
        """Hello, settings, and then all is ready for the first tick. Raises SidemanError leaves."""
        connection, welcome = await open_session(job.url, Hello(client="sideman bench load"), MSGPACK)
        settings = msgspec.structs.replace(job.settings, beats_per_bar=part.beats_per_bar)
        await connection.send(encode(settings, MSGPACK))
        answer = decode(await connection.recv(), MSGPACK)
        if not isinstance(answer, Configured):
            got = answer.message if isinstance(answer, Error) else type(answer).__name__
            raise SettingRefused(expected="settings the gateway takes", got=got, advice="choose others")
        jam = Jam(answer.settings)
        jam.seed = welcome.seed
        return cls(part, connection, jam)

    def begin(self, start_s: float) -> None:
        """All moments count from here."""
        self._start_s = start_s

    def tick(self, due_s: float) -> None:
        """The next frame begins, or should have begun, at this moment after the start; whatever the answers do."""
        frame = len(self.jam.frames)
        while self._events and self._events[-1].frame < frame:
            self.jam.note(self._events.pop())
        sounding = self.jam.begin_frame(frame)
        unplanned = not sounding.planned and frame >= max(1, self.jam.silence_frames)
        played = Round(due_s, late=sounding.late, unplanned=unplanned)
        self.rounds.append(played)
        if self.lost:
            return
        message = self.jam.tick(frame, self._round_trip_ms)
        self._round_trip_ms = None
        self._unanswered[message.seq] = played
        self._settled.clear()
        sending = asyncio.create_task(self._send(encode(message, MSGPACK), played))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def last_answers(self) -> None:
        """Wait until every tick is answered, but no longer than is of use."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS_S):
                await self._settled.wait()

    async def leave(self) -> None:
        """Say `bye` and wait a moment for the close."""
        self._leaving = True
        if not self.lost:
            with suppress(ConnectionClosed):
                await self._connection.send(encode(Bye(), MSGPACK))
            await asyncio.wait([self._reading], timeout=LEAVING_S)
        await self._connection.close()
        await self._reading

    def _since_due_ms(self, played: Round) -> float:
        return (time.monotonic() - self._start_s - played.due_s) * 1000.0

    async def _send(self, data: bytes | str, played: Round) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed:
            return
        played.lag_ms = self._since_due_ms(played)

    async def _read(self) -> None:
        try:
            while True:
                message = decode(await self._connection.recv(), MSGPACK)
                if message is not None:
                    self._take(message)
        except ConnectionClosed:
            self.lost = not self._leaving
            self._settled.set()

    def _take(self, message: GatewayMessage) -> None:
        """Note the answer to a tick, then let the jam have it."""
        seq = message.seq if isinstance(message, Plan | Keep | Error) else None
        played = self._unanswered.pop(seq, None) if seq is not None else None
        if played is not None:
            played.round_trip_ms = self._since_due_ms(played)
            played.answer = _kind(message)
            if not self._unanswered:
                self._settled.set()
            if isinstance(message, Plan):
                self._round_trip_ms, played.timing = played.round_trip_ms, message.timing
        self.jam.receive(message)


def _kind(message: GatewayMessage) -> str:
    match message:
        case Keep(reason=reason):
            return f"keep {reason}"
        case Error(code=code):
            return f"error {code}"
        case _:
            return "plan"


def keep_time(loop: asyncio.AbstractEventLoop, sessions: list[Session], job: Job, start_s: float) -> None:
    """Hand every tick to the loop at the moment it is due, never earlier; returns after the last. Runs in a thread of its own."""
    for due_s, number in schedule([part.join_s for part in job.parts], job.frame_s, job.warm_up_s + job.seconds):
        time.sleep(max(0.0, start_s + due_s - time.monotonic()))
        loop.call_soon_threadsafe(sessions[number].tick, due_s)


async def play(job: Job) -> Takings:
    """Open all sessions, play them when told, and leave when told. Raises SidemanError leaves."""
    sessions = []
    for part in job.parts:
        sessions.append(await Session.open(job, part))
        await asyncio.sleep(job.opening_pause_s)
    print("ready", flush=True)
    start_s = float(await asyncio.to_thread(_told))
    enough = asyncio.create_task(asyncio.to_thread(_told))
    for session in sessions:
        session.begin(start_s)
    await asyncio.to_thread(keep_time, asyncio.get_running_loop(), sessions, job, start_s)
    await asyncio.gather(*(session.last_answers() for session in sessions))
    await enough
    lost = sum(session.lost for session in sessions)
    await asyncio.gather(*(session.leave() for session in sessions))
    measured = [played for session in sessions for played in session.rounds if played.due_s >= job.warm_up_s]
    return Takings(sessions[0].jam.settings, measured, lost)


def _told() -> str:
    """The next line of the parent; if it has died, so does this process, whatever it is in."""
    return sys.stdin.readline() or os._exit(1)


def main() -> int:
    """One run; 2 after a sentence that says what to mend."""
    try:
        takings = uvloop.run(play(msgspec.json.decode(sys.stdin.readline(), type=Job)))
    except SidemanError as problem:
        print(f"sideman bench load: {problem}", file=sys.stderr)
        return 2
    except msgspec.DecodeError:  # the parent died before it said what to do
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(takings))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
