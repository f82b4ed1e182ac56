"""Doing with less under load: the ladder goes up and down slowly, and spares what is heard least (P12)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jam import Jam, Planned
from gateway.planning import Situation
from gateway.relief import LAG_FREE_MS, LAG_SPAN_MS, THRESHOLDS, Level, Relief, is_spared, pressure, relieved
from schema.client_messages import Settings
from schema.plan import ChordPlan

FRAME = 40


def situation(to_come, *, planned_frames_ago=1, **settings):
    """The tick of frame 40 wants a plan from 41 on; the plan held was for so many frames before, and says so much behind that."""
    first = FRAME + 1 - planned_frames_ago
    plan = ChordPlan(first, first, (0,) * (planned_frames_ago + to_come))
    return Situation(Jam(FRAME), Planned(1, plan, (), ()), Settings(**settings), 0, 0)


def climb(relief, pressed, seconds, start=0.0):
    for tenth in range(int(seconds * 10) + 1):
        relief.observe(pressed, start + tenth / 10)
    return relief.level


def test_without_pressure_nothing_is_spared():
    relief = Relief()
    assert climb(relief, 0.049, 60.0) is Level.NONE
    assert not relief.refuses_new
    assert not is_spared(Level.NONE, situation(15))


@pytest.mark.parametrize(("level", "threshold"), THRESHOLDS.items())
def test_each_level_has_its_threshold_and_is_reached_one_second_at_a_time(level, threshold):
    relief = Relief()
    seen = []
    for tenth in range(100):
        relief.observe(threshold, tenth / 10)
        seen.append(relief.level)
    assert [seen.index(Level(step)) for step in range(1, level + 1)] == [10 * step for step in range(1, level + 1)]
    assert seen[-1] is level
    assert relief.refuses_new == (level >= Level.SHORT)


def test_a_short_burst_changes_nothing_and_relief_goes_after_ten_quiet_seconds():
    relief = Relief()
    relief.observe(1.0, 0.0)
    relief.observe(0.0, 0.5)
    relief.observe(1.0, 0.9)
    assert climb(relief, 1.0, 1.0, start=1.0) is Level.PACED
    assert climb(relief, 0.0, 9.8, start=2.1) is Level.PACED
    relief.observe(THRESHOLDS[Level.PACED], 12.0)  # neither more nor less is needed: the ten seconds begin anew
    assert climb(relief, 0.0, 9.8, start=12.1) is Level.PACED
    relief.observe(0.0, 22.2)
    assert relief.level is Level.NONE


def test_relief_falls_to_what_the_worst_of_ten_seconds_needs():
    relief = Relief()
    assert climb(relief, 1.0, 4.0) is Level.LAST
    assert climb(relief, 0.0, 9.0, start=4.1) is Level.LAST
    relief.observe(THRESHOLDS[Level.SHORT], 13.2)
    relief.observe(0.0, 14.2)
    assert relief.level is Level.SHORT
    assert climb(relief, 0.0, 10.2, start=14.3) is Level.NONE


def test_pressure_is_of_the_worst_worker_or_what_the_gateways_own_delay_makes_late():
    assert pressure([], 0.0) == 0.0
    assert pressure([0.1, 0.4], LAG_FREE_MS) == 0.4
    assert pressure([0.1, 0.4], LAG_FREE_MS + 0.5 * LAG_SPAN_MS) == 0.5
    assert pressure([], 1000.0) == 1.0


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0, 1)), max_size=60))
def test_the_level_rises_by_one_a_second_and_falls_after_ten(steps):
    relief, now, changed_at = Relief(), 0.0, -10.0
    for pause, pressed in steps:
        now, before = now + pause, relief.level
        relief.observe(pressed, now)
        assert relief.level <= before + 1
        if relief.level > before:
            assert now - changed_at >= 1.0 or before == Level.NONE
        elif relief.level < before:
            assert now - changed_at >= 10.0
        changed_at = changed_at if relief.level == before else now


def test_paced_players_with_plenty_get_every_second_plan():
    """A second at 120 BPM is eight frames."""
    assert is_spared(Level.PACED, situation(9))
    assert not is_spared(Level.PACED, situation(8))
    assert not is_spared(Level.PACED, situation(9, planned_frames_ago=2))
    assert is_spared(Level.SHORT, situation(8))
    assert not is_spared(Level.SHORT, situation(8, planned_frames_ago=2))


def test_holding_plans_again_when_half_is_left_and_last_when_a_quarter_is():
    assert [to_come for to_come in range(17) if is_spared(Level.HOLDING, situation(to_come))] == list(range(9, 17))
    assert [to_come for to_come in range(17) if is_spared(Level.LAST, situation(to_come))] == list(range(5, 17))


@given(st.sampled_from(Level), st.integers(0, 40), st.integers(1, 9), st.integers(1, 8), st.floats(20, 300))
def test_nobody_is_left_without_a_chord_for_the_frame_after_next(level, to_come, ago, lookahead, bpm):
    """Whatever the level: if this tick is spared, the plan held covers its frame and the one for which the next tick asks."""
    asked = situation(to_come, planned_frames_ago=ago, lookahead_beats=lookahead, commit_beats=0, bpm=bpm)
    if is_spared(level, asked):
        assert asked.previous.plan.end_frame >= asked.first_frame + 2


def test_before_the_first_plan_nothing_is_spared():
    waiting = situation(9)._replace(previous=None)
    assert not any(is_spared(level, waiting) for level in Level)


@given(st.sampled_from(Level), st.integers(1, 8), st.integers(0, 8))
def test_plans_are_shorter_but_never_shorter_than_what_is_committed(level, lookahead, commit):
    settings = Settings(lookahead_beats=lookahead, commit_beats=min(commit, lookahead))
    shorter = relieved(level, settings)
    assert max(1, settings.commit_beats) <= shorter.lookahead_beats <= lookahead
    assert 4 * shorter.lookahead_beats >= 2 * lookahead
    assert msgspec.structs.replace(shorter, lookahead_beats=lookahead) == settings
    assert (relieved(level, settings) == settings) or level >= Level.SHORT


def test_four_beats_become_three():
    assert relieved(Level.SHORT, Settings()).lookahead_beats == 3
