"""Every series a worker exports about its device: calls, rows, answers, slots. Shell.

Names begin with `sideman_engine_`, so that they never add to what the gateways tell about the same workers. Labels are the resident
models and closed sets. The device thread counts; a thread of the metrics port reads.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from inference.errors import PortProblem
from inference.planner import Bucket
from schema.engine_messages import LATE, SUPERSEDED, PlanReply, WorkerState

CALL_S = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0)
STAGE_S = (0.0001, *CALL_S)
FILL = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
KINDS = ("decode", "feed", "guess")  # one position a row; many, of a new, amended or forgotten session; what may be asked next
ANSWERS = ("planned", "late", "superseded", "refused")
STAGES = ("queue", "batch_wait", "device")


class Model(Protocol):
    """What is told about a resident model."""

    @property
    def name(self) -> str:
        """Its label."""

    @property
    def slots(self) -> int:
        """Sessions it can remember."""

    @property
    def slots_used(self) -> int:
        """Sessions it does remember."""

    @property
    def evictions(self) -> int:
        """Sessions it had to forget for others."""


class EngineMetrics:
    """One attribute per series; those of a model exist from the start."""

    def __init__(self, models: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._server: WSGIServer | None = None
        self.calls = Histogram(
            "sideman_engine_call_seconds",
            "Seconds of one device call, by model and kind: decode, feed, guess.",
            ("model", "kind"),
            buckets=CALL_S,
            registry=self.registry,
        )
        self.stage = Histogram(
            "sideman_engine_stage_seconds",
            "Seconds of a plan in a stage, by model: queue (to a slot), batch_wait (while calls without it ran), device (calls with it).",
            ("model", "stage"),
            buckets=STAGE_S,
            registry=self.registry,
        )
        self.fill = Histogram(
            "sideman_engine_fill_ratio",
            "Rows in use as a ratio of the rows that a device call computes, by model; guesses left out.",
            ("model",),
            buckets=FILL,
            registry=self.registry,
        )
        self.rows = Counter("sideman_engine_rows", "Rows computed, by model; guesses left out.", ("model",), registry=self.registry)
        self.answers = Counter(
            "sideman_engine_answers", "Requests answered, by model and outcome.", ("model", "outcome"), registry=self.registry
        )
        self.ready_plans = Counter(
            "sideman_engine_ready_plans", "Plans that were computed ahead: nothing was left to do.", ("model",), registry=self.registry
        )
        for model in models:
            self.fill.labels(model)
            self.rows.labels(model)
            self.ready_plans.labels(model)
            for kind in KINDS:
                self.calls.labels(model, kind)
            for stage in STAGES:
                self.stage.labels(model, stage)
            for outcome in ANSWERS:
                self.answers.labels(model, outcome)

    def called(self, model: str, bucket: Bucket, rows: int, seconds: float) -> None:
        """A batch was computed."""
        self.calls.labels(model, "decode" if bucket.positions == 1 else "feed").observe(seconds)
        self.fill.labels(model).observe(rows / bucket.rows)
        self.rows.labels(model).inc(rows)

    def guessed(self, model: str, seconds: float) -> None:
        """Idle time was spent on what may be asked next."""
        self.calls.labels(model, "guess").observe(seconds)

    def answered(self, model: str, replies: Sequence[PlanReply]) -> None:
        """Requests were answered. Of one that is late it is known how long it waited."""
        for reply in replies:
            outcome = _outcome(reply)
            self.answers.labels(model, outcome).inc()
            if outcome in ("planned", "late"):
                self.stage.labels(model, "queue").observe(reply.queue_ms / 1000.0)
            if outcome == "planned":
                self.stage.labels(model, "batch_wait").observe(reply.batch_wait_ms / 1000.0)
                self.stage.labels(model, "device").observe(reply.device_ms / 1000.0)
                if not reply.batch:
                    self.ready_plans.labels(model).inc()

    def observe(self, models: Sequence[Model], state: Callable[[], WorkerState]) -> None:
        """Export how the worker is, asked at every scrape."""
        self.registry.register(_State(models, state))

    def serve(self, host: str, port: int) -> int:
        """Answer scrapes from a thread of their own; the port. Raises PortProblem."""
        try:
            self._server, _ = start_http_server(port, host, self.registry)
        except OSError as problem:
            raise PortProblem(host, port, problem.strerror or str(problem)) from None
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Close the port, if it was opened."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _State:
    """How the worker is at the moment of a scrape."""

    def __init__(self, models: Sequence[Model], state: Callable[[], WorkerState]) -> None:
        self._models = models
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """All series (the registry calls this)."""
        slots = GaugeMetricFamily("sideman_engine_slots", "Sessions a model can remember.", labels=["model"])
        used = GaugeMetricFamily("sideman_engine_slots_used", "Sessions a model remembers.", labels=["model"])
        evictions = CounterMetricFamily("sideman_engine_evictions", "Sessions a model had to forget for others.", labels=["model"])
        for model in self._models:
            slots.add_metric([model.name], model.slots)
            used.add_metric([model.name], model.slots_used)
            evictions.add_metric([model.name], model.evictions)
        yield from (slots, used, evictions)
        state = self._state()
        for name, text, value in (
            ("utilisation_ratio", "Ratio of the last second in which the device computed.", state.utilisation),
            (
                "wait_p90_seconds",
                "Seconds after which nine of ten plans of the last second had a first frame to answer with.",
                state.wait_p90_ms / 1000.0,
            ),
            ("waiting", "Requests that have no slot yet.", state.waiting),
            ("compiles_after_ready", "Compilations after readiness; anything but 0 delays plans.", state.compiles_after_ready),
            ("rss_bytes", "Resident memory of the worker, in bytes.", state.rss_bytes),
        ):
            yield GaugeMetricFamily(f"sideman_engine_{name}", text, value=value)


def _outcome(reply: PlanReply) -> str:
    return {"": "planned", LATE: "late", SUPERSEDED: "superseded"}.get(reply.problem, "refused")
