"""Plans: the commit rule, runs of chords, and what sounds when a plan is late. Pure.

A plan gives every frame of [first_frame, end_frame) exactly one chord value. Its head [first_frame, committed_until)
will not be changed by any later plan; everything behind that may.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schema.tokens import NOTHING, NUM_CHORDS, held, is_onset, sounded


class ChordPlan(NamedTuple):
    """Chord values of consecutive frames, committed part first."""

    first_frame: int
    committed_until: int
    chords: tuple[int, ...]

    @property
    def end_frame(self) -> int:
        """First frame the plan says nothing about."""
        return self.first_frame + len(self.chords)


class Run(NamedTuple):
    """Frames [start, start + length) of one chord; `onset` is False if the chord was already running before."""

    start: int
    length: int
    value: int  # chord value of the first frame
    onset: bool


def committed_until(previous: ChordPlan | None, first_frame: int, commit_frames: int) -> int:
    """The commit rule: a plan for n commits frames below n + C, and nothing committed before is ever given back."""
    earlier = previous.committed_until if previous is not None else 0
    return max(earlier, first_frame + commit_frames)


def plan_frames(previous: ChordPlan | None, first_frame: int, lookahead_frames: int) -> int:
    """Frames a new plan must cover: the lookahead, and at least all that is committed already."""
    earlier = previous.committed_until if previous is not None else 0
    return max(lookahead_frames, earlier - first_frame)


def committed_chords(previous: ChordPlan | None, first_frame: int, running: int) -> list[int]:
    """The chords of [first_frame, previous.committed_until) as they will sound after `running`; empty if nothing is committed."""
    if previous is None or first_frame < previous.first_frame:
        return []
    head = previous.chords[first_frame - previous.first_frame : previous.committed_until - previous.first_frame]
    return sounded(head, running, NUM_CHORDS)


def sound(plan: ChordPlan | None, frame: int, running: int) -> int:
    """What sounds in `frame` under `plan` after `running`; without a planned chord the running one continues."""
    if plan is None or not plan.first_frame <= frame < plan.end_frame:
        return held(running, NUM_CHORDS)
    return sounded([plan.chords[frame - plan.first_frame]], running, NUM_CHORDS)[0]


def runs(values: Sequence[int], first_frame: int) -> list[Run]:
    """Consecutive frames of one chord together; every frame lies in exactly one run."""
    result: list[Run] = []
    for offset, value in enumerate(values):
        if result and value == held(result[-1].value, NUM_CHORDS):
            last = result[-1]
            result[-1] = last._replace(length=last.length + 1)
        else:
            result.append(Run(first_frame + offset, 1, value, is_onset(value, NUM_CHORDS)))
    return result


def values(chord_runs: Iterable[Run]) -> list[int]:
    """The values of adjoining runs, frame by frame: the inverse of `runs`."""
    result: list[int] = []
    for run in chord_runs:
        result.append(run.value)
        result += [held(run.value, NUM_CHORDS)] * (run.length - 1)
    return result


def first_chord_frame(chords: Sequence[int], first_frame: int) -> int | None:
    """The first frame with a chord, or None."""
    return next((first_frame + i for i, value in enumerate(chords) if value != NOTHING), None)
