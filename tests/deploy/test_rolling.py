"""A new release without a gap: the next gateway is there before this one leaves, the next worker likewise, and nobody hears it.

Real processes: gateways on one port, workers with a cheap engine, players in real time.
"""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack

import pytest

from sideman_client.client import connect
from sideman_client.generated.messages import Configure, Moving, NoteEvent, Plan
from tests.deploy.houses import gateway, toy_worker

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs SO_REUSEPORT as Linux has it")]

PLAYERS = 4
SETTINGS = Configure(bpm=75.0, silence_beats=1, commit_beats=2, lookahead_beats=8)  # a frame is 200 ms, a plan 6.4 s
FRAME_S = 0.2
NUM_FRAMES = 60
LEAVE_FRAME = 20


class Player:
    """Plays in real time; what it was told, and every chord that was promised to it."""

    def __init__(self):
        self.moved = 0
        self.promised = {}
        self.broken = []
        self.reconnects = 0
        self.unplanned = None
        self.plans_late_in_the_jam = 0

    def hear(self, message, _round_trip_ms):
        self.moved += isinstance(message, Moving)
        if isinstance(message, Plan):
            self.plans_late_in_the_jam += message.first_frame > NUM_FRAMES - 8
            symbols = {frame: run.symbol for run in message.chords for frame in range(run.start, run.start + run.length)}
            self.broken += [frame for frame, symbol in self.promised.items() if symbols.get(frame, symbol) != symbol]
            self.promised |= {frame: symbol for frame, symbol in symbols.items() if frame < message.committed_until}

    async def play(self, url, everybody, at_leave):
        """Wait until everybody is there, then play; `at_leave` is called in a frame in the middle."""
        loop = asyncio.get_running_loop()
        async with connect(url, name="sideman play", on_message=self.hear) as client:
            await client.configure(SETTINGS)
            await everybody()
            start = loop.time()
            for frame in range(NUM_FRAMES):
                await asyncio.sleep(start + frame * FRAME_S - loop.time())  # the player's clock: real time is what is tested
                if frame == LEAVE_FRAME:
                    at_leave()
                if frame % 2:
                    client.jam.note(NoteEvent(frame - 1, 60 + 7 * frame % 12, True))
                await client.send_tick(frame)
            self.unplanned = [sounding.frame for sounding in client.jam.frames[LEAVE_FRAME:] if not sounding.planned]
            self.reconnects = client.reconnects


def check(players):
    assert [player.unplanned for player in players] == [[]] * PLAYERS, "frames without a plan"
    assert [player.broken for player in players] == [[]] * PLAYERS, "promised chords that changed"
    assert all(player.plans_late_in_the_jam for player in players)


async def test_the_next_gateway_takes_over_without_a_gap(tmp_path):
    """C9: the players get `moving` and 1012 from the one, and come back to the other on the same port.

    The next one comes when all players have: while both listen, the kernel spreads new connections over them.
    """
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(toy_worker(tmp_path / "worker.sock"))
        together = {"SIDEMAN_REUSE_PORT": "1"}
        old = await stack.enter_async_context(gateway([worker.socket], environment=together))
        connected = asyncio.Barrier(PLAYERS + 1)
        there = asyncio.Event()

        async def everybody():
            await connected.wait()
            await there.wait()

        def leave():
            if old.process.returncode is None:
                old.process.send_signal(signal.SIGTERM)

        players = [Player() for _ in range(PLAYERS)]
        playing = [asyncio.create_task(player.play(old.url, everybody, leave)) for player in players]
        await connected.wait()
        await stack.enter_async_context(gateway([worker.socket], port=old.port, environment=together))
        there.set()
        await asyncio.gather(*playing)
        assert await old.process.wait() == 0
    check(players)
    assert [(player.moved, player.reconnects) for player in players] == [(1, 1)] * PLAYERS


async def test_the_next_worker_takes_over_without_a_gap(tmp_path):
    """The worker that leaves says so, answers what it has, and ends with 0; no plan is missed."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(toy_worker(tmp_path / f"{name}.sock")) for name in ("old", "new")]
        house = await stack.enter_async_context(gateway([worker.socket for worker in workers]))
        everybody = asyncio.Barrier(PLAYERS).wait

        def leave():
            if workers[0].process.returncode is None:
                workers[0].process.send_signal(signal.SIGTERM)

        players = [Player() for _ in range(PLAYERS)]
        await asyncio.gather(*(player.play(house.url, everybody, leave) for player in players))
        assert await workers[0].process.wait() == 0
    check(players)
    assert [player.reconnects for player in players] == [0] * PLAYERS
