"""Where the time of single ticks went, as OpenTelemetry spans: round trip > tick > link, queue, device. Off unless asked for. Shell.

What is known of a tick comes in afterwards: its plan tells the stages, and the tick that applies the plan tells the round trip. So a
tick is kept until then, and then it is decided whether it is told: every late or cut one, and a share of all others. Spans name the
session and count frames; they hold no note, no chord, no token. `link` is what is neither waiting nor computing, half of it each way.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import TracesUnavailable
from schema.client_messages import Keep, Plan, Tick

if TYPE_CHECKING:  # the packages of sideman[otel] are only needed where traces are on
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OtelSpan

Attribute = str | int | float
MAX_UNANSWERED = 32
NS_PER_MS = 1_000_000
LISTENING = "keep_listening"


class Span(NamedTuple):
    """A stretch of time, and the one around it; times in ns since 1970."""

    name: str
    start_ns: int
    end_ns: int
    parent: str | None
    attributes: dict[str, Attribute]


class Answered(NamedTuple):
    """A tick with its answer."""

    seq: int
    frame: int
    arrived_ns: int
    sent_ns: int
    answer: Plan | Keep

    @property
    def outcome(self) -> str:
        """As the metrics have it."""
        if isinstance(self.answer, Keep):
            return f"keep_{self.answer.reason}"
        return "unrefined" if self.answer.timing.unrefined else "fresh"


def spans(answered: Answered, session: str, round_trip_ms: float | None) -> Iterator[Span]:
    """The spans of one tick, outer ones first; without a round trip the gateway's share is all there is."""
    told: dict[str, Attribute] = {"session": session, "seq": answered.seq, "frame": answered.frame, "outcome": answered.outcome}
    around = None
    if round_trip_ms is not None:
        beyond_ns = max(0, int(round_trip_ms * NS_PER_MS) - (answered.sent_ns - answered.arrived_ns))
        around = "round trip"
        yield Span(around, answered.arrived_ns - beyond_ns // 2, answered.sent_ns + beyond_ns - beyond_ns // 2, None, told)
    if isinstance(answered.answer, Keep):
        yield Span("tick", answered.arrived_ns, answered.sent_ns, around, told)
        return
    timing = answered.answer.timing
    made: dict[str, Attribute] = {"steps": timing.steps, "reused": timing.reused, "batch": timing.batch, "unrefined": timing.unrefined}
    yield Span("tick", answered.arrived_ns, answered.sent_ns, around, told | made)
    queue_ns, device_ns = int(timing.queue_ms * NS_PER_MS), int(timing.device_ms * NS_PER_MS)
    link_ns = max(0, answered.sent_ns - answered.arrived_ns - queue_ns - device_ns)
    moment = answered.arrived_ns
    for name, lasted_ns in (("link", link_ns // 2), ("queue", queue_ns), ("device", device_ns), ("link", link_ns - link_ns // 2)):
        yield Span(name, moment, moment + lasted_ns, "tick", {})
        moment += lasted_ns


class Traces:
    """Sends spans on."""

    def __init__(self, share: float, exporter: "SpanExporter") -> None:
        """`share` of the ticks that went well is told."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._share = share
        self._provider = TracerProvider(resource=Resource.create({"service.name": "sideman-gateway"}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sideman.gateway")

    def tell(self, answered: Answered, session: str, round_trip_ms: float | None) -> None:
        """Send the spans of a tick, if it is one that is told."""
        if answered.outcome == LISTENING or (answered.outcome == "fresh" and not self._chosen(session, answered.seq)):
            return
        from opentelemetry.trace import set_span_in_context

        begun: dict[str, OtelSpan] = {}
        for span in spans(answered, session, round_trip_ms):
            around = set_span_in_context(begun[span.parent]) if span.parent is not None else None
            begun[span.name] = self._tracer.start_span(span.name, context=around, start_time=span.start_ns, attributes=span.attributes)
            begun[span.name].end(end_time=span.end_ns)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _chosen(self, session: str, seq: int) -> bool:
        """The same for everybody who asks, and about as often as the share says; Knuth's multiplicative hash."""
        return (int(session, 16) + seq) * 2_654_435_761 % 2**32 < self._share * 2**32


def over_http(url: str, share: float) -> Traces:
    """Traces to an OTLP endpoint. Raises TracesUnavailable."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise TracesUnavailable(url) from None
    return Traces(share, OTLPSpanExporter(endpoint=url))


class Trail:
    """The ticks of one player that are not told yet."""

    def __init__(self, traces: Traces, session: str) -> None:
        self._traces = traces
        self._session = session
        self._unanswered: dict[int, tuple[int, int]] = {}  # seq -> frame, arrival
        self._answered: Answered | None = None  # until its round trip is known, or the next answer is sent

    def ticked(self, tick: Tick) -> None:
        """A tick was read."""
        if self._answered is not None and tick.applied is not None and tick.applied.seq == self._answered.seq:
            self._tell(tick.round_trip_ms)
        self._unanswered[tick.seq] = (tick.frame, time.time_ns())
        if len(self._unanswered) > MAX_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]

    def answered(self, answer: Plan | Keep) -> None:
        """An answer was sent."""
        known = self._unanswered.pop(answer.seq, None)
        if known is not None:
            self._tell(None)
            self._answered = Answered(answer.seq, *known, time.time_ns(), answer)

    def end(self) -> None:
        """The player has gone."""
        self._tell(None)

    def _tell(self, round_trip_ms: float | None) -> None:
        if self._answered is not None:
            self._traces.tell(self._answered, self._session, round_trip_ms)
            self._answered = None
