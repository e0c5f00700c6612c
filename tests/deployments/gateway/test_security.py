"""Credentials that do not hold; what the middleware adds, bounds and writes down."""

import json
import socket
import time
from typing import Any

import httpx
import pytest

from nt_ray.access.roles import Role

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "60", "time_in_force": "day"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Bearer nonsense"}, "token_invalid"),
        ({"Authorization": "Basic YTpi"}, "invalid_credentials"),
        ({"X-API-Key": "nt_AAAAAAAAAAAAAAAA_bbbb"}, "invalid_credentials"),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}, "token_invalid"),
    ],
)
def test_a_credential_that_does_not_hold_is_a_401_with_a_stable_code(
    shared_desk: Any, headers: dict[str, str], code: str
) -> None:
    told = httpx.get(shared_desk.url + "/health", headers=headers)
    assert (told.status_code, told.json()["code"], told.headers["content-type"]) == (
        401, code, "application/problem+json"
    )  # fmt: skip
    assert told.headers["www-authenticate"].startswith("Bearer")
    assert told.json()["type"] == f"urn:nt-ray:problem:{code}"
    assert told.json()["request_id"] == told.headers["x-request-id"]


def test_somebody_with_several_accounts_names_one_and_gets_no_other(desk: Any) -> None:
    admin = desk.new_key(Role.ADMIN)
    assert httpx.get(desk.url + "/v2/account", headers=desk.headers(admin)).status_code == 403
    named = desk.headers(admin) | {"NT-Account": "paper"}
    assert httpx.get(desk.url + "/v2/account", headers=named).json()["account_number"] == "paper"
    stranger = desk.headers() | {"NT-Account": "other"}
    assert httpx.get(desk.url + "/v2/account", headers=stranger).status_code == 403


def test_each_answer_bears_an_id_and_security_headers_refusals_too(shared_desk: Any) -> None:
    given = httpx.get(shared_desk.url + "/health/live", headers={"X-Request-Id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    made = httpx.get(shared_desk.url + "/nowhere", headers={"X-Request-Id": "no spaces\tplease"})
    assert len(made.headers["x-request-id"]) == 32
    assert (made.status_code, made.json()["code"]) == (404, "not_found")
    for answer in (given, made):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    wrong = httpx.put(shared_desk.url + "/health/live")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


def test_changing_requests_are_in_the_audit_log_with_who_and_how_they_ended(desk: Any) -> None:
    with desk.client() as http:
        http.post("/v2/orders", json=ORDER, headers={"X-Request-Id": "audited"})
        http.get("/v2/orders")
        http.delete("/v2/orders/none")
    httpx.post(desk.url + "/v2/orders", json=ORDER)
    lines = (desk.audit.folder / "audit.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    text = json.dumps(entries)
    assert [(e["action"], e["what"]["outcome"], e["what"]["target"]) for e in entries] == [
        ("http.post", "200", "/v2/orders"),
        ("http.delete", "404", "/v2/orders/none"),
        ("http.post", "401", "/v2/orders"),
    ]
    assert [e["who"] for e in entries] == ["user-0", "user-0", "nobody"]
    assert entries[0]["what"]["request"] == "audited"
    assert desk.key in text
    assert desk.secret not in text


def test_who_asks_too_often_waits_and_is_told_how_long(shared_desk: Any) -> None:
    pair = shared_desk.new_key(Role.USER, frozenset({"paper"}), per_minute=6)
    with shared_desk.client(pair) as http:
        answers = [http.get("/v2/clock") for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 429, 429]
        assert 1 <= int(answers[1].headers["retry-after"]) <= 11
        assert answers[1].json()["code"] == 42910000
    with shared_desk.client() as http:
        assert http.get("/v2/clock").status_code == 200


def test_bodies_are_bounded_whether_their_length_is_told_or_not(open_desk: Any, plan: Any) -> None:
    desk = open_desk(plan, gateway__largest_body_kb=4)
    large = b'{"symbol": "' + b"A" * 5000 + b'"}'
    with desk.client(headers={"Content-Type": "application/json"}) as http:
        told = http.post("/v2/orders", content=large)
        assert told.status_code == 413

        def parts() -> Any:
            yield large[:2500]
            yield large[2500:]

        assert http.post("/v2/orders", content=parts()).status_code == 413
        assert http.post("/v2/orders", content=b"x", headers={"Content-Encoding": "gzip"}).status_code == 415
        assert http.post("/v2/orders", json=ORDER).status_code == 200


def test_a_body_that_does_not_come_and_an_answer_that_does_not_begin_end_in_time(open_desk: Any, plan: Any) -> None:
    desk = open_desk(plan, gateway__request_s=0.3)
    host, port = desk.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
    live = desk.backend.accounts.live["paper"]
    with live._changed, desk.client() as http:
        told = http.get("/v2/account")
    assert told.status_code == 504
    assert "may still happen" in told.json()["message"]


def test_cross_origin_pages_are_let_in_by_configuration_alone(open_desk: Any, plan: Any) -> None:
    page = {"Origin": "https://desk.example.com", "Access-Control-Request-Method": "GET"}
    desk = open_desk(plan, gateway__origins="https://desk.example.com")
    allowed = httpx.options(desk.url + "/v2/account", headers=page)
    assert allowed.headers["access-control-allow-origin"] == "https://desk.example.com"
    other = httpx.options(desk.url + "/v2/account", headers=page | {"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in other.headers


def test_long_answers_are_compressed_for_who_asks(shared_desk: Any) -> None:
    with shared_desk.client() as http:
        days = http.get("/v2/calendar", params={"start": "2020-01-01", "end": "2026-01-01"})
    assert days.headers["content-encoding"] == "gzip"
    assert len(days.json()) == 253 + 252 + 251 + 250 + 252 + 250


def test_what_nobody_expected_is_a_500_that_says_nothing_and_the_gateway_goes_on(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = desk.backend.accounts.live["paper"]

    def broken() -> None:
        raise RuntimeError("secret-path /etc/nowhere")

    monkeypatch.setattr(live, "overview", broken)
    with desk.client() as http:
        told = http.get("/v2/account")
        assert (told.status_code, told.json()["message"].split(".")[0]) == (500, "The server failed on this request")
        assert "secret-path" not in told.text
        assert told.headers["x-request-id"]
        assert http.get("/v2/clock").status_code == 200


def test_health_tells_each_account_and_who_is_away(shared_desk: Any) -> None:
    with shared_desk.client() as http:
        started = time.monotonic()
        while http.get("/health").json()["status"] != "up":
            assert time.monotonic() - started < 60
            time.sleep(0.05)
        found = http.get("/health").json()
    assert found["accounts"]["paper"]["account"] == "paper"
    assert found["accounts"]["paper"]["up"] is True
