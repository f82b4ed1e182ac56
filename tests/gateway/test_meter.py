"""What one player's messages add to the series."""

import pytest

from gateway.meter import Meter, Watch
from gateway.metrics import WATCH_PLACES, Metrics
from gateway.session import Effects
from schema.client_messages import Applied, Configured, Error, Hello, Keep, Limits, Plan, Settings, Tick, Timing, Welcome
from schema.codes import ErrorCode

LIMITS = Limits(16_384, 25.0, 50, 64, 256)


class Metered:
    """A meter that was welcomed at 120 BPM with the model `toy`."""

    def __init__(self, client="sideman play"):
        self.metrics = Metrics(("sideman web", "sideman play"))
        self.metrics.know(["toy"])
        self.watch = Watch()
        self.meter = Meter(self.metrics, self.watch, "s")
        self.meter.received(Hello(client=client), 0.001)
        self.sent(Welcome("s", 1, 1, ["toy"], Settings(model="toy"), LIMITS))

    def sent(self, message):
        self.meter.sent(message, 0.001, 0.002)

    def plan(self, seq=1, unrefined=0):
        self.sent(Plan(seq, 5, 7, [], Timing(20.0, 2.0, 8.0, steps=3, reused=0.9, batch=2, unrefined=unrefined)))

    def value(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"sideman_{name}", labels)


@pytest.fixture
def metered():
    return Metered()


def test_a_plan_fills_its_series_and_its_stages_add_up(metered):
    metered.plan()
    assert metered.value("plans_total", outcome="fresh", model="toy") == 1
    assert metered.value("plan_steps_sum") == 3
    spent = {name: metered.value("stage_seconds_sum", stage=name) for name in ("queue", "device", "link", "gateway")}
    assert spent == pytest.approx({"queue": 0.002, "device": 0.008, "link": 0.010, "gateway": 0.020})
    assert metered.value("answer_budget_ratio_sum", model="toy") == pytest.approx(20 / 125)


def test_plans_cut_at_their_deadline_and_keeps_are_outcomes_of_their_own(metered):
    metered.plan(unrefined=3)
    metered.sent(Keep(2, "late"))
    assert metered.value("plans_total", outcome="unrefined", model="toy") == 1
    assert metered.value("plans_total", outcome="keep_late", model="toy") == 1
    assert metered.value("plans_total", outcome="fresh", model="toy") == 0


def test_the_round_trip_is_the_clients_and_the_network_is_what_the_gateway_did_not_take(metered):
    metered.plan(seq=1)
    metered.meter.received(Tick(2, 6, applied=Applied(1, 6), round_trip_ms=150.0), 0.0)
    assert metered.value("round_trip_seconds_sum", model="toy") == pytest.approx(0.15)
    assert metered.value("round_trip_budget_ratio_sum", model="toy") == pytest.approx(1.2)
    assert metered.value("network_seconds_sum", group="sideman play") == pytest.approx(0.13)


def test_a_round_trip_of_an_unknown_plan_says_nothing_about_the_network(metered):
    metered.meter.received(Tick(2, 6, applied=Applied(9, 6), round_trip_ms=150.0), 0.0)
    metered.meter.received(Tick(3, 7, round_trip_ms=150.0), 0.0)
    assert metered.value("round_trip_seconds_count", model="toy") == 2
    assert metered.value("network_seconds_count", group="sideman play") == 0


def test_the_shares_of_only_a_few_plans_are_kept(metered):
    for seq in range(100):
        metered.plan(seq)
    for seq in (0, 99):
        metered.meter.received(Tick(200 + seq, 6 + seq, applied=Applied(seq, 6), round_trip_ms=150.0), 0.0)
    assert metered.value("network_seconds_count", group="sideman play") == 1


def test_the_tempo_the_player_was_told_is_the_budget(metered):
    metered.sent(Configured(Settings(model="toy", bpm=60.0), 0))
    metered.meter.received(Tick(1, 1, round_trip_ms=125.0), 0.0)
    assert metered.value("round_trip_budget_ratio_sum", model="toy") == pytest.approx(0.5)


def test_what_the_session_measured_is_counted_by_model(metered):
    metered.meter.effects(
        Effects(
            played_frames=(4, 2),
            late_frames=1,
            decision_age_frames=3,
            revised_chords=2,
            planned_overlap=8,
            note_in_chord=(1, 3),
            warm_start="done",
        )
    )
    metered.meter.effects(Effects())
    names = ("played", "silent", "late", "judged", "in_chord")
    assert [metered.value(f"{name}_frames_total", model="toy") for name in names] == [4, 2, 1, 3, 1]
    assert (metered.value("revised_chords_total", model="toy"), metered.value("planned_overlap_total", model="toy")) == (2, 8)
    assert metered.value("decision_age_frames_sum", model="toy") == 3
    assert metered.value("warm_starts_total", outcome="done") == 1


def test_errors_count_as_refusals_by_their_code(metered):
    metered.sent(Error(str(ErrorCode.BAD_FIELD), "expected this, got that"))
    assert metered.value("refusals_total", code="bad_field") == 1


def test_a_session_nobody_watches_has_no_series(metered):
    metered.plan()
    assert metered.value("watched_plans_total", watched="1", outcome="fresh") is None


def test_a_watched_session_has_series_of_its_own(metered):
    assert metered.watch.begin("s") == "1"
    metered.plan()
    metered.meter.received(Tick(2, 6, applied=Applied(1, 6), round_trip_ms=150.0), 0.0)
    metered.meter.effects(Effects(late_frames=1, decision_age_frames=9))
    assert metered.value("watched_plans_total", watched="1", outcome="fresh") == 1
    assert metered.value("watched_stage_seconds_total", watched="1", stage="device") == pytest.approx(0.008)
    assert metered.value("watched_round_trip_seconds_sum", watched="1") == pytest.approx(0.15)
    assert metered.value("watched_late_frames_total", watched="1") == 1
    gauges = [metered.value(f"watched_{name}", watched="1") for name in ("frame", "tempo_bpm", "decision_age_frames")]
    assert gauges == [6, 120, 9]


def test_places_for_watching_are_few_and_the_oldest_goes_first():
    watch = Watch()
    places = [watch.begin(f"session {number}") for number in range(len(WATCH_PLACES) + 1)]
    assert places == [*WATCH_PLACES, WATCH_PLACES[0]]
    assert watch.place("session 0") is None
    assert watch.begin("session 2") == "3"
    watch.end("session 2")
    watch.end("session 2")
    assert watch.begin("new") == "3"
