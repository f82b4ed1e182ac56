"""Every series the gateway exports, in a registry of its own. Shell.

Names begin with `sideman_` and use base units. Labels come from closed sets: stages, outcomes, codes, message types, the client
groups of the settings, the few places for watched sessions, and the names of the models the workers report. No session, address or
text is ever a label. What a player's messages add is in `meter`.
"""

from collections.abc import Collection, Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from gateway.metrics_port import HttpAnswer
from schema.client_messages import KeepReason
from schema.codes import CLOSES, ErrorCode
from schema.engine_messages import WorkerState

# 0.075, 0.1, 0.125, 0.15, 0.1875 and 0.25 s are one frame at 200, 150, 120, 100, 80 and 60 BPM: "on time" is exact at these tempos.
LATENCY_S = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.125, 0.15, 0.1875, 0.25, 0.5, 1.0, 2.5)
STAGE_S = (0.0001, 0.0005, 0.001, 0.0025, *LATENCY_S)
BUDGET_RATIO = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0)
SHARE = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
POWERS = (1, 2, 4, 8, 16, 32, 64, 128)
AGE_FRAMES = (1, 2, 4, 6, 8, 12, 16, 24, 32)
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

STAGES = ("decode", "queue", "device", "link", "gateway", "encode", "write")
OUTCOMES = ("fresh", "unrefined", *(f"keep_{reason}" for reason in get_args(KeepReason)))
MESSAGES = ("hello", "configure", "history", "tick", "harmonize", "reset", "bye")
WARM_STARTS = ("done", "late", "unavailable")
HANDSHAKE_REFUSALS = ("origin", "pending_handshakes", "handshake_size", "handshake_rate", "page_answers")
REFUSALS = (*(str(code) for code in ErrorCode), *HANDSHAKE_REFUSALS)
CLOSE_CODES = (*(str(close.code) for close in CLOSES), "1001", "1002", "1003", "1005", "1006", "1007", "other")
OTHER = "other"  # what is in no closed set
WATCH_PLACES = ("1", "2", "3", "4")
MAX_MODELS = 16


