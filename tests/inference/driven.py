"""A scheduler and an engine whose every answer can be checked by hand, driven call by call. Pure."""

import msgspec

from inference.planner import Bucket
from inference.scheduler import Scheduler
from inference.toy_engine import ToyEngine
from tests.inference.jams import Move

BUCKETS = (Bucket(1, 1, 4), Bucket(2, 1, 1), Bucket(4, 1, 1), Bucket(4, 1, 4), Bucket(2, 4, 1), Bucket(2, 16, 1))
CHECKS = (Bucket(1, 4, 4, True), Bucket(2, 8, 8, True))
CALL_S = 0.001


class Device:
    """A scheduler and its engine, driven call by call."""

    def __init__(self, slots=4, buckets=BUCKETS, *, offline=False):
        self.scheduler, self.engine = Scheduler(slots, buckets, offline=offline), ToyEngine(slots, offline=offline)

    def call(self, now=0.0):
        """One batch: its sessions in order and its replies."""
        batch, replies = self.scheduler.schedule(now)
        if batch is not None:
            replies = replies + self.scheduler.complete(batch, self.engine.run(batch.works, batch.bucket), CALL_S, now + CALL_S)
        return [row.progress.request.session for row in batch.rows] if batch else [], replies

    def drain(self):
        replies = []
        while not self.scheduler.idle:
            replies += self.call()[1]
        return replies


def asked(jam, move=None, slack_ms=100.0):
    return msgspec.structs.replace(jam.ask(move or Move()), slack_ms=slack_ms)
