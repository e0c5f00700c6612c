"""The official client through standard input and output of a real process, and through HTTP with credentials."""

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from deployments.gateway.mcp import local_jobs
from deployments.gateway.mcp.asgi import McpDoor, gateway_door, principal_of
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.local_backend import LocalBackend
from deployments.gateway.mcp.server import build_server
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.roles import GRANTS, Principal, Role
from nt_ray.config import load_settings
from nt_ray.trader.jobs.job import JobCancelledError

WITHIN_S = 60.0
REPOSITORY = Path(__file__).parents[3]
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def test_an_assistant_starts_the_command_and_calls_tools(tmp_path: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "jobs.cli", "mcp", "--role", "read_only", "--runs", str(tmp_path / "runs")],
        cwd=REPOSITORY,
    )

    async def run() -> None:
        async with Client(command) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert tools == {name for name, tool in TOOLS.items() if tool.scope in GRANTS[Role.READ_ONLY]}
            result = await client.call_tool(
                "calculate_kelly_criterion", {"probability": 0.6, "odds": 2.0, "bankroll": 100}
            )
            assert result.structured_content["recommended_stake"] == "20.00"
            refused = await client.call_tool("run_backtest", {"strategy": "momentum"})
            assert refused.structured_content["error"]["code"] == "forbidden"

    anyio.run(run)


@pytest.fixture(scope="module")
def gatekeeper(tmp_path_factory: pytest.TempPathFactory) -> Gatekeeper:
    folder = tmp_path_factory.mktemp("access")
    return open_gatekeeper(
        load_settings(None, {"access.folder": str(folder), "access.password_memory_mb": "1"}, environ={}).access
    )


@pytest.fixture(scope="module")
def key(gatekeeper: Gatekeeper) -> Callable[..., dict[str, str]]:
    """Headers with a new key of a new user."""

    def make(role: Role, **more: Any) -> dict[str, str]:
        name = f"user-{len(gatekeeper.users.all())}"
        gatekeeper.users.add(name, role)
        made = gatekeeper.keys.add(name, label="test", **more)
        return {"APCA-API-KEY-ID": made.key.id, "APCA-API-SECRET-KEY": made.secret}

    return make


@pytest.fixture(scope="module")
def url(backend: LocalBackend, gatekeeper: Gatekeeper) -> Iterator[str]:
    door = McpDoor(backend, gatekeeper)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with door.lifespan():
            yield

    app = Starlette(routes=door.routes, lifespan=lifespan)
    with socket.socket() as room:
        room.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([room])), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{room.getsockname()[1]}/mcp"
        server.should_exit = True
        thread.join(WITHIN_S)


def through(url: str, headers: dict[str, str], work: Callable[[Client], Any], mode: str = "auto") -> None:
    async def run() -> None:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=WITHIN_S) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,  # type: ignore[arg-type]
        ):
            await work(client)

    anyio.run(run)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_somebody_with_a_key_calls_tools_over_http(url: str, key: Callable[..., Any], mode: str) -> None:
    async def work(client: Client) -> None:
        assert len((await client.list_tools()).tools) == 97
        told: list[float] = []

        async def progress(done: float, _: float | None, __: str | None) -> None:
            told.append(done)

        result = await client.call_tool(
            "get_strategy_comparison",
            {"strategies": ["momentum", "pairs"], "symbols": ["KO", "PEP"], "start": "2022-01-03"},
            progress_callback=progress,
        )
        assert len(result.structured_content["ranked"]) == 2
        assert told
        assert '"runs"' in (await client.read_resource("nt://runs")).contents[0].text

    through(url, key(Role.ADMIN), work, mode)


def test_a_reader_calls_nothing_destructive_over_http(url: str, key: Callable[..., Any]) -> None:
    async def work(client: Client) -> None:
        for name, tool in TOOLS.items():
            if tool.destructive:
                result = await client.call_tool(name, dict(tool.example))
                assert result.structured_content["error"]["code"] == "forbidden", name

    through(url, key(Role.READ_ONLY), work)


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "nt_none_0000"}, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}]
)
def test_nobody_gets_in_without_a_credential_that_holds(url: str, headers: dict[str, str]) -> None:
    for path in (url, f"{url}/"):
        told = httpx.post(path, json=INITIALIZE, headers=HEADERS | headers)
        assert told.status_code == 401
        assert told.headers["www-authenticate"].startswith("Bearer")
        assert told.json()["status"] == 401


def test_a_revoked_key_is_refused_at_once(url: str, gatekeeper: Gatekeeper, key: Callable[..., Any]) -> None:
    headers = key(Role.USER)
    assert httpx.post(url, json=INITIALIZE, headers=HEADERS | headers).status_code != 401
    gatekeeper.keys.revoke(headers["APCA-API-KEY-ID"])
    assert httpx.post(url, json=INITIALIZE, headers=HEADERS | headers).status_code == 401


def test_another_host_or_origin_is_refused(url: str, key: Callable[..., Any]) -> None:
    headers = HEADERS | key(Role.ADMIN)
    for more in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        assert httpx.post(url, json=INITIALIZE, headers=headers | more).status_code in (403, 421)


