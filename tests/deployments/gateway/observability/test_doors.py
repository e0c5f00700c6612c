"""Metrics, health, logs and traces of an application, as their readers get them."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

Build = Callable[..., FastAPI]
ADMIN = {"Authorization": "Bearer admin"}
READER = {"Authorization": "Bearer read_only"}


def ask(
    app: FastAPI, *paths: str, client: str = "127.0.0.1", method: str = "GET", headers: dict[str, str] | None = None
) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as session:
            return [await session.request(method, path, headers=headers) for path in paths]

    return asyncio.run(run())


def samples(response: httpx.Response) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def of(found: dict[Any, float], name: str, **labels: str) -> float:
    return found[(name, frozenset(labels.items()))]


def test_requests_are_counted_by_method_and_status_and_timed(build: Build) -> None:
    found = samples(ask(build(), "/things/1", "/things/2", "/none", "/broken", "/metrics")[-1])
    assert of(found, "http_requests_total", method="GET", status="200") == 2
    assert of(found, "http_requests_total", method="GET", status="404") == 1
    assert of(found, "http_requests_total", method="GET", status="500") == 1
    assert of(found, "http_request_duration_seconds_count", method="GET") == 4
    assert of(found, "http_requests_in_flight") == 1
    assert of(found, "process_resident_memory_bytes") > 1e6


def test_a_method_that_nobody_knows_makes_no_label_of_its_own(build: Build) -> None:
    app = build()
    ask(app, "/things/1", method="BREW")
    found = samples(ask(app, "/metrics")[0])
    assert of(found, "http_requests_total", method="OTHER", status="405") == 1
    assert not [key for key in found if ("method", "BREW") in key[1]]


def test_what_accounts_traded_is_told_by_account_strategy_and_symbol(build: Build) -> None:
    found = samples(ask(build(), "/metrics")[0])
    traded = {"account": "paper", "strategy": "momentum", "symbol": "AAPL"}
    assert of(found, "trades_executed_total", **traded) == 3
    assert of(found, "trade_pnl", **traded) == 12.5
    assert of(found, "trade_pnl", account="east", strategy='odd"\n', symbol="BRK.B") == -2
    assert of(found, "portfolio_value", account="paper") == 1234.5
    assert of(found, "orders", account="paper", status="denied") == 2
    assert of(found, "orders_denied_total", account="paper", rule="max_heat") == 2
    assert of(found, "trading_halts", account="east") == 1
    assert of(found, "loss_rules_tripped", account="east") == 1
    assert of(found, "accounts_answered") == 1


def test_an_account_that_is_silent_is_left_out_and_the_scrape_says_so(build: Build, platform: Any) -> None:
    platform.silent = {"east"}
    found = samples(ask(build(), "/metrics")[0])
    assert of(found, "accounts_answered") == 0
    assert of(found, "portfolio_value", account="paper") == 1234.5
    assert not [key for key in found if ("account", "east") in key[1]]


def test_scrapes_that_come_together_ask_each_account_once(build: Build, platform: Any) -> None:
    app = build()
    ask(app, *["/metrics"] * 5)
    assert platform.asked == 2


@pytest.mark.parametrize(
    ("readers", "client", "headers", "status"),
    [
        ("loopback", "127.0.0.1", {}, 200),
        ("loopback", "::1", {}, 200),
        ("loopback", "10.0.0.9", {}, 401),
        ("loopback", "127.0.0.1", {"X-Forwarded-For": "10.0.0.9"}, 401),
        ("loopback", "10.0.0.9", READER, 200),
        ("everybody", "10.0.0.9", {}, 200),
        ("nobody", "127.0.0.1", {}, 401),
        ("nobody", "127.0.0.1", READER, 200),
    ],
)
def test_who_reads_metrics_is_set(
    build: Build, readers: str, client: str, headers: dict[str, str], status: int
) -> None:
    assert ask(build(metrics=readers), "/metrics", client=client, headers=headers)[0].status_code == status


def test_lines_of_the_log_are_json_with_their_ids_and_without_secrets(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    app = build(log_requests="all", traced=True)
    ask(app, "/things/7?api_key=verysecret", headers={"X-Request-Id": "r-77", **ADMIN})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    looked = next(line for line in lines if line["module"] == "somewhere.else")
    assert looked["message"] == "Looked at 7 with token=***"
    assert (looked["request_id"], looked["order_id"], looked["level"]) == ("r-77", "o-7", "info")
    assert len(looked["trace_id"]) == 32
    assert looked["timestamp"].endswith("Z")
    request = next(line for line in lines if line["message"] == "request")
    assert (request["path"], request["status"], request["request_id"]) == ("/things/7", 200, "r-77")
    assert "verysecret" not in json.dumps(lines)


def test_failed_requests_alone_are_logged_by_default_and_an_unusable_id_is_replaced(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(build(), "/things/7", "/none", headers={"X-Request-Id": 'x" y'})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (request,) = [line for line in lines if line["message"] == "request"]
    assert request["status"] == 404
    assert len(request["request_id"]) == 32


def test_an_admin_reads_the_newest_lines_and_nobody_else_does(build: Build) -> None:
    app = build(log_tail=3)
    first, *_ = ask(app, "/things/1", "/things/2", "/things/3", "/things/4", headers=ADMIN)
    assert first.status_code == 200
    page = ask(app, "/api/v1/logs?limit=2", headers=ADMIN)[0].json()
    assert [json.loads(line["text"])["order_id"] for line in page["lines"]] == ["o-3", "o-4"]
    log = logging.getLogger("more")
    log.warning("Something new.")
    (line,) = ask(app, f"/api/v1/logs?after={page['last']}", headers=ADMIN)[0].json()["lines"]
    assert json.loads(line["text"])["message"] == "Something new."
    assert ask(app, "/api/v1/logs", headers=READER)[0].status_code == 403
    assert ask(app, "/api/v1/logs")[0].status_code == 401
    assert ask(app, "/api/v1/logs?limit=5000", headers=ADMIN)[0].status_code == 422


def test_an_orders_spans_stand_within_its_request_and_the_callers_trace(
    build: Build, exporter: InMemorySpanExporter
) -> None:
    app = build(traced=True)
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    ask(app, "/orders", method="POST", headers={"traceparent": f"00-{trace_id}-{caller}-01"})
    app.state.observation.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"POST /orders", "execute_trade", "check_risk_limits", "submit_to_broker"}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {trace_id}
    parents = {name: f"{span.parent.span_id:016x}" for name, span in spans.items() if span.parent}
    own = {name: f"{span.context.span_id:016x}" for name, span in spans.items()}
    assert parents == {
        "POST /orders": caller,
        "execute_trade": own["POST /orders"],
        "check_risk_limits": own["execute_trade"],
        "submit_to_broker": own["execute_trade"],
    }
    assert (spans["submit_to_broker"].start_time, spans["submit_to_broker"].end_time) == (2000, 9000)
    assert spans["POST /orders"].attributes["http.response.status_code"] == 200


def test_a_route_is_named_by_its_template_so_that_ids_make_no_names(
    build: Build, exporter: InMemorySpanExporter
) -> None:
    app = build(traced=True)
    ask(app, "/things/1", "/things/2", "/nowhere")
    app.state.observation.close()
    assert sorted({span.name for span in exporter.get_finished_spans()}) == ["GET", "GET /things/{number}"]


def test_nothing_is_traced_unless_a_collector_is_named(build: Build) -> None:
    assert not build().state.observation.tracing.is_on
