"""Whether drafts are checked at once: what a check decides, against what it costs on this device. Pure.

A check of K positions decides 1 to K frames exactly. How many depends on the model and the melody, what a call costs on the device:
where a step waits for weights or for a launch a check costs little more, and wins; where a step is bound by arithmetic it loses.
"""

from collections.abc import Mapping

from inference.planner import Bucket

# Frames that a check of so many positions decides on average: RL-M at temperature 1, held-out melodies (`sideman bench drafts`).
FRAMES_A_CHECK = {4: 2.1, 8: 2.5}


def fastest_check(step_s: float, checks_s: Mapping[Bucket, float]) -> Bucket | None:
    """The check that decides most frames a second; None if single steps, of `step_s` each, decide more."""
    paces = {bucket: FRAMES_A_CHECK[bucket.positions] / seconds for bucket, seconds in checks_s.items()}
    best = max(paces, key=lambda bucket: paces[bucket], default=None)
    return best if best is not None and paces[best] > 1 / step_s else None
