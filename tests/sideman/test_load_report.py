"""The figures of a load run, by hand from what became of each tick; and the search for what a machine can carry."""

import math

import pytest

from sideman.load import Round, Run, Takings
from sideman.load_report import Resources, RoundTrip, Stage, Use, next_sessions, percentile, report, samples, waits_ms
from sideman_client.generated.messages import Configure, Settings, Timing

RUN = Run(sessions=2, seconds=5.0, warm_up_s=1.0, settings=Configure(), bpm=120.0, seed=0, generators=1)
SETTINGS = Settings(model="toy")
READY = Timing(gateway_ms=2.0, queue_ms=0.5, device_ms=0.0, steps=0, reused=1.0, batch=0)
COMPUTED = Timing(gateway_ms=30.0, queue_ms=1.0, device_ms=20.0, steps=6, reused=0.5, batch=3)


def plan(round_trip_ms, lag_ms=0.5, **fields):
    return Round(0.0, lag_ms, "plan", round_trip_ms, **fields)


def keep(reason, round_trip_ms):
    return Round(0.0, 0.5, f"keep {reason}", round_trip_ms)


def reported(*rounds, resources=None, lost=0):
    return report(RUN, [Takings(SETTINGS, list(rounds), lost)], resources or Resources(), cores=2)


# ---- round trips ----


def test_only_plans_within_one_frame_are_in_budget_and_listening_does_not_count():
    """At 120 bpm a frame is 125 ms; keeps may be as quick as they like."""
    made = reported(plan(125.0), plan(125.1), plan(3.0), keep("late", 99.0), keep("listening", 1.0), Round(0.0))
    assert made.frame_budget_ms == 125.0
    assert made.share_in_budget == pytest.approx(2 / 5)
    assert made.ticks == 6
    assert made.answers == {"plan": 3, "keep late": 1, "keep listening": 1, "none": 1}


def test_a_tick_that_is_never_answered_took_for_ever():
    made = reported(*[plan(float(ms)) for ms in range(1, 99)], Round(0.0), Round(0.0))
    assert made.round_trip_ms == RoundTrip(p50=50.0, p90=90.0, p95=95.0, p99=None, p999=None, max=None)


def test_keeps_have_round_trips_too():
    assert waits_ms([plan(9.0), keep("late", 100.0), keep("superseded", 140.0), keep("listening", 1.0), Round(0.0)]) == [
        9.0,
        100.0,
        140.0,
        math.inf,
    ]


def test_a_run_in_which_nobody_wanted_a_plan_has_no_share():
    made = reported(keep("listening", 1.0))
    assert made.share_in_budget is None
    assert made.round_trip_ms == RoundTrip(None, None, None, None, None, None)


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 500.0), (99, 990.0), (99.9, 999.0), (99.91, 1000.0), (100, 1000.0)])
def test_percentiles_are_by_nearest_rank(percent, value):
    assert percentile([float(number) for number in range(1, 1001)], percent) == value


def test_a_percentile_of_nothing_is_none():
    assert percentile([], 50) is None


# ---- everything else ----


def test_what_left_late_what_began_without_a_plan_and_who_was_lost():
    rounds = [plan(1.0, lag_ms=float(lag)) for lag in range(1, 101)]
    made = reported(*rounds, plan(1.0, late=True), plan(1.0, late=True, unplanned=True), Round(0.0), lost=1)
    assert (made.lag_p99_ms, made.lag_max_ms) == (99.0, 100.0)
    assert (made.late_frames, made.unplanned_frames, made.lost_sessions) == (2, 1, 1)


def test_what_all_generators_bring_home_counts():
    made = report(RUN, [Takings(SETTINGS, [plan(1.0)], 1), Takings(SETTINGS, [plan(3.0)], 1)], Resources(), cores=2)
    assert (made.ticks, made.round_trip_ms.max, made.lost_sessions, made.model) == (2, 3.0, 2, "toy")


def test_how_plans_were_made():
    made = reported(plan(3.0, timing=READY), plan(31.0, timing=COMPUTED), keep("late", 100.0)).making
    assert made.queue == Stage(0.5, 1.0, 1.0)
    assert made.device == Stage(0.0, 20.0, 20.0)
    assert made.between == Stage(1.5, 9.0, 9.0)
    assert made.gateway == Stage(2.0, 30.0, 30.0)
    assert (made.ready_share, made.plans_per_batch, made.steps_per_plan, made.reused_share) == (0.5, 3.0, 3.0, 0.75)


def test_without_plans_nothing_is_known_of_how_they_are_made():
    made = reported(keep("unavailable", 100.0)).making
    assert made.queue == made.gateway == Stage(None, None, None)
    assert made.ready_share is made.plans_per_batch is None


def test_what_the_processes_took_is_told_a_session_second():
    """Two sessions for five seconds; what is left of the busy cores is others'."""
    seen = Resources(cpu_s={"gateway": 0.5, "worker": 4.0}, rss_bytes={"gateway": 10, "worker": 90}, busy_s=7.0)
    made = reported(plan(1.0), resources=seen)
    assert made.processes == {"gateway": Use(0.5, 50.0, 10), "worker": Use(4.0, 400.0, 90)}
    assert made.other_cores_busy == 0.5
    assert reported(plan(1.0)).other_cores_busy is None


def test_stages_are_means_of_the_measured_seconds_alone():
    page = """\
# HELP sideman_stage_seconds Seconds in a stage.
# TYPE sideman_stage_seconds histogram
sideman_stage_seconds_bucket{{le="0.5",stage="queue"}} 7.0
sideman_stage_seconds_sum{{stage="queue"}} {sum}
sideman_stage_seconds_count{{stage="queue"}} {count}
sideman_stage_seconds_sum{{stage="write"}} 0.25
sideman_stage_seconds_count{{stage="write"}} 9.0
"""
    before, after = (samples(page.format(sum=s, count=c)) for s, c in ((1.0, 10), (1.5, 110)))
    made = reported(plan(1.0), resources=Resources(before=before, after=after))
    assert made.stage_means_ms == {"queue": 5.0}


# ---- the search ----


def search(capacity, first=4, most=256):
    """What is tried, in order, where so many sessions go well and no more."""
    tried = {}
    while (sessions := next_sessions(tried, first, most)) is not None:
        assert sessions not in tried
        tried[sessions] = sessions <= capacity
    return tried


def found(tried):
    return max((sessions for sessions, well in tried.items() if well), default=0)


def test_the_search_doubles_then_halves():
    assert list(search(22)) == [4, 8, 16, 32, 24, 20, 22, 23]
    assert list(search(2)) == [4, 2, 3]
    assert list(search(0, first=1)) == [1]


@pytest.mark.parametrize("first", [1, 4, 7])
@pytest.mark.parametrize("capacity", [0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31, 32])
def test_small_capacities_are_found_exactly(capacity, first):
    assert found(search(capacity, first)) == capacity


@pytest.mark.parametrize("capacity", range(33, 256, 10))
def test_large_capacities_are_found_within_a_sixteenth(capacity):
    tried = search(capacity)
    assert capacity * 16 / 17 - 1 <= found(tried) <= capacity
    assert len(tried) <= 12


@pytest.mark.parametrize(("first", "most", "tried"), [(4, 10, [4, 8, 10]), (4, 4, [4]), (9, 5, [5])])
def test_the_search_ends_at_the_most_it_may_try(first, most, tried):
    assert list(search(1000, first, most)) == tried
