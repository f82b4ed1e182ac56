"""The exported series: names, units, closed labels."""

from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import CLOSE_CODES, LATENCY_S, OUTCOMES, WARM_STARTS, Metrics
from gateway.session import Effects
from schema.client_messages import ClientMessage, Plan, Timing
from schema.codes import CLOSES, ErrorCode
from schema.engine_messages import WorkerState

SERIES = {
    "sideman_round_trip_seconds",
    "sideman_round_trip_budget_ratio",
    "sideman_stage_seconds",
    "sideman_event_loop_lag_seconds",
    "sideman_plans_total",
    "sideman_warm_starts_total",
    "sideman_plan_steps",
    "sideman_reused_ratio",
    "sideman_batch_size",
    "sideman_decision_age_frames",
    "sideman_late_frames_total",
    "sideman_revised_chords_total",
    "sideman_planned_overlap_total",
    "sideman_judged_frames_total",
    "sideman_in_chord_frames_total",
    "sideman_sessions",
    "sideman_sessions_started_total",
    "sideman_messages_total",
    "sideman_refusals_total",
    "sideman_closes_total",
    "sideman_workers_ready",
    "sideman_breakers_open",
    "sideman_pool_waiting",
    "sideman_worker_slots",
    "sideman_worker_slots_used",
    "sideman_worker_waiting",
    "sideman_worker_compiles_after_ready",
    "sideman_worker_rss_bytes",
}


def families(metrics):
    return {family.name: family for family in text_string_to_metric_families(metrics.exposition().body.decode())}


def value(metrics, sample, **labels):
    return metrics.registry.get_sample_value(sample, labels)


def test_the_series_are_exactly_the_documented_ones():
    exported = {f"{name}_total" if family.type == "counter" else name for name, family in families(Metrics()).items()}
    assert {name for name in exported if not name.endswith("_created")} == SERIES


def test_every_series_has_a_help_text_of_one_sentence():
    for name, family in families(Metrics()).items():
        assert name.endswith("_created") or family.documentation.endswith("."), name


def test_latency_buckets_have_one_frame_at_common_tempos_as_edges():
    assert {15 / 150, 15 / 120, 15 / 100, 15 / 80} <= set(LATENCY_S)


@pytest.mark.parametrize(
    ("name", "label", "closed_set"),
    [
        ("sideman_plans_total", "outcome", set(OUTCOMES)),
        ("sideman_warm_starts_total", "outcome", set(WARM_STARTS)),
        ("sideman_messages_total", "type", {str(kind.__struct_config__.tag) for kind in get_args(ClientMessage)}),
        ("sideman_closes_total", "code", {str(close.code) for close in CLOSES}),
        ("sideman_refusals_total", "code", {str(code) for code in ErrorCode}),
    ],
)
def test_every_member_of_a_closed_label_set_is_there_from_the_start(name, label, closed_set):
    samples = families(Metrics())[name.removesuffix("_total")].samples
    assert closed_set <= {sample.labels[label] for sample in samples if sample.name == name}
    assert all(sample.value == 0 for sample in samples if sample.name == name)


def test_unknown_close_codes_share_one_label():
    metrics = Metrics()
    for code in (1000, 3999, 3998):
        metrics.close_code(code)
    assert value(metrics, "sideman_closes_total", code="other") == 2
    assert value(metrics, "sideman_closes_total", code="1000") == 1
    assert "3999" not in CLOSE_CODES


def test_a_plan_fills_its_series():
    metrics = Metrics()
    timing = Timing(gateway_ms=20.0, queue_ms=2.0, device_ms=8.0, steps=3, reused=0.9, batch=2)
    metrics.sent(Plan(1, 5, 7, [], timing))
    assert value(metrics, "sideman_plans_total", outcome="fresh") == 1
    assert value(metrics, "sideman_plan_steps_sum") == 3
    assert value(metrics, "sideman_stage_seconds_sum", stage="device") == pytest.approx(0.008)
    assert value(metrics, "sideman_stage_seconds_sum", stage="gateway") == pytest.approx(0.02)


def test_workers_are_summed_up():
    metrics = Metrics()
    state = WorkerState(ready=True, models=[], slots=8, slots_used=3, waiting=1, compiles_after_ready=0, rss_bytes=100)
    metrics.workers([state, state])
    assert value(metrics, "sideman_worker_slots") == 16
    assert value(metrics, "sideman_workers_ready") == 2


def test_warm_starts_are_counted_by_outcome():
    metrics = Metrics()
    for outcome in ("done", None, "late", "done"):
        metrics.effects(Effects(warm_start=outcome), "toy")
    assert value(metrics, "sideman_warm_starts_total", outcome="done") == 2
    assert value(metrics, "sideman_warm_starts_total", outcome="late") == 1