def test_names_of_the_settings_origins_are_answered_on_loopback(tmp_path: Path) -> None:
    values = {"access.folder": str(tmp_path), "gateway.origins": '["https://trade.example"]'}
    door = gateway_door(load_settings(None, values, environ={}), NoOne())

    def asked(**headers: str) -> int:
        async def run() -> int:
            transport = httpx.ASGITransport(Starlette(routes=door.routes))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http, door.lifespan():
                return (await http.post("/mcp", json=INITIALIZE, headers=HEADERS | headers)).status_code

        return asyncio.run(run())

    # A door serves once; each question has one of its own.
    results = []
    for headers in ({"host": "trade.example"}, {"host": "evil.example"}):
        results.append(asked(**headers))
        door = gateway_door(load_settings(None, values, environ={}), NoOne())
    assert results == [200, 421]


class NoOne:
    """Lets everybody in, as a reader."""

    def authenticate(self, *_: Any) -> Principal:
        return Principal(id="bob", role=Role.READ_ONLY, credential="test")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_hangs_up_cancels_the_job_of_its_call(
    url: str, key: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def perform(_: Any, __: Any, tell: Any, **___: Any) -> Any:
        try:
            while True:
                begun.set()
                time.sleep(0.005)
                tell.last = float("-inf")
                tell(1, 2)
        except JobCancelledError:
            ended.set()
            raise

    monkeypatch.setattr(local_jobs, "perform", perform)

    async def work(client: Client) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "run_backtest", dict(TOOLS["run_backtest"].example))
            assert await anyio.to_thread.run_sync(begun.wait, WITHIN_S)
            group.cancel_scope.cancel()

    through(url, key(Role.USER), work, mode)
    assert ended.wait(WITHIN_S)


def test_a_call_over_http_lists_no_tools_to_find_its_own(backend: LocalBackend) -> None:
    find = build_server(backend, principal_of).get_tool_input_schema
    assert find is not None
    assert find("ping") == TOOLS["ping"].listed.input_schema
    assert find("nothing") is None


DEEP = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"
ODD: tuple[bytes, ...] = (
    b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b'"text"', DEEP, b"[" * 100_000,
    b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ping","arguments":{"x":1e999}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' + b"x" * 100_000 + b'"}}',
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3), max_leaves=6
)
METHODS = st.sampled_from(
    ["initialize", "ping", "tools/list", "tools/call", "resources/read", "resources/subscribe", "prompts/get",
     "completion/complete", "logging/setLevel", "notifications/cancelled", "notifications/initialized",
     "server/discover", "subscriptions/listen", "no/such"]
)  # fmt: skip
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["ping", "execute_trade", "review_run", "\0"]) | VALUES, "arguments": VALUES,
        "uri": st.sampled_from(["nt://runs", "nt://../..", "x"]) | VALUES, "cursor": VALUES, "_meta": VALUES,
        "protocolVersion": st.sampled_from(["2024-11-05", "2025-06-18", "2026-07-28", "1"]) | VALUES,
        "capabilities": VALUES, "clientInfo": VALUES, "requestId": SCALARS,
    },
)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "1.0", 2]), "method": METHODS | VALUES},
    optional={"id": SCALARS, "params": PARAMS | VALUES, "result": VALUES, "error": VALUES, "extra": VALUES},
)
ABOUT = st.fixed_dictionaries(
    {},
    optional={
        "mcp-protocol-version": st.sampled_from(
            ["2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28", "9999-1-1", ""]
        ),
        "mcp-session-id": st.sampled_from(["", "0" * 32, "../..", "x" * 4000]),
        "mcp-method": st.sampled_from(["tools/call", "ping"]),
        "last-event-id": st.just("7"),
        "accept": st.sampled_from(["*/*", "application/json", "text/event-stream", "image/png"]),
        "content-type": st.sampled_from(["application/json", "text/plain", "multipart/form-data"]),
    },
)


def test_whatever_is_sent_is_answered_or_refused_and_the_door_stays_open(url: str, key: Callable[..., Any]) -> None:
    headers = HEADERS | key(Role.READ_ONLY)
    # An event of progress or a listener may keep a stream open; its head is the answer.
    with httpx.Client() as http:

        def status(content: bytes, **about: str) -> int:
            with http.stream("POST", url, content=content, headers=headers | about) as told:
                return told.status_code

        for body in ODD:
            for version in ("2025-06-18", "2026-07-28"):
                assert status(body, **{"mcp-protocol-version": version}) < 500, body[:80]

        @settings(max_examples=60, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(message=MESSAGES | st.lists(MESSAGES, max_size=2) | VALUES, about=ABOUT)
        def check(message: Any, about: dict[str, str]) -> None:
            assert status(json.dumps(message).encode(), **about) < 500

        check()
        with suppress(httpx.HTTPError):
            assert status(b"x" * (5 << 20)) == 413
        for method in ("GET", "DELETE", "PUT"):
            assert http.request(method, url, headers=headers).status_code == 405

    async def work(client: Client) -> None:
        assert not (await client.call_tool("ping")).is_error

    through(url, key(Role.USER), work)
