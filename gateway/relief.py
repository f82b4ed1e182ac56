"""Doing with less under load, cheapest harm first (P12): how much relief is needed, and what it spares. Pure.

Pressure is the share of plans that have no frame in time: the larger of what the workers say of their last second and what the gateway's
own loop makes late. Not how busy a device is: one that batches is busy long before it is late, because its batches grow. Nor how long plans
take: head first (P11) fills what time there is, and sparing plans makes those that remain dearer, because more of what they go on from is
out of date (docs/roofline.md).

    level    from       what is spared
    NONE
    PACED    5 %        every second plan of players who hold more than a second of plan
    SHORT    15 %       every second plan of everybody, the last quarter of the lookahead; new sessions are refused (C8)
    HOLDING  35 %       plans while half of the one held is still to come
    LAST     60 %       plans while a quarter of the one held is still to come

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
LAG_FREE_MS, LAG_SPAN_MS = 40.0, 15.0  # of the gateway's own delay: what a frame bears, and what more makes every plan late
AMPLE_S = 1.0  # of plan still to come: enough to miss one without hearing it


class Level(IntEnum):
    """How much is spared."""

    NONE = 0
    PACED = 1
    SHORT = 2
    HOLDING = 3
    LAST = 4


THRESHOLDS = {Level.PACED: 0.05, Level.SHORT: 0.15, Level.HOLDING: 0.35, Level.LAST: 0.6}


def pressure(late_shares: Iterable[float], loop_lag_ms: float) -> float:
    """A share, as the thresholds have it: of the worst worker, or what the gateway's own delay makes late."""
    return max(min(1.0, max(0.0, loop_lag_ms - LAG_FREE_MS) / LAG_SPAN_MS), *late_shares, 0.0)


class Relief:
    """The level, from pressure seen now and then."""

    def __init__(self) -> None:
        self.level = Level.NONE
        self.crowded = False  # the workers have hardly a slot left
        self._above_since: float | None = None
        self._below_since: float | None = None
        self._worst = Level.NONE  # needed since then

    @property
    def refuses_new(self) -> bool:
        """Whether who does not play yet has to wait outside."""
        return self.crowded or self.level >= Level.SHORT

    def observe(self, pressure: float, now: float) -> None:
        """Take the pressure of the last second; at most one level up."""
        wanted = max((level for level, threshold in THRESHOLDS.items() if pressure >= threshold), default=Level.NONE)
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
