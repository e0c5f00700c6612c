"""Traces reach a collector over HTTP, in the protocol's own encoding."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deployments.gateway.observability.tracing import add_steps, open_tracing, order_span
from nt_ray.config.observability import Observability
from nt_ray.trader.steps import Step

Got = list[tuple[str, bytes, str]]


@pytest.fixture
def collector() -> Iterator[tuple[str, Got]]:
    got: Got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, body, self.headers["Content-Type"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_orders_trace_arrives_at_the_collector(collector: tuple[str, Got]) -> None:
    address, got = collector
    tracing = open_tracing(Observability(otlp=address))
    with tracing.request("POST", []), order_span({"account": "paper"}) as is_traced:
        assert is_traced
        add_steps([Step("submit_to_broker", 5, 9)])
    tracing.close()
    spans = []
    for path, body, kind in got:
        assert (path, kind) == ("/v1/traces", "application/x-protobuf")
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            spans += [span for scope in resource.scope_spans for span in scope.spans]
    assert {span.name for span in spans} == {"POST", "execute_trade", "submit_to_broker"}
    assert len({span.trace_id for span in spans}) == 1
    step = next(span for span in spans if span.name == "submit_to_broker")
    assert (step.start_time_unix_nano, step.end_time_unix_nano) == (5, 9)


def test_outside_a_traced_request_an_order_is_not_traced() -> None:
    tracing = open_tracing(Observability())
    with tracing.request("POST", []), order_span({"account": "paper"}) as is_traced:
        assert not is_traced
        add_steps([Step("submit_to_broker", 5, 9)])
    tracing.close()
