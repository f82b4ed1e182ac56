"""Every series the gateway exports, in a registry of its own, and the port they are read from. Shell.

Names begin with `sideman_` and use base units. Labels come from closed sets: stages, outcomes, codes, message types, and the
names of the models the workers report. No session, address or text is ever a label.
"""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from gateway.session import Effects
from gateway.settings import GatewaySettings
from schema.client_messages import Error, GatewayMessage, Keep, KeepReason, Plan, Welcome
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
OUTCOMES = ("fresh", "unrefined", *(f"keep_{reason}" for reason in get_args(KeepReason)))
MESSAGES = ("hello", "configure", "history", "tick", "harmonize", "reset", "bye")
WARM_STARTS = ("done", "late", "unavailable")
HANDSHAKE_REFUSALS = ("origin", "pending_handshakes", "handshake_size", "handshake_rate")
REFUSALS = (*(str(code) for code in ErrorCode), *HANDSHAKE_REFUSALS)
CLOSE_CODES = (*(str(close.code) for close in CLOSES), "1001", "1002", "1003", "1005", "1006", "1007", "other")


class HttpAnswer(NamedTuple):
    """An answer of the metrics port."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


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
        self.plans = self._counter(
            "plans", "Answers to ticks by outcome: whole fresh plans, plans cut at their deadline, and keeps by their reason.", "outcome"
        )
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
        self.warm_starts = self._counter("warm_starts", "Warm starts tried, by outcome.", "outcome")
        self.exist(self.plans, OUTCOMES)
        self.exist(self.warm_starts, WARM_STARTS)

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

    def sent(self, message: GatewayMessage) -> None:
        """A message left for its player."""
        match message:
            case Plan():
                self._plan(message)
            case Keep():
                self.plans.labels(f"keep_{message.reason}").inc()
            case Error():
                self.refusals.labels(message.code).inc()
            case Welcome():
                self.sessions_started.inc()

    def measured(self, round_trip_ms: float, budget_ms: float) -> None:
        """A client told its last round trip."""
        self.round_trip.observe(round_trip_ms / 1000.0)
        self.round_trip_budget.observe(round_trip_ms / budget_ms)

    def effects(self, effects: Effects, model: str) -> None:
        """What a session measured."""
        if effects.late_frames:
            self.late_frames.inc(effects.late_frames)
        if effects.decision_age_frames is not None:
            self.decision_age.observe(effects.decision_age_frames)
        if effects.planned_overlap:
            self.planned_overlap.inc(effects.planned_overlap)
            self.revised_chords.inc(effects.revised_chords)
        if effects.warm_start is not None:
            self.warm_starts.labels(effects.warm_start).inc()
        fitting, judged = effects.note_in_chord
        if judged:
            self.judged_frames.labels(model).inc(judged)
            self.in_chord_frames.labels(model).inc(fitting)

    def _plan(self, plan: Plan) -> None:
        self.plans.labels("unrefined" if plan.timing.unrefined else "fresh").inc()
        self.plan_steps.observe(plan.timing.steps)
        self.reused.observe(plan.timing.reused)
        self.batch_size.observe(plan.timing.batch)
        self.stage.labels("queue").observe(plan.timing.queue_ms / 1000.0)
        self.stage.labels("device").observe(plan.timing.device_ms / 1000.0)
        self.stage.labels("gateway").observe(plan.timing.gateway_ms / 1000.0)

    def close_code(self, code: int) -> None:
        """A connection ended."""
        self.closes.labels(str(code) if str(code) in CLOSE_CODES else "other").inc()

    def workers(self, states: Collection[WorkerState]) -> None:
        """How the connected workers are now."""
        self.workers_ready.set(sum(state.ready for state in states))
        self.worker_slots.set(sum(state.slots for state in states))
        self.worker_slots_used.set(sum(state.slots_used for state in states))
        self.worker_waiting.set(sum(state.waiting for state in states))
        self.worker_compiles.set(sum(state.compiles_after_ready for state in states))
        self.worker_rss.set(sum(state.rss_bytes for state in states))

    def exposition(self) -> HttpAnswer:
        """All series in the Prometheus text format."""
        return HttpAnswer(HTTPStatus.OK, generate_latest(self.registry), CONTENT_TYPE_LATEST)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"sideman_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"sideman_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"sideman_{name}", text, labels, registry=self.registry)


class MetricsPort:
    """A very small HTTP server for probes and scrapers: one GET or HEAD per connection, on the players' event loop."""

    def __init__(self, settings: GatewaySettings, answer: Callable[[str], HttpAnswer | None]) -> None:
        self._settings = settings
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Listen on a bound socket."""
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=self._settings.http_header_bytes)

    async def stop(self) -> None:
        """Stop listening and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._settings.max_http_connections:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(self._settings.http_timeout_s):
                    await self._respond(reader, writer)
        finally:
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        except asyncio.LimitOverrunError:
            method, answer = "GET", HttpAnswer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"headers over the limit: send less\n")
        except ValueError:
            method, answer = "GET", HttpAnswer(HTTPStatus.BAD_REQUEST, b"expected an HTTP request\n")
        else:
            answer = self._choose(method, path.partition("?")[0])
        lines = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + (b"" if method == "HEAD" else answer.body))
        await writer.drain()
        writer.write_eof()
        while await reader.read(self._settings.http_header_bytes):  # until the peer has taken everything and closes
            pass

    def _choose(self, method: str, path: str) -> HttpAnswer:
        if method not in ("GET", "HEAD"):
            return HttpAnswer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD are answered here\n")
        if path == "/healthz":
            return HttpAnswer(HTTPStatus.OK, b"the event loop answers\n")
        return self._answer(path) or HttpAnswer(HTTPStatus.NOT_FOUND, b"only /healthz, /readyz and /metrics are here\n")
