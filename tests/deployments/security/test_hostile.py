"""What somebody sends who means ill: ways around the doors, bodies in two readings, floods, and what he may learn."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from actors.environment import _DEFAULTS
from deployments.gateway.middleware.limits import LengthError
from deployments.gateway.middleware.limits import Limits as Bounds
from deployments.gateway.middleware.strict_json import AmbiguousJsonError, check
from nt_ray.access.audit import AuditLog
from nt_ray.access.audit_lines import AuditError
from nt_ray.access.audit_reading import verify
from nt_ray.access.roles import Role
from nt_ray.config import load_settings

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/account/"), ("GET", "//v2/account"), ("GET", "/v2//account"), ("GET", "/v2/./account"),
        ("GET", "/v2/%61ccount"), ("GET", "/v2/account%2f"), ("GET", "/v2/account%00"), ("GET", "/V2/account"),
        ("GET", "/health/live/../../v2/account"), ("GET", "/assets/../v2/account"), ("GET", "/assets/%2e%2e%2fapp.py"),
        ("GET", "/v2/account;x=/health/live"), ("GET", "/api/v1/configuration/"), ("HEAD", "/v2/account"),
        ("OPTIONS", "/v2/account"), ("TRACE", "/v2/account"), ("get", "/v2/account"), ("GET", "/mcp/x"),
        ("GET", "/docs"), ("GET", "/redoc"), ("POST", "/health/live"), ("DELETE", "/v2/orders/"),
    ],
)  # fmt: skip
def test_no_way_of_writing_a_path_or_method_leads_around_the_door(house: Any, method: str, path: str) -> None:
    override = {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/health/live", "X-Rewrite-URL": "/health/live"}

    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        return await http.request(method, path, headers=override)

    told = house.run(ask)
    assert told.status_code in (401, 404, 405)
    # A redirect would have a client show its key again, to whomever the header Host names.
    assert "location" not in told.headers


TWO_READINGS = [
    (b'{"qty": "1", "qty": "100"}', "twice"),
    (b'{"a": {"b": 1, "b": 1}}', "twice"),
    (b'{"\\u0061": 1, "a": 2}', "twice"),
    (b'{"qty": NaN}', "NaN"),
    (b'{"qty": -Infinity}', "-Infinity"),
    (b"[" * 100_000, "deeper"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper"),
    (b'{"a": 1', "no JSON"),
    (b"{'a': 1}", "no JSON"),
    (b'\xff{"a": 1}', "no JSON"),
    (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
]


@pytest.mark.parametrize(("body", "why"), TWO_READINGS)
def test_a_body_that_may_be_read_in_two_ways_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(AmbiguousJsonError, match=why):
        check(body)


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b'{"a": "' + b"[" * 500 + b'"}', b'{"a": "\\"[[["}', b"[" * 64 + b"]" * 64, b"[[],[]]" * 1]
)
def test_brackets_in_texts_and_short_lists_are_no_nesting(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("path", ["/v2/orders", "/api/v1/jobs", "/mcp"])
@pytest.mark.parametrize("media", ["application/json", "application/problem+json", "text/plain", None])
def test_every_door_refuses_such_a_body_whatever_it_calls_it(house: Any, path: str, media: str | None) -> None:
    headers = {"X-API-Key": house.key(Role.ADMIN, accounts=["paper"])} | (
        {} if media is None else {"Content-Type": media}
    )

    async def ask(http: httpx.AsyncClient) -> list[int]:
        return [(await http.post(path, content=body, headers=headers)).status_code for body, _ in TWO_READINGS]

    assert house.run(ask) == [400] * len(TWO_READINGS)


def test_who_is_not_known_sends_no_large_body(house: Any) -> None:
    key = {"X-API-Key": house.key(Role.ADMIN, accounts=["paper"])}
    large = json.dumps({"symbol": "A" * 20_000}).encode()

    async def ask(http: httpx.AsyncClient) -> list[int]:
        unknown = await http.post("/v2/orders", content=large)
        known = await http.post("/v2/orders", content=large, headers=key)
        false = await http.post("/v2/orders", content=large, headers={"X-API-Key": "nt_A_b"})
        return [unknown.status_code, known.status_code, false.status_code]

    assert house.run(ask) == [413, 422, 401]


def test_an_assistant_who_has_no_seat_left_is_told_to_come_later(open_house: Callable[..., Any]) -> None:
    house = open_house(gateway__sockets_per_user="1")
    headers = {"X-API-Key": house.key(Role.READ_ONLY, name="ann"), "accept": "application/json, text/event-stream"}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    async def ask(http: httpx.AsyncClient) -> list[httpx.Response]:
        seats = house.app.state.seats
        # Sockets of any kind take it, since his calls may become streams.
        with seats.follower("ann"):
            refused = await http.post("/mcp", json=listing, headers=headers)
        answers = [refused, *[await http.post("/mcp", json=listing, headers=headers) for _ in range(2)]]
        assert not seats._taken
        return answers

    refused, *taken = house.run(ask, serves=True)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
    assert int(refused.headers["retry-after"]) > 0
    assert [told.status_code for told in taken] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"5"), (b"content-length", b"6")],
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"0x10")],
    ],
)
def test_a_body_has_one_length(headers: list[tuple[bytes, bytes]]) -> None:
    async def never(*_: Any) -> None:
        raise NotImplementedError

    layer = Bounds(never, 1000, 1.0)
    with pytest.raises(LengthError):
        asyncio.run(layer({"type": "http", "headers": headers, "state": {}}, never, never))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hops", "passed", "counted"),
    [
        ("0", None, "127.0.0.1"),
        ("0", "10.9.9.9", "127.0.0.1"),
        ("1", "10.9.9.9, 192.0.2.5", "192.0.2.5"),
        ("2", "10.9.9.9, 192.0.2.5", "10.9.9.9"),
        ("3", "10.9.9.9, 192.0.2.5", "127.0.0.1"),
    ],
)
def test_nobody_chooses_the_address_that_he_is_counted_by(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, hops: str, passed: str | None, counted: str
) -> None:
    for name, value in _DEFAULTS.items():
        monkeypatch.setenv(name, value)
    house = open_house(gateway__hops=hops)
    server = uvicorn.Config(house.app, lifespan="off")
    server.load()
    transport = httpx.ASGITransport(server.loaded_app, client=("127.0.0.1", 1))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            await http.post("/v2/orders", headers={} if passed is None else {"X-Forwarded-For": passed})

    asyncio.run(ask())
    assert entries(house)[-1]["what"]["address"] == counted


def test_without_redis_nobody_is_let_in_by_any_door_and_health_alone_is_told(
    open_house: Callable[..., Any], connect: Any
) -> None:
    house = open_house(access__redis="redis://nobody:very-secret@127.0.0.1:1/0")
    key = {"X-API-Key": house.key(Role.ADMIN, accounts=["paper"])}

    async def ask(http: httpx.AsyncClient) -> list[Any]:
        answers = [await http.get("/v2/account", headers=key), await http.get("/health/live")]
        answers += [await http.get("/health/ready"), await http.get("/health", headers={"X-API-Key": "nt_none"})]
        answers.append(await http.post("/api/v1/auth/token", data={"grant_type": "password"}))
        assert all("very-secret" not in told.text for told in answers)
        async with connect(house.app, "/stream/v1", key) as socket:
            return [*(told.status_code for told in answers), (await socket.next())["type"]]

    assert house.run(ask) == [503, 200, 503, 401, 503, "websocket.close"]


def test_nothing_is_changed_while_the_audit_log_takes_nothing(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = open_house()
    key = {"X-API-Key": house.key(Role.ADMIN)}
    path = "/api/v1/jobs/backtest-0000000000000001/cancel"
    put, full = AuditLog._put, True

    def on_a_full_disk(log: AuditLog, *given: Any) -> Any:
        if full:
            raise AuditError("The disk is full. Free it.")
        return put(log, *given)

    async def ask(http: httpx.AsyncClient) -> None:
        nonlocal full
        with monkeypatch.context() as patch:
            patch.setattr(AuditLog, "_put", on_a_full_disk)
            # What was under way has happened; the next one has not.
            assert [(await http.post(path, headers=key)).status_code for _ in range(3)] == [500, 500, 500]
            assert len(house.jobs.cancelled) == 1
            assert (await http.get("/api/v1/me", headers=key)).status_code == 200
            full = False
            assert (await http.post(path, headers=key)).status_code == 200

    house.run(ask)
    assert [entry["action"] for entry in entries(house)] == ["audit.resumed", "http.post"]
    assert verify(house.settings.access.folder / "audit").fault is None


def test_who_is_confined_to_an_account_hears_of_no_other(house: Any) -> None:
    confined, free = ({"X-API-Key": house.key(Role.ADMIN, accounts=of)} for of in (["paper"], None))
    paths = ("/health", "/api/v1/system", "/api/v1/accounts")

    async def ask(http: httpx.AsyncClient) -> None:
        for path in paths:
            assert "other" in (await http.get(path, headers=free)).text
            told = (await http.get(path, headers=confined)).text
            assert "paper" in told
            assert "other" not in told

    house.run(ask)


SECRETS = {
    "access.token_secret": "t0ken" * 16,
    "access.pepper": "p3pper" * 8,
    "access.redis": "redis://u:r3dis-password@127.0.0.1:1/0",
    "account.journal": "postgresql://u:p0stgres-password@127.0.0.1/x",
    "brokers.paper.secret": "br0ker-secret",
}
HIDDEN = ("t0ken", "p3pper", "r3dis-password", "p0stgres-password", "br0ker-secret")


def test_no_secret_of_the_settings_is_shown_by_anything_that_shows_them(tmp_path: Path) -> None:
    values = {"access.folder": str(tmp_path), "brokers.enabled": "paper", "brokers.paper.kind": "alpaca", **SECRETS}
    settings = load_settings(None, values | {"brokers.paper.key": "K"}, environ={})
    shown = [repr(settings), str(settings), settings.model_dump_json(), json.dumps(settings.resolved(), default=str)]
    assert not [secret for secret in HIDDEN for text in shown if secret in text]


def test_no_credential_is_repeated_in_an_answer_or_a_log(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    key = house.key(Role.ADMIN, accounts=["paper"])
    secret = key.split("_")[2]

    async def ask(http: httpx.AsyncClient) -> None:
        for headers in ({"X-API-Key": key + "x"}, {"Authorization": f"Bearer {secret}"}, {"Authorization": secret}):
            told = await http.post(f"/v2/orders/{secret[:8]}?x={secret}", json={secret: secret}, headers=headers)
            assert secret not in told.text
        for body in ({secret: 1}, {"symbol": secret}, {"client_order_id": secret * 9}, [secret]):
            told = await http.post("/v2/orders", json=body, headers={"X-API-Key": key})
            assert told.status_code == 422
            assert secret not in told.text
        assert secret not in (await http.get("/openapi.json")).text

    with caplog.at_level(logging.DEBUG):
        house.run(ask)
    assert secret not in caplog.text
    assert secret not in (house.settings.access.folder / "audit" / "audit.jsonl").read_text()


def entries(house: Any) -> list[dict[str, Any]]:
    text = (house.settings.access.folder / "audit" / "audit.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]
