"""Doing with less under load, cheapest harm first (P12): how much relief is needed, and what it spares. Pure.

Pressure is how long the first frame of a plan takes: the larger of what the workers say of their last second and, doubled because it comes
on top of everything, how late the gateway's own loop is. Not how busy a device is: one that batches is busy long before it is late, because
its batches grow. Nor how long whole plans take: of the 92 ms that a worker has at 120 BPM head first (P11) fills what there is, and sparing
plans makes those that remain dearer, because more of what they go on from is out of date (docs/roofline.md).

    level    from       what is spared
    NONE
    PACED    80 ms      every second plan of players who hold more than a second of plan
    SHORT    86 ms      every second plan of everybody, the last quarter of the lookahead; new sessions are refused (C8)
    HOLDING  92 ms      plans while half of the one held is still to come
    LAST     98 ms      plans while a quarter of the one held is still to come

One level up after a second above its threshold; down after ten seconds below it, to what the worst of these ten seconds needs: harm comes
and goes slowly, never from plan to plan. What is committed is never touched, and nobody who plays is sent away.
"""

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from gateway.planning import Situation
from schema.client_messages import Settings
from schema.grid import FRAMES_PER_BEAT, frame_seconds

UP_AFTER_S, DOWN_AFTER_S = 1.0, 10.0
LAG_WEIGHT = 2.0  # of the gateway's own delay, beside that of workers
AMPLE_S = 1.0  # of plan still to come: enough to miss one without hearing it


class Level(IntEnum):
    """How much is spared."""

    NONE = 0
    PACED = 1
    SHORT = 2
    HOLDING = 3
    LAST = 4


THRESHOLDS_MS = {Level.PACED: 80.0, Level.SHORT: 86.0, Level.HOLDING: 92.0, Level.LAST: 98.0}


def pressure(worker_waits_ms: Iterable[float], loop_lag_ms: float) -> float:
    """Milliseconds, as the thresholds have them."""
    return max(0.0, LAG_WEIGHT * loop_lag_ms, *worker_waits_ms)


class Relief:
    """The level, from pressure seen now and then."""

    def __init__(self) -> None:
        self.level = Level.NONE
        self._above_since: float | None = None
        self._below_since: float | None = None
        self._worst = Level.NONE  # needed since then

    @property
    def refuses_new(self) -> bool:
        """Whether who does not play yet has to wait outside."""
        return self.level >= Level.SHORT

    def observe(self, pressure_ms: float, now: float) -> None:
        """Take the pressure of the last second; at most one level up."""
        wanted = max((level for level, threshold in THRESHOLDS_MS.items() if pressure_ms >= threshold), default=Level.NONE)
        self._above_since = (self._above_since if self._above_since is not None else now) if wanted > self.level else None
        self._worst = max(wanted, self._worst if self._below_since is not None else wanted)
        self._below_since = (self._below_since if self._below_since is not None else now) if wanted < self.level else None
        if self._above_since is not None and now - self._above_since >= UP_AFTER_S:
            self.level = Level(self.level + 1)
            self._above_since = now
        elif self._below_since is not None and now - self._below_since >= DOWN_AFTER_S:
            self.level, self._below_since = self._worst, None


def is_spared(level: Level, situation: Situation) -> bool:
    """Whether this tick gets `keep`/`busy`: the plan held says more than the next frame, and by the level that is enough."""
    held = situation.previous
    if level is Level.NONE or held is None:
        return False
    to_come = held.plan.end_frame - situation.first_frame
    if to_come < 2:
        return False
    lookahead = situation.settings.lookahead_beats * FRAMES_PER_BEAT
    match level:
        case Level.LAST:
            return 4 * to_come > lookahead
        case Level.HOLDING:
            return 2 * to_come > lookahead
        case _:
            just_planned = held.plan.first_frame == situation.first_frame - 1
            ample = to_come * frame_seconds(situation.settings.bpm) > AMPLE_S
            return just_planned and (ample or level is Level.SHORT)


def relieved(level: Level, settings: Settings) -> Settings:
    """The settings to plan by: under load a quarter less lookahead, in whole beats, but never less than is committed."""
    if level < Level.SHORT:
        return settings
    beats = max(1, settings.commit_beats, settings.lookahead_beats - -(-settings.lookahead_beats // 4))
    return msgspec.structs.replace(settings, lookahead_beats=beats)
