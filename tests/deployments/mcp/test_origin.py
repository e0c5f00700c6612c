"""What a tool changes is done in the name and the trace of its request, and to its end though the caller goes."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.middleware import Middleware

from deployments.gateway.mcp.asgi import McpDoor
from deployments.gateway.mcp.local_backend import LocalBackend
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.observability.install import install
from deployments.gateway.observability.tracing import open_tracing
from nt_ray.access.audit import ACTIVE, AuditLog
from nt_ray.access.roles import Principal, Role
from nt_ray.config.observability import Observability
from nt_ray.trader.books import Books
from nt_ray.trader.called import Called
from nt_ray.trader.connection import books_of
from nt_ray.trading.origin import Origin

WITHIN_S = 60.0
ORDER = {"account": "paper", "symbol": "AAPL", "side": "buy", "qty": 1, "type": "limit", "limit_price": "50",
         "time_in_force": "day"}  # fmt: skip
TRACE = "0af7651916cd43dd8448eb211c80319c"
Seen = list[tuple[str, Origin]]


class Known:
    """Lets everybody in."""

    def authenticate(self, *_: Any) -> Principal:
        return Principal(id="ann", role=Role.ADMIN, credential="test")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Calls of accounts, and where they say that they come from."""
    found: Seen = []
    within = Called.within

    def noted(self: Called, origin: Origin, method: str, *arguments: object) -> Any:
        found.append((method, origin))
        return within(self, origin, method, *arguments)

    monkeypatch.setattr(Called, "within", noted)
    return found


def entries(folder: Path) -> list[dict[str, Any]]:
    path = folder / ACTIVE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line)["what"] for line in lines]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_order_by_http_bears_the_ids_and_stands_in_the_trace_of_its_request(
    backend: LocalBackend, tmp_path: Path, seen: Seen, mode: str
) -> None:
    audit, spans = AuditLog(tmp_path, lambda: datetime.now(UTC)), InMemorySpanExporter()
    app = FastAPI(middleware=[Middleware(Envelope)])
    door = McpDoor(backend, Known(), audit=audit)
    app.router.routes.extend(door.routes)
    observed = install(app, Observability(), backend.accounts, open_tracing(Observability(), spans))
    headers = {"x-request-id": f"asked-{mode}", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    switch = {"name": "adaptive", "to": "mirror", "account": "paper", "reason": "tired"}

    async def run() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with (
            door.lifespan(),
            httpx2.AsyncClient(transport=transport, headers=headers) as http,
            Client(streamable_http_client("http://127.0.0.1:8000/mcp", http_client=http), mode=mode) as client,
        ):
            for name, asked in (
                ("execute_trade", {**ORDER, "client_order_id": f"named-{mode}"}), ("switch_active_strategy", switch),
            ):  # fmt: skip
                result = await client.call_tool(name, asked)
                assert not result.is_error, result.content

    anyio.run(run)
    observed.close()
    assert [method for method, _ in seen] == ["submit", "halt"]
    assert {origin.request_id for _, origin in seen} == {f"asked-{mode}"}
    assert {origin.trace_id for _, origin in seen} == {TRACE}
    assert {entry["request"] for entry in entries(tmp_path)} == {f"asked-{mode}"}
    mine = {span.name: span for span in spans.get_finished_spans() if span.context.trace_id == int(TRACE, 16)}
    order = mine["execute_trade"]
    assert f"{order.context.span_id:016x}" == seen[0][1].span_id
    assert order.parent.span_id == mine["mcp.execute_trade"].context.span_id
    assert mine["submit_to_broker"].parent.span_id == order.context.span_id
    assert mine["account.halt"].parent.span_id == mine["mcp.switch_active_strategy"].context.span_id


def test_a_call_that_no_request_brings_has_an_id_of_its_own(desk: Any, tmp_path: Path, seen: Seen) -> None:
    audited = replace(desk, audit=AuditLog(tmp_path, lambda: datetime.now(UTC)))
    for number in range(2):
        audited.answer("execute_trade", {**ORDER, "client_order_id": f"unasked-{number}"})
    ids = [origin.request_id for _, origin in seen]
    assert all(ids)
    assert len(set(ids)) == 2
    assert [entry["request"] for entry in entries(tmp_path)] == ids


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Calls of accounts that wait until a test lets them go on."""
    begun, go = threading.Event(), threading.Event()
    within = Called.within

    def waiting(self: Called, *arguments: Any) -> Any:
        begun.set()
        assert go.wait(20)
        return within(self, *arguments)

    monkeypatch.setattr(Called, "within", waiting)
    yield begun, go
    go.set()


def ordered(books: Books) -> bool:
    return "left-alone" in books.orders


def halted(books: Books) -> bool:
    return "strategy:risk_parity" in books.halts


@pytest.mark.parametrize(
    ("name", "asked", "is_done"),
    [
        ("execute_trade", {**ORDER, "client_order_id": "left-alone"}, ordered),
        ("switch_active_strategy", {"name": "risk_parity", "to": "mirror", "account": "paper", "reason": "x"}, halted),
    ],
)
def test_what_changes_something_is_done_and_written_down_though_its_caller_goes(
    desk: Any, tmp_path: Path, held: Any, name: str, asked: dict[str, Any], is_done: Callable[[Books], bool]
) -> None:
    audited = replace(desk, audit=AuditLog(tmp_path, lambda: datetime.now(UTC)))
    begun, go = held

    async def run() -> None:
        async with Client(audited.server()) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, name, asked)
                assert await anyio.to_thread.run_sync(begun.wait, WITHIN_S)
                group.cancel_scope.cancel()
            await client.list_tools()
            assert not entries(tmp_path)
            go.set()
            with anyio.fail_after(WITHIN_S):
                while not entries(tmp_path):
                    await anyio.sleep(0.02)

    anyio.run(run)
    assert [(entry["target"], entry["outcome"]) for entry in entries(tmp_path)] == [(name, "ok")]
    assert is_done(books_of(desk.backend.settings, "paper"))
