"""Plans: the commit rule, runs, and what sounds when."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.chords import parse_symbol
from schema.plan import (
    ChordPlan,
    Run,
    committed_chords,
    committed_until,
    first_chord_frame,
    plan_frames,
    runs,
    sound,
    values,
)
from schema.tokens import NOTHING, NUM_CHORDS, chord_hold, chord_of, chord_onset, first_break, held, may_follow
from tests.schema_strategies import SOME, grammatical

VECTORS = json.loads((Path(__file__).parents[2] / "schema/vectors/plans.json").read_text())
planned = grammatical(NUM_CHORDS, min_size=1, max_size=24, first_may_hold=True)
any_value = st.integers(0, 2 * NUM_CHORDS)


def value_of_frame(told: dict[str, Any]) -> int:
    """The value behind {"symbol", "onset"} of a vector."""
    chord = parse_symbol(told["symbol"]).chord
    return NOTHING if chord is None else chord_onset(chord) if told["onset"] else chord_hold(chord)


def run_of(told: dict[str, Any]) -> Run:
    return Run(told["start"], told["length"], value_of_frame(told), told["onset"])


def by_name(section: str) -> Any:
    return pytest.mark.parametrize("vector", VECTORS[section], ids=lambda vector: vector["name"])


@by_name("commit")
def test_p2_golden_commit_rule(vector: dict[str, Any]):
    """P1, P2: how far a plan commits, and how many frames it must cover for that."""
    earlier = vector["previous_committed_until"]
    previous = None if earlier is None else ChordPlan(0, earlier, (NOTHING,) * earlier)
    assert committed_until(previous, vector["first_frame"], vector["commit_frames"]) == vector["committed_until"]
    assert plan_frames(previous, vector["first_frame"], vector["lookahead_frames"]) == vector["num_frames"]


@by_name("runs")
def test_p1_golden_runs(vector: dict[str, Any]):
    """P1: frames become runs and runs become the same frames again."""
    frames, told = [value_of_frame(f) for f in vector["frames"]], [run_of(r) for r in vector["runs"]]
    assert runs(frames, vector["first_frame"]) == told
    assert values(told) == frames


@by_name("sounding")
def test_p3_p4_p5_golden_sounding(vector: dict[str, Any]):
    """P3, P4, P5: what sounds in each frame when plans arrive in these frames; the newest that has arrived counts."""
    running = value_of_frame({"symbol": vector["running_before"], "onset": True})
    for frame, expected in enumerate(vector["frames"], start=vector["from_frame"]):
        arrived = [plan for plan in vector["plans"] if plan["arrives_in"] < frame]
        newest = max(arrived, key=lambda plan: plan["seq"], default=None)
        running = sound(None if newest is None else plan_of(newest), frame, running)
        assert running == value_of_frame(expected), frame


def plan_of(told: dict[str, Any]) -> ChordPlan:
    return ChordPlan(told["first_frame"], told["committed_until"], tuple(values(run_of(r) for r in told["chords"])))


@st.composite
def growing_plans(draw: st.DrawFn) -> list[ChordPlan]:
    """Successive plans as a session makes them: committed head kept, the rest free, settings changing all the time."""
    plans: list[ChordPlan] = []
    first, previous, running = 0, None, NOTHING
    for _ in range(draw(st.integers(1, 8))):
        first += draw(st.integers(1, 3))
        lookahead = draw(st.integers(1, 8))
        commit = draw(st.integers(0, lookahead))
        head = committed_chords(previous, first, running)
        free = plan_frames(previous, first, lookahead) - len(head)
        tail = draw(grammatical(NUM_CHORDS, min_size=free, max_size=free)) if free else []
        chords = tuple(head + tail)
        plans.append(ChordPlan(first, committed_until(previous, first, commit), chords))
        previous, running = plans[-1], draw(any_value)
    return plans


@SOME
@given(growing_plans())
def test_p2_committed_chords_never_change(plans: list[ChordPlan]):
    """P2: a committed frame has one chord in every later plan, the commit point never goes back, and plans cover it."""
    promised: dict[int, Any] = {}
    reached = 0
    for plan in plans:
        assert reached <= plan.committed_until <= max(plan.end_frame, plan.first_frame)
        reached = plan.committed_until
        chords = {plan.first_frame + i: chord_of(value) for i, value in enumerate(plan.chords)}
        assert all(promised.get(frame, chord) == chord for frame, chord in chords.items())
        promised |= {frame: chord for frame, chord in chords.items() if frame < plan.committed_until}


@SOME
@given(planned, any_value, st.integers(0, 30), st.integers(0, 24))
def test_committed_head_is_what_will_sound(chords: list[int], running: int, skipped: int, commit: int):
    """P2: the head handed to the next plan is exactly what `sound` plays in those frames, and follows what is running."""
    plan = ChordPlan(10, 10 + min(commit, len(chords)), tuple(chords))
    first = 10 + skipped
    head = committed_chords(plan, first, running)
    assert len(head) == max(0, plan.committed_until - first)
    before = running
    for frame, value in enumerate(head, start=first):
        before = sound(plan, frame, before)
        assert value == before


def test_nothing_committed():
    """Without a plan, or before it begins, nothing is committed."""
    plan = ChordPlan(8, 12, (1, 1 + NUM_CHORDS, 0, 0, 2, 2))
    assert committed_chords(None, 0, NOTHING) == committed_chords(plan, 7, NOTHING) == committed_chords(plan, 12, NOTHING) == []
    assert committed_chords(plan, 9, NOTHING) == [1, 0, 0]
    assert plan.end_frame == 14


@SOME
@given(st.none() | planned.map(lambda chords: ChordPlan(5, 5, tuple(chords))), st.integers(0, 40), any_value)
def test_p5_every_frame_sounds_something_that_may_follow(plan: ChordPlan | None, frame: int, running: int):
    """P4, P5: what sounds obeys the grammar; outside the plan it is the running chord, inside the planned one."""
    value = sound(plan, frame, running)
    assert may_follow(running, value, NUM_CHORDS)
    inside = plan is not None and plan.first_frame <= frame < plan.end_frame
    assert chord_of(value) == chord_of(plan.chords[frame - plan.first_frame] if plan and inside else running)
    if not inside:
        assert value == held(running, NUM_CHORDS)


@SOME
@given(planned, st.integers(0, 1000))
def test_p1_runs_cover_every_frame_once(chords: list[int], first_frame: int):
    """P1: runs adjoin in order from the first frame to the last, and give the chords back."""
    told = runs(chords, first_frame)
    assert values(told) == chords
    assert [run.start for run in told] == [first_frame + sum(r.length for r in told[:i]) for i in range(len(told))]
    assert all(run.length >= 1 for run in told)
    assert sum(run.length for run in told) == len(chords)
    assert not any(run.onset for run in told if chord_of(run.value) is None)
    assert all(run.onset for run in told[1:] if chord_of(run.value) is not None)


@SOME
@given(st.lists(any_value, max_size=20))
def test_runs_lose_nothing_even_of_broken_plans(chords: list[int]):
    """Runs give back any values at all, grammatical or not; grammatical ones have onsets wherever a run begins inside."""
    assert values(runs(chords, 0)) == chords
    if first_break(chords, NUM_CHORDS) is None:
        assert len(runs(chords, 0)) <= 1 + sum(value <= NUM_CHORDS for value in chords)


def test_first_chord_frame():
    """The first frame with a chord, struck or held; None if there is none."""
    assert first_chord_frame([0, 0, 5], 30) == 32
    assert first_chord_frame([NUM_CHORDS + 5], 30) == 30
    assert first_chord_frame([0, 0], 30) is first_chord_frame([], 30) is None
