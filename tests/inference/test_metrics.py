"""The worker's series: names, closed labels, what a call and an answer add, and how they are read."""

import urllib.request
from typing import NamedTuple

import pytest

from inference.errors import PortProblem
from inference.metrics import ANSWERS, KINDS, STAGES, EngineMetrics
from inference.planner import Bucket
from schema.engine_messages import LATE, SUPERSEDED, PlanReply, WorkerState

SERIES = {
    "sideman_engine_call_seconds",
    "sideman_engine_stage_seconds",
    "sideman_engine_fill_ratio",
    "sideman_engine_rows",
    "sideman_engine_answers",
    "sideman_engine_ready_plans",
    "sideman_engine_slots",
    "sideman_engine_slots_used",
    "sideman_engine_evictions",
    "sideman_engine_utilisation_ratio",
    "sideman_engine_wait_p90_seconds",
    "sideman_engine_waiting",
    "sideman_engine_compiles_after_ready",
    "sideman_engine_rss_bytes",
}


class Model(NamedTuple):
    name: str = "toy"
    slots: int = 4
    slots_used: int = 3
    evictions: int = 7


def a_state():
    return WorkerState(
        ready=True, models=[], slots=4, slots_used=3, waiting=2, compiles_after_ready=0, rss_bytes=100, utilisation=0.5, wait_p90_ms=20.0
    )


@pytest.fixture
def metrics():
    metrics = EngineMetrics(["toy"])
    metrics.observe([Model()], a_state)
    return metrics


def value(metrics, sample, **labels):
    return metrics.registry.get_sample_value(f"sideman_engine_{sample}", labels)


def test_the_series_are_exactly_the_documented_ones_each_with_a_sentence(metrics):
    families = {family.name: family for family in metrics.registry.collect()}
    assert set(families) == SERIES
    assert all(family.documentation.endswith(".") for family in families.values())


def test_every_label_of_a_model_is_there_from_the_start(metrics):
    assert all(value(metrics, "call_seconds_count", model="toy", kind=kind) == 0 for kind in KINDS)
    assert all(value(metrics, "answers_total", model="toy", outcome=outcome) == 0 for outcome in ANSWERS)


def test_a_call_counts_its_rows_and_how_much_of_it_was_used(metrics):
    metrics.called("toy", Bucket(4, 1, 1), 3, 0.002)
    metrics.called("toy", Bucket(2, 64, 1), 1, 0.02)
    metrics.guessed("toy", 0.001)
    assert value(metrics, "rows_total", model="toy") == 4
    assert value(metrics, "fill_ratio_sum", model="toy") == 1.25
    counts = {kind: value(metrics, "call_seconds_count", model="toy", kind=kind) for kind in KINDS}
    assert counts == {"decode": 1, "feed": 1, "guess": 1}


def test_answers_are_counted_by_how_they_came_out(metrics):
    ready, computed = PlanReply("s", 1, b"\0\0"), PlanReply("s", 2, b"\0\0", batch=2)
    metrics.answered("toy", [ready, computed, *(PlanReply("s", 3, problem=why) for why in (LATE, SUPERSEDED, "no such model"))])
    counts = [value(metrics, "answers_total", model="toy", outcome=outcome) for outcome in ANSWERS]
    assert counts == [2, 1, 1, 1]
    assert value(metrics, "ready_plans_total", model="toy") == 1


def test_the_time_of_plans_is_told_by_stage_and_of_late_ones_what_they_waited(metrics):
    whole, late = (
        PlanReply("s", 1, b"\0\0", batch=1, queue_ms=1.0, batch_wait_ms=2.0, device_ms=4.0),
        PlanReply("s", 2, problem=LATE, queue_ms=90.0),
    )
    metrics.answered("toy", [whole, late, PlanReply("s", 3, problem=SUPERSEDED)])
    told = {stage: value(metrics, "stage_seconds_sum", model="toy", stage=stage) for stage in STAGES}
    assert told == pytest.approx({"queue": 0.091, "batch_wait": 0.002, "device": 0.004})
    assert [value(metrics, "stage_seconds_count", model="toy", stage=stage) for stage in STAGES] == [2, 1, 1]


def test_how_the_worker_is_is_asked_at_every_scrape(metrics):
    assert value(metrics, "utilisation_ratio") == 0.5
    assert value(metrics, "wait_p90_seconds") == pytest.approx(0.02)
    assert value(metrics, "evictions_total", model="toy") == 7
    assert (value(metrics, "slots", model="toy"), value(metrics, "slots_used", model="toy")) == (4, 3)


def test_the_port_shows_the_page_and_a_port_that_is_taken_is_one_sentence(metrics):
    port = metrics.serve("127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert b'sideman_engine_slots{model="toy"} 4.0' in answer.read()
    with pytest.raises(PortProblem, match=f"127.0.0.1:{port}: expected a free port"):
        EngineMetrics(["toy"]).serve("127.0.0.1", port)
    metrics.stop()