class Metrics:
    """One attribute per series; every labelled series exists from the start, so that rates are right from the first event.

    Those of a model exist from when a worker first named it.
    """

    def __init__(self, client_groups: Sequence[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self.groups = (*client_groups, OTHER)
        self._models: set[str] = set()
        self._define_latency()
        self._define_plans()
        self._define_music()
        self._define_connections()
        self._define_workers()
        self._define_watched()

    def _define_latency(self) -> None:
        self.round_trip = self._histogram(
            "round_trip_seconds", "Seconds from sending a tick to having its plan, as the client measured it, by model.", LATENCY_S, "model"
        )
        self.round_trip_budget = self._histogram(
            "round_trip_budget_ratio",
            "Measured round trip as a ratio of the frame at the session's tempo, by model; 1 is on time.",
            BUDGET_RATIO,
            "model",
        )
        self.answer_budget = self._histogram(
            "answer_budget_ratio",
            "The gateway's view of the same: from tick read to plan sent, as a ratio of the frame, by model.",
            BUDGET_RATIO,
            "model",
        )
        self.network = self._histogram(
            "network_seconds", "Round trip as the client measured it, less the gateway's share of it, by client group.", STAGE_S, "group"
        )
        self.stage = self._histogram(
            "stage_seconds",
            "Seconds in a stage: decode, encode, write (gateway), queue, device (worker), link (neither), gateway (tick to plan).",
            STAGE_S,
            "stage",
        )
        self.loop_lag = self._histogram("event_loop_lag_seconds", "Seconds by which a timer of the gateway's event loop fired late.", LAG_S)
        self._exist(self.stage, STAGES)
        self._exist(self.network, self.groups)

    def _define_plans(self) -> None:
        self.plans = self._counter(
            "plans",
            "Answers to ticks by outcome and model: whole fresh plans, plans cut at their deadline, and keeps by their reason.",
            "outcome",
            "model",
        )
        self.plan_steps = self._histogram("plan_steps", "Dependent decode steps a plan needed.", (0, *POWERS[:6]))
        self.reused = self._histogram("reused_ratio", "Ratio of a plan's window that the worker already knew.", SHARE)
        self.batch_size = self._histogram("batch_size", "Plans computed together with this one; 0 if it was ready.", (0, *POWERS))
        self.warm_starts = self._counter("warm_starts", "Warm starts tried, by outcome.", "outcome")
        self._exist(self.warm_starts, WARM_STARTS)

    def _define_music(self) -> None:
        self.played_frames = self._counter("played_frames", "Frames after the initial silence that began, by model.", "model")
        self.silent_frames = self._counter("silent_frames", "Of the played frames, those in which no chord sounded, by model.", "model")
        self.late_frames = self._counter("late_frames", "Of the played frames, those without a plan: the running chord was held.", "model")
        self.judged_frames = self._counter("judged_frames", "Frames in which a melody note sounded over a chord, by model.", "model")
        self.in_chord_frames = self._counter(
            "in_chord_frames", "Frames in which the sounding melody note was a tone of the sounding chord, by model.", "model"
        )
        self.revised_chords = self._counter("revised_chords", "Planned chord frames that the next plan changed, by model.", "model")
        self.planned_overlap = self._counter("planned_overlap", "Planned chord frames that the next plan covered too, by model.", "model")
        self.decision_age = self._histogram(
            "decision_age_frames",
            "Frames between the last free choice of a chord and the frame in which it sounded, by model.",
            AGE_FRAMES,
            "model",
        )

    def _define_connections(self) -> None:
        self.sessions = self._gauge("sessions", "Sessions open now.")
        self.seats = self._gauge("seats", "Sessions that may be open at once.")
        self.sessions_started = self._counter("sessions_started", "Sessions that began with a welcome.")
        self.messages = self._counter("messages", "Messages received and readable, by type.", "type")
        self.refusals = self._counter("refusals", "Refused messages by error code, and refused opening handshakes by reason.", "code")
        self.closes = self._counter("closes", "Connections that ended, by WebSocket close code.", "code")
        self.leaving = self._gauge("leaving", "Whether this gateway is leaving: 1 from its signal on.")
        self._gauge("build_info", "The running version; always 1.", "version").labels(version("sideman")).set(1)
        self._exist(self.messages, MESSAGES)
        self._exist(self.refusals, REFUSALS)
        self._exist(self.closes, CLOSE_CODES)

    def _define_workers(self) -> None:
        self.workers_configured = self._gauge("workers", "Workers that this gateway was told of.")
        self.workers_ready = self._gauge("workers_ready", "Workers that are connected and ready.")
        self.breakers_open = self._gauge("breakers_open", "Workers that are avoided after missed deadlines.")
        self.relief_level = self._gauge(
            "relief_level", "What is spared under load: 0 nothing, 1 pace, 2 length and new sessions, 3 and 4 plans."
        )
        self.pool_waiting = self._gauge("pool_waiting", "Requests in the gateway that are not sent to a worker yet.")
        self.worker_slots = self._gauge("worker_slots", "Cache slots of all connected workers.")
        self.worker_slots_used = self._gauge("worker_slots_used", "Cache slots that remember a session, at all connected workers.")
        self.worker_waiting = self._gauge("worker_waiting", "Requests waiting in all connected workers.")
        self.worker_utilisation = self._gauge(
            "worker_utilisation_ratio", "Ratio of the last second in which the device computed, at the busiest connected worker."
        )
        self.worker_wait = self._gauge(
            "worker_wait_p90_seconds",
            "Seconds after which nine of ten plans of the last second had a first frame, at the slowest connected worker.",
        )
        self.worker_late = self._gauge(
            "worker_late_ratio", "Ratio of the plans of the last second without a frame at their deadline, at the slowest connected worker."
        )
        self.workers_crowded = self._gauge("workers_crowded", "Connected workers whose slots are nearly all of sessions that play.")
        self.worker_compiles = self._gauge(
            "worker_compiles_after_ready", "Compilations after readiness at all connected workers; anything but 0 delays plans."
        )
        self.worker_rss = self._gauge("worker_rss_bytes", "Resident memory of all connected workers, in bytes.")

    def _define_watched(self) -> None:
        """Of the few sessions an operator looks at closely."""
        self.watched_frame = self._gauge("watched_frame", "Frame of a watched session's last tick.", "watched")
        self.watched_tempo = self._gauge("watched_tempo_bpm", "Tempo of a watched session, in beats a minute.", "watched")
        self.watched_age = self._gauge(
            "watched_decision_age_frames", "Frames since the chord that sounds in a watched session was last chosen freely.", "watched"
        )
        self.watched_round_trip = self._histogram(
            "watched_round_trip_seconds", "Seconds from tick to plan as the client of a watched session measured it.", LATENCY_S, "watched"
        )
        self.watched_stage = self._counter(
            "watched_stage_seconds", "Seconds that plans of a watched session spent in a stage.", "watched", "stage"
        )
        self.watched_plans = self._counter("watched_plans", "Answers to ticks of a watched session by outcome.", "watched", "outcome")
        self.watched_late = self._counter("watched_late_frames", "Frames of a watched session that began without a plan.", "watched")

    def know(self, models: Iterable[str]) -> None:
        """Make the series of models that are new; names beyond the first few share one label."""
        for model in models:
            if model not in self._models and len(self._models) < MAX_MODELS:
                self._models.add(model)
                for outcome in OUTCOMES:
                    self.plans.labels(outcome, model)
                by_model = (self.round_trip, self.round_trip_budget, self.answer_budget, self.decision_age, self.played_frames)
                for metric in (*by_model, self.silent_frames, self.late_frames, self.judged_frames, self.in_chord_frames):
                    metric.labels(model)
                self.revised_chords.labels(model)
                self.planned_overlap.labels(model)

    def model_label(self, model: str) -> str:
        """The label of a model."""
        return model if model in self._models else OTHER

    def group_label(self, client: str) -> str:
        """The label of a client program: the first group of the settings that its name begins with."""
        return next((group for group in self.groups if client.startswith(group)), OTHER)

    def close_code(self, code: int) -> None:
        """A connection ended."""
        self.closes.labels(str(code) if str(code) in CLOSE_CODES else OTHER).inc()

    def workers(self, states: Collection[WorkerState]) -> None:
        """How the connected workers are now."""
        self.workers_ready.set(sum(state.ready for state in states))
        self.worker_slots.set(sum(state.slots for state in states))
        self.worker_slots_used.set(sum(state.slots_used for state in states))
        self.worker_waiting.set(sum(state.waiting for state in states))
        self.worker_utilisation.set(max((state.utilisation for state in states), default=0.0))
        self.worker_wait.set(max((state.wait_p90_ms for state in states), default=0.0) / 1000.0)
        self.worker_late.set(max((state.late_share for state in states), default=0.0))
        self.workers_crowded.set(sum(state.crowded for state in states))
        self.worker_compiles.set(sum(state.compiles_after_ready for state in states))
        self.worker_rss.set(sum(state.rss_bytes for state in states))
        self.know(model.name for state in states for model in state.models if not model.is_offline)

    def exposition(self) -> HttpAnswer:
        """All series in the Prometheus text format."""
        return HttpAnswer(HTTPStatus.OK, generate_latest(self.registry), CONTENT_TYPE_LATEST)

    def _exist(self, metric: Counter | Histogram, labels: Iterable[str]) -> None:
        """Make the children of a labelled series, so that they are exported as 0."""
        for label in labels:
            metric.labels(label)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"sideman_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"sideman_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"sideman_{name}", text, labels, registry=self.registry)
