"""The official client through standard input and output of a real process, and through HTTP with credentials."""

import asyncio
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
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from deployments.gateway.mcp.asgi import McpDoor
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.local_backend import LocalBackend
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.roles import GRANTS, Role
from nt_ray.config import load_settings

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
        thread.join(10)


def through(url: str, headers: dict[str, str], work: Callable[[Client], Any], mode: str = "auto") -> None:
    async def run() -> None:
        async with (
            httpx2.AsyncClient(headers=headers) as http,
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
            {"strategies": ["momentum", "pairs"], "symbols": ["KO", "PEP"], "start_date": "2022-01-03"},
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


def test_what_is_no_message_is_refused_and_the_door_stays_open(url: str, key: Callable[..., Any]) -> None:
    headers = HEADERS | key(Role.ADMIN)
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"jsonrpc": "1.0"}', b'{"jsonrpc":"2.0","id":1,"method":"no/such"}'):
        told = httpx.post(url, content=body, headers=headers)
        assert told.status_code < 500, body
    with suppress(httpx.HTTPError):
        httpx.post(url, content=b"x" * (5 << 20), headers=headers)
    for method in ("GET", "DELETE", "PUT"):
        assert httpx.request(method, url, headers=headers).status_code == 405

    async def work(client: Client) -> None:
        assert not (await client.call_tool("ping")).is_error

    through(url, key(Role.USER), work)
