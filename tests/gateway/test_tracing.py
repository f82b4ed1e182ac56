"""Spans of ticks: nested, adding up, chosen by how they came out, and without a word about the music."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway import tracing
from gateway.errors import TracesUnavailable
from gateway.tracing import Answered, Traces, Trail, over_http, spans
from schema.client_messages import Applied, ChordRun, Keep, NoteEvent, Plan, Tick, Timing
from tests.doubles import SLOW_TEMPO

MS = 1_000_000
START = 1_000_000 * MS


def a_plan(seq=1, unrefined=0):
    chords = [ChordRun(5, 4, "Cm7", [36, 60], True)]
    return Plan(seq, 5, 7, chords, Timing(20.0, 2.0, 8.0, steps=3, reused=0.9, batch=2, unrefined=unrefined))


def answered(answer):
    return Answered(answer.seq, 4, START, START + 20 * MS, answer)


@pytest.fixture
def told():
    """What traces of every tick would export."""
    exporter = InMemorySpanExporter()
    traces = Traces(1.0, exporter)

    def finished():
        traces._provider.force_flush()
        return exporter.get_finished_spans()

    finished.traces = traces
    yield finished
    traces.close()


def test_the_spans_of_a_plan_lie_inside_each_other_and_add_up():
    made = list(spans(answered(a_plan()), "ab", 50.0))
    lasted = [(span.name, (span.end_ns - span.start_ns) / MS, span.parent) for span in made]
    assert lasted == [
        ("round trip", 50.0, None),
        ("tick", 20.0, "round trip"),
        ("link", 5.0, "tick"),
        ("queue", 2.0, "tick"),
        ("device", 8.0, "tick"),
        ("link", 5.0, "tick"),
    ]
    assert made[0].start_ns == START - 15 * MS
    assert [inner.end_ns for inner in made[2:-1]] == [inner.start_ns for inner in made[3:]]


def test_without_a_round_trip_the_gateways_share_is_the_whole():
    assert next(spans(answered(a_plan()), "ab", None)).parent is None


def test_a_keep_has_no_stages():
    made = list(spans(answered(Keep(1, "late")), "ab", None))
    assert [span.name for span in made] == ["tick"]
    assert made[0].attributes["outcome"] == "keep_late"


def test_spans_name_the_session_and_nothing_that_was_played():
    made = list(spans(answered(a_plan()), "ab", 50.0))
    assert made[0].attributes == {"session": "ab", "seq": 1, "frame": 4, "outcome": "fresh"}
    assert "Cm7" not in str(made)


@pytest.mark.parametrize(
    ("answer", "share", "is_told"),
    [
        (a_plan(), 1.0, True),
        (a_plan(), 0.0, False),
        (a_plan(unrefined=2), 0.0, True),
        (Keep(1, "late"), 0.0, True),
        (Keep(1, "listening"), 1.0, False),
    ],
)
def test_what_came_late_or_cut_is_always_told_and_of_the_rest_a_share(answer, share, is_told):
    exporter = InMemorySpanExporter()
    traces = Traces(share, exporter)
    traces.tell(answered(answer), "ab", None)
    traces.close()
    assert bool(exporter.get_finished_spans()) == is_told


def test_about_as_many_are_told_as_the_share_says():
    traces = Traces(0.1, InMemorySpanExporter())
    chosen = sum(traces._chosen(f"{session:016x}", seq) for session in range(50) for seq in range(100))
    traces.close()
    assert 300 < chosen < 700


def test_a_tick_is_told_once_with_the_round_trip_of_the_tick_that_applies_its_plan(told):
    trail = Trail(told.traces, "ab")
    trail.ticked(Tick(1, 4))
    trail.answered(a_plan(1))
    trail.ticked(Tick(2, 5, applied=Applied(1, 5), round_trip_ms=40.0))
    trail.answered(a_plan(2))
    trail.answered(a_plan(9))  # of a tick nobody knows
    trail.end()
    trail.end()
    assert [span.name for span in told()].count("tick") == 2
    assert [span.attributes["seq"] for span in told() if span.name == "round trip"] == [1]


def test_ticks_that_are_never_answered_are_forgotten(told):
    trail = Trail(told.traces, "ab")
    for seq in range(1000):
        trail.ticked(Tick(seq, seq))
    assert len(trail._unanswered) == tracing.MAX_UNANSWERED


async def test_a_gateway_with_traces_tells_where_the_time_of_a_tick_went(open_house, monkeypatch):
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("gateway.server.over_http", lambda url, share: Traces(share, exporter))
    house = await open_house(traces="http://127.0.0.1:4318/v1/traces", traces_share=1.0)
    async with house.client() as client:
        session = (await client.hello()).session
        await client.ask(SLOW_TEMPO)
        await client.ask(Tick(1, 0, [NoteEvent(0, 60, True)]))
        await client.ask(Tick(2, 1, applied=Applied(1, 1), round_trip_ms=700.0))
    await house.until(lambda: house.metric("sessions") == 0)
    house.gateway.traces._provider.force_flush()
    ticks = {span.attributes["seq"]: span for span in exporter.get_finished_spans() if span.name == "tick"}
    assert set(ticks) == {1, 2}
    assert ticks[1].attributes["session"] == session
    assert ticks[1].parent is not None
    assert ticks[2].parent is None


def test_without_the_packages_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracesUnavailable, match=r"pip install 'sideman\[otel\]'"):
        over_http("http://127.0.0.1:4318/v1/traces", 1.0)


def test_spans_go_over_http_to_the_endpoint_that_was_named():
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever).start()
        traces = over_http(f"http://127.0.0.1:{collector.server_port}/v1/traces", 1.0)
        traces.tell(answered(a_plan()), "ab", 50.0)
        traces.close()
        collector.shutdown()
    ((path, body),) = received
    assert path == "/v1/traces"
    assert all(name in gzip.decompress(body) if body[:2] == b"\x1f\x8b" else name in body for name in (b"sideman-gateway", b"round trip"))
