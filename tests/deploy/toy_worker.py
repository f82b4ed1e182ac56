"""A worker whose engine takes the time it is told to, for faults that can be set: `python -m tests.deploy.toy_worker`. Shell.

All but the engine is the real worker: socket, device thread, scheduler, metrics.
"""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from inference.loop import Resident
from inference.planner import Bucket, Decision
from inference.server import Worker, serve
from inference.toy_engine import ToyEngine
from schema.engine_messages import OFFLINE, ModelInfo
from schema.tokens import NUM_CHORDS, NUM_PITCHES, value_of

BUCKETS = (Bucket(8, 1, 1), Bucket(8, 1, 4), Bucket(8, 4, 1), Bucket(2, 64, 1))
POSITION_S = 0.001  # what feeding a position takes beyond a step
RSS_BYTES = 50_000_000


class SlowEngine(ToyEngine):
    """Holds its first chord for ever and takes its time about it; cheap, so that several fit on a small machine."""

    def __init__(self, slots: int, call_s: float, *, offline: bool = False) -> None:
        super().__init__(slots, offline=offline)
        self._call_s = call_s

    def run(self, works, bucket):
        """Decide, and take as long as a device would."""
        time.sleep(self._call_s * bucket.decisions + POSITION_S * (bucket.positions - 1))
        return [self._decided(work) for work in works]

    def _decided(self, work):
        chord, melody = work.chords[-1], work.melody[-1]
        decided = []
        for index in range(work.decisions):
            chord = work.given_chords[index] if index < len(work.given_chords) else value_of(1 if chord else 2, chord, NUM_CHORDS)
            melody = work.given_melody[index] if index < len(work.given_melody) else value_of(1 if melody else 0, melody, NUM_PITCHES)
            decided.append(Decision(chord, melody, (0, 62, 66)))
        return decided


async def main() -> None:
    """Serve until standard input closes, or SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--call-ms", type=float, required=True)
    given = parser.parse_args()
    call_s = given.call_ms / 1000.0
    live = Resident(ModelInfo("toy", "Online", 0.8), SlowEngine(given.slots, call_s), BUCKETS)
    whole = Resident(ModelInfo("toy-offline", OFFLINE, 0.8), SlowEngine(4, call_s, offline=True), BUCKETS)
    worker = Worker([live, whole], lambda: RSS_BYTES)
    worker.start()
    server = await serve(worker, given.socket)
    print(worker.show_metrics("127.0.0.1", 0), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await worker.leave()
    server.close()
    worker.stop()


if __name__ == "__main__":
    asyncio.run(main())
