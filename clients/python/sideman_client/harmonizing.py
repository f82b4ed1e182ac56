"""Whole melodies over one session: stretches out, parts in, once more after a lost connection. Shell."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sideman_client.errors import HarmonizeRefused, NoAnswer
from sideman_client.generated.messages import ChordRun, Error, Harmonize, Harmonized
from sideman_client.stretches import Stretches

PART_TIMEOUT_S = 60.0  # without any part

OnProgress = Callable[[int, int], None]  # frames decided, frames in all


@dataclass
class _Stretch:
    """A message that several `harmonized` or one `error` will answer."""

    message: Harmonize
    begin: int  # its first frame in the melody
    answer: asyncio.Future[list[ChordRun]]
    chords: list[ChordRun] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Harmonizer:
    """The harmonizations of one client, one after the other."""

    def __init__(self, send: Callable[[Harmonize], Awaitable[None]], check_alive: Callable[[], None]) -> None:
        """`send` does nothing while the connection is being restored; `check_alive` raises why the session ended, if it did."""
        self._send = send
        self._check_alive = check_alive
        self._lock = asyncio.Lock()
        self._seq = 0
        self._stretch: _Stretch | None = None
        self._report: OnProgress | None = None

    async def harmonize(self, stretches: Stretches, report: OnProgress | None) -> list[ChordRun]:
        """All chords, frames counted from the beginning of the melody. Raises HarmonizeRefused, NoAnswer, or why the session ended."""
        async with self._lock:
            self._report = report
            while not stretches.done:
                self._seq += 1
                message = stretches.message(self._seq)
                stretches.take(await self._ask(message, stretches.begin, stretches.num_frames))
            return stretches.chords

    def take(self, message: Harmonized | Error) -> bool:
        """Take a part or a refusal; whether it was meant."""
        stretch = self._stretch
        if stretch is None or message.seq != stretch.message.seq or stretch.answer.done():
            return False
        if isinstance(message, Error):
            if not message.field.startswith("$.harmonize"):
                return False
            advice = "send it again in a few seconds" if message.retry else "mend the melody, or use a gateway with an offline model"
            got = f"{message.code}: {message.message}"
            stretch.answer.set_exception(HarmonizeRefused(expected="chords for the melody", got=got, advice=advice))
        else:
            stretch.chords += message.chords
            if message.until >= message.frames:
                stretch.answer.set_result(stretch.chords)
        stretch.news.set()
        return True

    async def begin_again(self) -> None:
        """On a new connection: ask once more for what was under way."""
        if self._stretch is not None:
            self._stretch.chords.clear()
            await self._send(self._stretch.message)

    def wake(self) -> None:
        """The session has ended: whoever waits looks again."""
        if self._stretch is not None:
            self._stretch.news.set()

    async def _ask(self, message: Harmonize, begin: int, num_frames: int) -> list[ChordRun]:
        self._check_alive()
        stretch = self._stretch = _Stretch(message, begin, asyncio.get_running_loop().create_future())
        try:
            await self._send(message)
            while not stretch.answer.done():
                try:
                    await asyncio.wait_for(stretch.news.wait(), PART_TIMEOUT_S)
                except TimeoutError:
                    got = f"nothing for {PART_TIMEOUT_S:g} s"
                    raise NoAnswer(expected="chords for the melody", got=got, advice="try again, or use another gateway") from None
                stretch.news.clear()
                self._check_alive()
                if self._report is not None and stretch.chords:
                    last = stretch.chords[-1]
                    self._report(begin + last.start + last.length, num_frames)
            return stretch.answer.result()
        finally:
            stretch.answer.cancel()
            self._stretch = None
