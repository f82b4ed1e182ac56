"""Every series the gateway exports, in a registry of its own. Shell.

Names begin with `sideman_` and use base units. Labels come from closed sets: stages, outcomes, codes, message types, and the
names of the models the workers report. No session, address or text is ever a label.
"""

from collections.abc import Iterable, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from schema.client_messages import KeepReason, Plan
from schema.codes import CLOSES, ErrorCode
from schema.engine_messages import WorkerState

# 0.1, 0.125, 0.15 and 0.1875 s are one frame at 150, 120, 100 and 80 BPM: "on time" is exact at these tempos.
LATENCY_S = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.125, 0.15, 0.1875, 0.25, 0.5, 1.0, 2.5)
STAGE_S = (0.0001, 0.0005, 0.001, 0.0025, *LATENCY_S)
BUDGET_RATIO = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0)
SHARE = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
POWERS = (1, 2, 4, 8, 16, 32, 64, 128)
AGE_FRAMES = (1, 2, 4, 6, 8, 12, 16, 24, 32)
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

STAGES = ("decode", "queue", "device", "gateway", "write")
OUTCOMES = ("fresh", *(f"keep_{reason}" for reason in get_args(KeepReason)))
MESSAGES = ("hello", "configure", "history", "tick", "reset", "bye")
HANDSHAKE_REFUSALS = ("origin", "pending_handshakes", "handshake_size", "handshake_rate")
REFUSALS = (*(str(code) for code in ErrorCode), *HANDSHAKE_REFUSALS)
CLOSE_CODES = (*(str(close.code) for close in CLOSES), "1001", "1002", "1003", "1005", "1006", "1007", "other")


class Metrics:
    """One attribute per series; every labelled series exists from the start, so that rates are right from the first event."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._define_latency()
        self._define_plans()
        self._define_connections()
        self._define_workers()

    def _define_latency(self) -> None:
        self.round_trip = self._histogram(
            "round_trip_seconds", "Seconds from sending a tick to having its answer, as the client measured it.", LATENCY_S
        )
        self.round_trip_budget = self._histogram(
            "round_trip_budget_ratio", "Measured round trip as a ratio of the frame at the session's tempo; 1 is on time.", BUDGET_RATIO
        )
        self.stage = self._histogram(
            "stage_seconds",
            "Seconds in a stage: decode, write (gateway), queue, device (worker), gateway (all together).",
            STAGE_S,
            "stage",
        )
        self.loop_lag = self._histogram("event_loop_lag_seconds", "Seconds by which a timer of the gateway's event loop fired late.", LAG_S)
        self.exist(self.stage, STAGES)

    def _define_plans(self) -> None:
        self.plans = self._counter("plans", "Answers to ticks by outcome: fresh plans, and keeps by their reason.", "outcome")
        self.plan_steps = self._histogram("plan_steps", "Dependent decode steps a plan needed.", (0, *POWERS[:6]))
        self.reused = self._histogram("reused_ratio", "Ratio of a plan's window that the worker already knew.", SHARE)
        self.batch_size = self._histogram("batch_size", "Plans computed together with this one.", POWERS)
        self.decision_age = self._histogram(
            "decision_age_frames", "Frames between the last free choice of a chord and the frame in which it sounded.", AGE_FRAMES
        )
        self.late_frames = self._counter("late_frames", "Frames that began without a plan for them and held the running chord.")
        self.revised_chords = self._counter("revised_chords", "Planned chord frames that the next plan changed.")
        self.planned_overlap = self._counter("planned_overlap", "Planned chord frames that the next plan covered too.")
        self.judged_frames = self._counter("judged_frames", "Frames in which a melody note sounded, by model.", "model")
        self.in_chord_frames = self._counter(
            "in_chord_frames", "Frames in which the sounding melody note was a tone of the sounding chord, by model.", "model"
        )
        self.exist(self.plans, OUTCOMES)

    def _define_connections(self) -> None:
        self.sessions = self._gauge("sessions", "Sessions open now.")
        self.sessions_started = self._counter("sessions_started", "Sessions that began with a welcome.")
        self.messages = self._counter("messages", "Messages received and readable, by type.", "type")
        self.refusals = self._counter("refusals", "Refused messages by error code, and refused opening handshakes by reason.", "code")
        self.closes = self._counter("closes", "Connections that ended, by WebSocket close code.", "code")
        self.exist(self.messages, MESSAGES)
        self.exist(self.refusals, REFUSALS)
        self.exist(self.closes, CLOSE_CODES)

    def _define_workers(self) -> None:
        self.workers_ready = self._gauge("workers_ready", "Workers that are connected and ready.")
        self.breakers_open = self._gauge("breakers_open", "Workers that are avoided after missed deadlines.")
        self.pool_waiting = self._gauge("pool_waiting", "Requests in the gateway that are not sent to a worker yet.")
        self.worker_slots = self._gauge("worker_slots", "Cache slots of all connected workers.")
        self.worker_slots_used = self._gauge("worker_slots_used", "Cache slots in use at all connected workers.")
        self.worker_waiting = self._gauge("worker_waiting", "Requests waiting in all connected workers.")
        self.worker_compiles = self._gauge(
            "worker_compiles_after_ready", "Compilations after readiness at all connected workers; anything but 0 delays plans."
        )
        self.worker_rss = self._gauge("worker_rss_bytes", "Resident memory of all connected workers, in bytes.")

    def exist(self, metric: Counter | Histogram, labels: Iterable[str]) -> None:
        """Make the children of a labelled series, so that they are exported as 0."""
        for label in labels:
            metric.labels(label)

    def plan(self, plan: Plan) -> None:
        """A plan left for its player."""
        self.plans.labels("fresh").inc()
        self.plan_steps.observe(plan.timing.steps)
        self.reused.observe(plan.timing.reused)
        self.batch_size.observe(plan.timing.batch)
        self.stage.labels("queue").observe(plan.timing.queue_ms / 1000.0)
        self.stage.labels("device").observe(plan.timing.device_ms / 1000.0)
        self.stage.labels("gateway").observe(plan.timing.gateway_ms / 1000.0)

    def close_code(self, code: int) -> None:
        """A connection ended."""
        self.closes.labels(str(code) if str(code) in CLOSE_CODES else "other").inc()

    def workers(self, states: Sequence[WorkerState]) -> None:
        """How the connected workers are now."""
        self.workers_ready.set(sum(state.ready for state in states))
        self.worker_slots.set(sum(state.slots for state in states))
        self.worker_slots_used.set(sum(state.slots_used for state in states))
        self.worker_waiting.set(sum(state.waiting for state in states))
        self.worker_compiles.set(sum(state.compiles_after_ready for state in states))
        self.worker_rss.set(sum(state.rss_bytes for state in states))

    def exposition(self) -> bytes:
        """All series in the Prometheus text format."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"sideman_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"sideman_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"sideman_{name}", text, labels, registry=self.registry)
