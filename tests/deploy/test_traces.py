"""Traces: off by default; of real processes the whole chain from the client's tick over gateway, queue and device to the plan."""

import gzip
import threading
from contextlib import AsyncExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.settings import GatewaySettings
from sideman_client.generated.messages import Configure
from tests.deploy.houses import gateway, play, toy_worker

SETTINGS = Configure(bpm=120.0, silence_beats=1, commit_beats=1)
CALL_MS = 5.0


@contextmanager
def collector():
    """An OTLP endpoint over HTTP: its address, and the spans it was sent."""
    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body)
            spans.extend(span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
        finally:
            server.shutdown()
            serving.join()


def test_they_are_off_by_default():
    assert GatewaySettings().traces == "off"


@pytest.mark.slow
async def test_a_jam_is_told_as_spans_from_the_clients_tick_to_its_plan(tmp_path):
    with collector() as (url, spans):
        async with AsyncExitStack() as stack:
            worker = await stack.enter_async_context(toy_worker(tmp_path / "worker.sock", call_ms=CALL_MS))
            traced = {"SIDEMAN_TRACES": url, "SIDEMAN_TRACES_SHARE": "1"}
            house = await stack.enter_async_context(gateway([worker.socket], environment=traced))
            jam = await play(house.url, name="near", seconds=3.0, settings=SETTINGS)
    by_id = {span.span_id: span for span in spans}
    planned = sum(frame.planned for frame in jam.frames)
    assert planned > 12
    assert {span.name for span in spans} == {"round trip", "tick", "link", "queue", "device"}
    paths = {(span.name, by_id[span.parent_span_id].name if span.parent_span_id else None) for span in spans}
    assert {("round trip", None), ("tick", "round trip"), ("link", "tick"), ("queue", "tick"), ("device", "tick")} <= paths
    computed = [span for span in spans if span.name == "device" and span.end_time_unix_nano > span.start_time_unix_nano]
    assert computed
    assert all(span.end_time_unix_nano - span.start_time_unix_nano >= CALL_MS * 1e6 * 0.99 for span in computed)
    for span in spans:
        if span.parent_span_id:
            around = by_id[span.parent_span_id]
            assert around.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= around.end_time_unix_nano + 1000
