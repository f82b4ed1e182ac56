"""The exported series: names, units, closed labels."""

from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import CLOSE_CODES, LATENCY_S, MAX_MODELS, OTHER, OUTCOMES, WARM_STARTS, Metrics
from schema.client_messages import ClientMessage
from schema.codes import CLOSES, ErrorCode
from schema.engine_messages import ModelInfo, WorkerState

SERIES = {
    "sideman_round_trip_seconds",
    "sideman_round_trip_budget_ratio",
    "sideman_answer_budget_ratio",
    "sideman_network_seconds",
    "sideman_stage_seconds",
    "sideman_event_loop_lag_seconds",
    "sideman_plans_total",
    "sideman_warm_starts_total",
    "sideman_plan_steps",
    "sideman_reused_ratio",
    "sideman_batch_size",
    "sideman_decision_age_frames",
    "sideman_played_frames_total",
    "sideman_silent_frames_total",
    "sideman_late_frames_total",
    "sideman_revised_chords_total",
    "sideman_planned_overlap_total",
    "sideman_judged_frames_total",
    "sideman_in_chord_frames_total",
    "sideman_build_info",
    "sideman_leaving",
    "sideman_seats",
    "sideman_sessions",
    "sideman_sessions_started_total",
    "sideman_messages_total",
    "sideman_refusals_total",
    "sideman_closes_total",
    "sideman_workers",
    "sideman_workers_ready",
    "sideman_worker_utilisation_ratio",
    "sideman_worker_wait_p90_seconds",
    "sideman_worker_late_ratio",
    "sideman_workers_crowded",
    "sideman_breakers_open",
    "sideman_pool_waiting",
    "sideman_relief_level",
    "sideman_worker_slots",
    "sideman_worker_slots_used",
    "sideman_worker_waiting",
    "sideman_worker_compiles_after_ready",
    "sideman_worker_rss_bytes",
    "sideman_watched_frame",
    "sideman_watched_tempo_bpm",
    "sideman_watched_decision_age_frames",
    "sideman_watched_round_trip_seconds",
    "sideman_watched_stage_seconds_total",
    "sideman_watched_plans_total",
    "sideman_watched_late_frames_total",
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
    assert {15 / bpm for bpm in (200, 150, 120, 100, 80, 60)} <= set(LATENCY_S)


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
    metrics = Metrics()
    metrics.know(["toy"])
    samples = families(metrics)[name.removesuffix("_total")].samples
    assert closed_set <= {sample.labels[label] for sample in samples if sample.name == name}
    assert all(sample.value == 0 for sample in samples if sample.name == name)


def test_unknown_close_codes_share_one_label():
    metrics = Metrics()
    for code in (1000, 3999, 3998):
        metrics.close_code(code)
    assert value(metrics, "sideman_closes_total", code="other") == 2
    assert value(metrics, "sideman_closes_total", code="1000") == 1
    assert "3999" not in CLOSE_CODES


def test_workers_are_summed_up():
    metrics = Metrics()
    state = WorkerState(ready=True, models=[], slots=8, slots_used=3, waiting=1, compiles_after_ready=0, rss_bytes=100)
    metrics.workers([state, state])
    assert value(metrics, "sideman_worker_slots") == 16
    assert value(metrics, "sideman_workers_ready") == 2


def test_of_several_workers_the_busiest_and_the_slowest_are_told():
    metrics = Metrics()
    idle = WorkerState(ready=True, models=[], slots=8, slots_used=0, waiting=0, compiles_after_ready=0, rss_bytes=1)
    busy = WorkerState(
        ready=True,
        models=[],
        slots=8,
        slots_used=8,
        waiting=3,
        compiles_after_ready=0,
        rss_bytes=1,
        utilisation=0.9,
        wait_p90_ms=40.0,
        late_share=0.25,
        crowded=True,
    )
    metrics.workers([idle, busy])
    assert value(metrics, "sideman_worker_utilisation_ratio") == 0.9
    assert value(metrics, "sideman_worker_wait_p90_seconds") == pytest.approx(0.04)
    assert value(metrics, "sideman_worker_late_ratio") == 0.25
    assert value(metrics, "sideman_workers_crowded") == 1


def test_models_have_series_from_when_a_worker_named_them():
    """Offline models play no plans; names beyond the bound share one label."""
    metrics = Metrics()
    models = [ModelInfo("live", "Online", 1.0), ModelInfo("whole", "offline", 1.0)]
    metrics.workers([WorkerState(ready=True, models=models, slots=1, slots_used=0, waiting=0, compiles_after_ready=0, rss_bytes=1)])
    assert value(metrics, "sideman_late_frames_total", model="live") == 0
    assert value(metrics, "sideman_late_frames_total", model="whole") is None
    metrics.know(f"model {number}" for number in range(2 * MAX_MODELS))
    assert len(families(metrics)["sideman_late_frames"].samples) == MAX_MODELS
    assert metrics.model_label("live") == "live"
    assert metrics.model_label("model 31") == OTHER


def test_a_client_belongs_to_the_first_group_its_name_begins_with():
    metrics = Metrics(("sideman web", "partner"))
    assert [metrics.group_label(name) for name in ("sideman web 1.2", "partner", "curl", "")] == ["sideman web", "partner", OTHER, OTHER]
    assert {s.labels["group"] for s in families(metrics)["sideman_network_seconds"].samples} == {"sideman web", "partner", OTHER}
