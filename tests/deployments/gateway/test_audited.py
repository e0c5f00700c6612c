"""Whatever may have changed something has its entry in the audit log, however its request ended."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.gateway.afterwards import at_rest
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.middleware.audit import Audit
from nt_ray.access.audit import ACTIVE, AuditLog
from nt_ray.errors import BadInputError

NOW = datetime(2026, 1, 5, tzinfo=UTC)
WITHIN_S = 60.0


def entries(folder: Path) -> list[tuple[str, str, str]]:
    """Action, target and outcome of each entry."""
    path = folder / ACTIVE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    told = [json.loads(line) for line in lines]
    return [(one["action"], one["what"]["target"], one["what"]["outcome"]) for one in told]


def until_written(folder: Path, wanted: list[tuple[str, str, str]]) -> None:
    ends = time.monotonic() + WITHIN_S
    while (found := entries(folder)) != wanted:
        assert time.monotonic() < ends, found
        time.sleep(0.02)


class SlowVenue:
    """Accounts whose venue takes its time to cancel."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.done = 0

    async def names(self) -> list[str]:
        return ["paper"]

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            await asyncio.sleep(self.seconds)
            self.done += 1
            return [], ()

        return AccountDoor(name, call)


def test_a_client_that_hangs_up_and_one_that_waits_in_vain_leave_entries_of_what_was_done(open_desk: Any) -> None:
    venue = SlowVenue(1.0)
    desk = open_desk(accounts=venue, gateway__request_s=0.5)
    answer = desk.client().delete("/v2/orders")
    assert answer.status_code == 504
    told = "".join(f"{name}: {value}\r\n" for name, value in desk.headers().items())
    host, port = desk.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(f"DELETE /v2/orders HTTP/1.1\r\nHost: {host}\r\nX-Request-Id: gone\r\n{told}\r\n".encode())
        time.sleep(0.2)
    until_written(desk.audit.folder, [("http.delete", "/v2/orders", "207")] * 2)
    assert venue.done == 2


Work = Callable[[Any, Any, Any], Awaitable[None]]


def served(folder: Path, app: Work, path: str = "/api/v1/jobs", *, leaves: bool = False) -> list[str]:
    """Serve one request, whose caller may leave once it has begun; types of the messages of its answer."""
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def run() -> None:
        audit = Audit(app, AuditLog(folder, lambda: NOW))
        begun, goes_on = asyncio.Event(), asyncio.Event()
        scope = {"type": "http", "method": "POST", "path": path, "state": {"begun": begun, "goes_on": goes_on}}
        request = asyncio.create_task(audit(scope, receive, send))
        if leaves:
            await begun.wait()
            request.cancel()
        await asyncio.wait({request})
        # What a cancelled request has begun goes on.
        goes_on.set()
        await at_rest(WITHIN_S)
        if (why := None if request.cancelled() else request.exception()) is not None:
            raise why

    asyncio.run(run())
    return sent


async def slow(scope: Any, _: Any, send: Any) -> None:
    scope["state"]["begun"].set()
    await scope["state"]["goes_on"].wait()
    await send({"type": "http.response.start", "status": 201})


def test_a_request_that_the_server_cancels_is_served_to_its_end(tmp_path: Path) -> None:
    assert served(tmp_path, slow, leaves=True) == ["http.response.start"]
    assert entries(tmp_path) == [("http.post", "/api/v1/jobs", "201")]


def test_a_call_of_a_tool_ends_with_its_caller_and_is_told_as_abandoned(tmp_path: Path) -> None:
    assert served(tmp_path, slow, "/mcp", leaves=True) == []
    assert entries(tmp_path) == [("http.post", "/mcp", "abandoned")]


@pytest.mark.parametrize(("error", "outcome"), [(BadInputError("No. Ask otherwise."), "422"), (KeyError("x"), "500")])
def test_a_refusal_that_an_outer_layer_words_has_its_entry(tmp_path: Path, error: Exception, outcome: str) -> None:
    async def refuse(*_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        served(tmp_path, refuse)
    assert entries(tmp_path) == [("http.post", "/api/v1/jobs", outcome)]
