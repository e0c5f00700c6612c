"""Traces reach a collector over HTTP in the protocol's own encoding: a client's order from its trace to the venue."""

import time
from typing import Any

import httpx
import pytest

from deployments.gateway.observability.install import install
from deployments.gateway.observability.tracing import open_tracing
from nt_ray.config.observability import Observability

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "90", "time_in_force": "gtc"}


def test_a_clients_trace_goes_through_gate_and_journal_to_the_venue(
    open_desk: Any, plan: Any, simulator: Any, collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[httpx.Request] = []
    carry = httpx.HTTPTransport.handle_request

    def noted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return carry(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", noted)
    observed: list[Any] = []

    def observe(app: Any, _: Any, backend: Any, __: Any) -> None:
        observed.append(install(app, Observability(otlp=collector.address), backend.accounts))

    desk = open_desk(plan, complete=observe)
    before = time.time_ns()
    with desk.client(headers={"traceparent": f"00-{TRACE}-{CALLER}-01"}) as client:
        answer = client.post("/v2/orders", json=ORDER | {"client_order_id": "traced-1"})
        assert answer.status_code == 200, answer.text
        client.delete(f"/v2/orders/{answer.json()['id']}")
    # A request's span ends once its answer has been read.
    for _ in range(3_000):
        observed[0].tracing._provider.force_flush()
        if any(span.name == "DELETE /v2/orders/{id_}" for span in collector.spans()):
            break
        time.sleep(0.01)
    after = time.time_ns()
    observed[0].close()

    spans = [span for span in collector.spans() if span.trace_id.hex() == TRACE]
    names = {span.span_id.hex(): span.name for span in spans} | {CALLER: "caller"}
    way = {(span.name, names[span.parent_span_id.hex()]) for span in spans}
    assert way >= {
        ("POST /v2/orders", "caller"), ("validate_order", "POST /v2/orders"), ("execute_trade", "POST /v2/orders"),
        ("check_risk_limits", "execute_trade"), ("gate", "check_risk_limits"), ("journal", "check_risk_limits"),
        ("submit_to_broker", "execute_trade"), ("send", "submit_to_broker"), ("POST", "send"),
        ("update_portfolio", "execute_trade"), ("account.cancel", "DELETE /v2/orders/{id_}"),
        ("DELETE", "account.cancel"),
    }  # fmt: skip
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        around = by_id.get(span.parent_span_id)
        first, last = (before, after) if around is None else (around.start_time_unix_nano, around.end_time_unix_nano)
        assert first <= span.start_time_unix_nano <= span.end_time_unix_nano <= last, span.name
    asked = next(span for span in spans if span.name == "POST")
    facts = {fact.key: fact.value.string_value or fact.value.int_value for fact in asked.attributes}
    assert facts == {"http.request.method": "POST", "url.path": "/v2/orders", "http.response.status_code": 200}
    # The venue learns nothing of it.
    (order,) = [request for request in sent if request.method == "POST" and request.url.port == simulator.port]
    assert not {"traceparent", "tracestate", "baggage", "x-request-id"} & set(order.headers)
    assert TRACE not in order.content.decode()


def test_a_collector_that_is_away_is_given_up_and_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracing = open_tracing(Observability(otlp="http://127.0.0.1:9"))
    for _ in range(100):
        with tracing.request("GET", []):
            pass
    tracing.close()
    assert 1 <= len(caplog.records) <= 5
