"""Metrics, health, logs and traces of an application, as their readers get them."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.parser import text_string_to_metric_families
from starlette.websockets import WebSocketDisconnect

from deployments.gateway.observability import observer
from nt_ray.trading.origin import Origin

Build = Callable[..., FastAPI]
ADMIN = {"Authorization": "Bearer admin"}
READER = {"Authorization": "Bearer read_only"}


def ask(
    app: FastAPI, *paths: str, client: str = "127.0.0.1", method: str = "GET", headers: dict[str, str] | None = None
) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as session:
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
    assert of(found, "process_resident_memory_bytes", replica="alone") > 1e6
    assert of(found, "gateway_replicas") == 1


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
    assert (of(found, "venue_up", account="east"), of(found, "account_fenced", account="east")) == (1, 0)
    assert of(found, "orders_in_doubt", account="east") == 2


def test_risk_is_told_where_it_is_known_with_the_limits_that_are_set(build: Build) -> None:
    found = samples(ask(build(), "/metrics")[0])
    assert of(found, "portfolio_value_at_risk", account="paper", confidence="0.95") == 0.021
    assert of(found, "portfolio_expected_shortfall", account="paper", confidence="0.95") == 0.034
    told = {name: {dict(key[1])["limit"]: value for key, value in found.items() if key[0] == name
                   and dict(key[1])["account"] == "paper"} for name in ("risk_used", "risk_limit")}  # fmt: skip
    assert told == {
        "risk_used": {"max_heat": 0.015, "max_drawdown": 0.05}, "risk_limit": {"max_heat": 0.02, "max_var": 0.1}
    }  # fmt: skip


def test_jobs_and_sessions_are_told_by_state_and_never_by_name(build: Build) -> None:
    found = samples(ask(build(), "/metrics")[0])
    jobs = {dict(key[1])["state"]: value for key, value in found.items() if key[0] == "jobs"}
    assert jobs == {"queued": 2, "running": 0, "succeeded": 0, "failed": 1, "cancelled": 0}
    sessions = {
        (dict(key[1])["account"], dict(key[1])["condition"])
        for key, value in found.items()
        if key[0] == "live_sessions" and value
    }
    assert sessions == {("paper", "traded"), ("paper", "late"), ("paper", "beginning"), ("east", "traded")}
    assert of(found, "live_sessions", account="paper", condition="failed") == 0
    began = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
    assert of(found, "live_sessions_last_look_seconds", account="paper") == began
    assert of(found, "live_sessions_last_look_seconds", account="east") == began + 300
    assert of(found, "keepers_answered") == 1
    assert "s-1" not in str(found)


def test_a_keeper_that_is_away_has_no_series_and_the_scrape_says_so(build: Build, platform: Any) -> None:
    platform.sessions.is_away = True
    found = samples(ask(build(), "/metrics")[0])
    assert of(found, "keepers_answered") == 0
    assert of(found, "jobs", state="queued") == 2
    assert not [key for key in found if key[0].startswith("live_sessions")]
    assert of(found, "portfolio_value", account="paper") == 1234.5


def test_an_account_that_is_silent_is_left_out_and_the_scrape_says_so(build: Build, platform: Any) -> None:
    platform.silent = {"east"}
    found = samples(ask(build(), "/metrics")[0])
    assert of(found, "accounts_answered") == 0
    assert of(found, "portfolio_value", account="paper") == 1234.5
    assert not [key for key in found if ("account", "east") in key[1] and not key[0].startswith("live_sessions")]


def test_scrapes_that_come_together_ask_each_account_once(build: Build, platform: Any) -> None:
    app = build()
    ask(app, *["/metrics"] * 5)
    # Its tally and its status, of two accounts.
    assert platform.asked == 4


@pytest.mark.parametrize(
    ("readers", "client", "headers", "status"),
    [
        ("loopback", "127.0.0.1", {}, 200),
        ("loopback", "::1", {}, 200),
        ("loopback", "10.0.0.9", {}, 401),
        ("loopback", "127.0.0.1", {"Host": "rebound.example"}, 401),
        ("loopback", "127.0.0.1", {"X-Forwarded-For": "10.0.0.9"}, 401),
        # A page of elsewhere whose name was made to lead to this machine.
        ("loopback", "127.0.0.1", {"Host": "evil.example"}, 401),
        ("loopback", "127.0.0.1", {"Host": "[::1]:8080"}, 200),
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
    (line,) = ask(app, f"/api/v1/logs?cursor={page['next']}", headers=ADMIN)[0].json()["lines"]
    assert json.loads(line["text"])["message"] == "Something new."
    assert ask(app, "/api/v1/logs?cursor=nonsense", headers=ADMIN)[0].json()["code"] == "cursor"
    assert ask(app, "/api/v1/logs", headers=READER)[0].status_code == 403
    assert ask(app, "/api/v1/logs")[0].status_code == 401
    assert ask(app, "/api/v1/logs?limit=5000", headers=ADMIN)[0].status_code == 422


def test_an_orders_spans_stand_within_its_request_and_the_callers_trace(
    build: Build, exporter: InMemorySpanExporter, platform: Any
) -> None:
    app = build(traced=True)
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    ask(app, "/orders", method="POST", headers={"traceparent": f"00-{trace_id}-{caller}-01", "X-Request-Id": "r-5"})
    app.state.observation.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {trace_id}
    own = {f"{span.context.span_id:016x}": name for name, span in spans.items()} | {caller: "caller"}
    assert {name: own[f"{span.parent.span_id:016x}"] for name, span in spans.items()} == {
        "POST /orders": "caller", "validate_order": "POST /orders", "execute_trade": "POST /orders",
        "check_risk_limits": "execute_trade", "gate": "check_risk_limits", "submit_to_broker": "execute_trade",
        "send": "submit_to_broker", "POST": "send",
    }  # fmt: skip
    assert (spans["POST"].start_time, spans["POST"].end_time, spans["POST"].kind) == (2600, 7000, SpanKind.CLIENT)
    assert (spans["POST"].status.status_code, spans["POST"].status.description) == (StatusCode.ERROR, "ReadTimeout")
    assert spans["send"].attributes == {"order_id": "o1"}
    # The account is told where the call comes from, so that its log can be put beside the trace.
    (told,) = platform.origins
    assert told == Origin("r-5", trace_id, f"{spans['execute_trade'].context.span_id:016x}")
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


def test_an_untraced_order_still_tells_the_account_its_request(build: Build, platform: Any) -> None:
    ask(build(), "/orders", method="POST", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "X-Request-Id": "r"})
    assert platform.origins == [Origin("r")]


@pytest.mark.parametrize("given", ["00-zz-yy-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000, ""])
def test_a_traceparent_that_is_none_begins_a_trace_of_our_own(
    build: Build, exporter: InMemorySpanExporter, given: str
) -> None:
    app = build(traced=True)
    assert ask(app, "/things/1", headers={"traceparent": given})[0].status_code == 200
    app.state.observation.close()
    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert span.context.is_valid


def test_an_error_of_a_request_puts_its_type_and_not_its_text_into_the_trace(
    build: Build, exporter: InMemorySpanExporter
) -> None:
    app = build(traced=True)
    ask(app, "/broken")
    app.state.observation.close()
    (span,) = exporter.get_finished_spans()
    assert "by design" not in span.to_json()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "RuntimeError")


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_request_whose_answer_begins_late_has_a_warning_whatever_is_logged_and_a_stream_has_none(
    build: Build, platform: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "time", SimpleNamespace(perf_counter=lambda: platform.now))
    ask(build(log_requests="none", slow_s=2.0), "/slow", "/long", headers=READER)
    (line,) = logged(capsys)
    assert (line["level"], line["message"], line["path"], line["status"]) == ("warning", "slow request", "/slow", 200)
    assert (line["principal"], line["seconds"]) == ("read_only", 2.0)


@pytest.mark.parametrize(
    ("logs", "code", "count"),
    [("all", 1000, 1), ("failed", 1000, 0), ("failed", 1011, 1), ("failed", 403, 1), ("none", 1011, 0)],
)
def test_a_websocket_has_a_line_at_its_end(
    build: Build, capsys: pytest.CaptureFixture[str], logs: str, code: int, count: int
) -> None:
    client = TestClient(build(log_requests=logs), client=("127.0.0.1", 5000))
    try:
        with client.websocket_connect(f"/socket?code={code}&token=verysecret") as socket:
            socket.receive()
    except WebSocketDisconnect:
        assert code == 403
    lines = [line for line in logged(capsys) if line["message"] == "websocket"]
    assert [(line["path"], line["status"]) for line in lines] == [("/socket", 1000 if code == 403 else code)] * count
    assert all(line["request_id"] and "verysecret" not in str(line) for line in lines)


SECRETS = [
    "nt_ABCDEFGH23456723_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "ntr_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl",
]  # fmt: skip


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_credential_reaches_the_log_by_header_path_query_body_or_error(
    build: Build, capsys: pytest.CaptureFixture[str], log_format: str, secret: str
) -> None:
    app = build(log_requests="all", log_format=log_format, traced=True)
    bodies = [secret, json.dumps({"a": [{"b": secret}]}), f"x={secret}&y=1", f"{secret} " * 50, f"\n\t{secret}\n"]

    async def run() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as session:
            for header in (
                "Authorization",
                "X-API-Key",
                "APCA-API-SECRET-KEY",
                "Cookie",
                "X-Request-Id",
                "traceparent",
            ):
                await session.get("/things/1", headers={header: secret})
            await session.get(f"/things/{secret}", params={"key": secret})
            for body in bodies:
                await session.post(f"/echo/{secret}", content=body, params={"state": secret})
            await session.get("/broken", headers={"Authorization": f"Bearer {secret}"})

    asyncio.run(run())
    written = capsys.readouterr().err
    assert written.count("request") >= 10
    kept = "\n".join(line.text for line in app.state.observation.tail.newest(1000))
    for text in (written, kept):
        assert secret not in text
        assert secret.split("_")[-1].split(".")[-1] not in text


def test_a_path_makes_no_line_of_its_own_in_a_log_of_plain_text(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(build(log_requests="all", log_format="text"), "/no%0Aadmin%20logged%20in%1b[2J")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
