"""Streams of events and the credentials that they were asked for with, each behind the gateway's own identity."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from deployments.gateway.middleware.identity import Identity
from deployments.gateway.middleware.watch import Watch
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.config import Access

PASSWORD = "correct horse battery staple"


class House:
    """Two routes that go on for ever, and one that does not; what was asked for is told to them as it ends."""

    def __init__(self, folder: Path) -> None:
        access = Access(folder=folder, password_memory_mb=1, password_passes=1, per_minute=10**6)
        self.ahead = timedelta()
        self.gatekeeper = open_gatekeeper(access, lambda: datetime.now(UTC) + self.ahead)
        self.left: list[str] = []
        guards = [
            Middleware(Identity, gatekeeper=self.gatekeeper, limits=open_limits(access)),
            Middleware(Watch, gatekeeper=self.gatekeeper, look_s=0.01),
        ]
        routes = [Route("/events", self.events), Route("/file", self.file), Route("/short", self.short)]
        self.app = Starlette(routes=routes, middleware=guards)

    async def _parts(self, path: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"event: tick\n\n"
                await asyncio.sleep(0.005)
        finally:
            self.left.append(path)

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._parts("/events"), media_type="text/event-stream")

    async def file(self, _: Request) -> Response:
        return StreamingResponse(self._parts("/file"), media_type="text/plain")

    async def short(self, _: Request) -> Response:
        return PlainTextResponse("event: whole", media_type="text/event-stream")

    async def follow(
        self, path: str, credential: str | None, act: Callable[[], object], parts: int = 50
    ) -> list[bytes]:
        """Ask for a path, do something after the third part of the answer, and hear what follows; so many at most."""
        heard: list[bytes] = []
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                return
            heard.append(message["body"])
            if len(heard) == 3:
                act()
            if len(heard) == parts:
                gone.set()

        headers = [] if credential is None else [(b"authorization", f"Bearer {credential}".encode())]
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "scheme": "http", "http_version": "1.1",
        }  # fmt: skip
        async with asyncio.timeout(60):
            await self.app(scope, receive, send)
        return heard


@pytest.fixture
def house(tmp_path: Path) -> Any:
    found = House(tmp_path)
    found.gatekeeper.users.add("ann", Role.USER, password=PASSWORD)
    yield found
    found.gatekeeper.close()


def revoke(gatekeeper: Gatekeeper) -> None:
    gatekeeper.keys.revoke(gatekeeper.keys.all()[0].id)


CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "the key is revoked": (lambda house: revoke(house.gatekeeper), "key_revoked"),
    "the user is shut out": (lambda house: house.gatekeeper.users.activate("ann", active=False), "key_revoked"),
    "the role is another": (
        lambda house: house.gatekeeper.users.change_role("ann", Role.READ_ONLY),
        "permissions_changed",
    ),
    "the accounts are others": (
        lambda house: house.gatekeeper.users.change_accounts("ann", ["b"]),
        "permissions_changed",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_stream_of_events_ends_with_the_reason_why_its_credential_did(house: Any, change: str) -> None:
    act, code = CHANGES[change]
    key = house.gatekeeper.keys.add("ann").text
    heard = asyncio.run(house.follow("/events", key, lambda: act(house), parts=10**6))
    assert heard[-1].decode() == f"event: end\ndata: {json.dumps({'code': code})}\n\n"
    assert set(heard[:-1]) == {b"event: tick\n\n"}
    assert house.left == ["/events"]


def test_a_token_that_expires_ends_the_stream_that_it_was_asked_for_with(house: Any) -> None:
    token = house.gatekeeper.login("ann", PASSWORD, "127.0.0.1").access

    def later() -> None:
        house.ahead = timedelta(hours=2)

    heard = asyncio.run(house.follow("/events", token, later, parts=10**6))
    assert json.loads(heard[-1].decode().splitlines()[1].removeprefix("data: ")) == {"code": "token_expired"}


def test_a_session_that_is_revoked_ends_its_stream(house: Any) -> None:
    tokens = house.gatekeeper.login("ann", PASSWORD, "127.0.0.1")
    heard = asyncio.run(house.follow("/events", tokens.access, lambda: house.gatekeeper.revoke(tokens.refresh), 10**6))
    assert b"token_revoked" in heard[-1]


def test_what_is_no_stream_of_events_and_what_its_client_leaves_goes_its_own_way(house: Any) -> None:
    key = house.gatekeeper.keys.add("ann").text
    assert asyncio.run(house.follow("/short", key, lambda: None)) == [b"event: whole"]
    for path in ("/events", "/file"):
        # Whose credential holds hears on until he leaves.
        heard = asyncio.run(house.follow(path, key, lambda: None))
        assert set(heard[:50]) == {b"event: tick\n\n"}
        assert not any(b"event: end" in part for part in heard)
    heard = asyncio.run(house.follow("/file", key, lambda: revoke(house.gatekeeper)))
    assert not any(b"event: end" in part for part in heard)
    assert not any(b"event: end" in part for part in asyncio.run(house.follow("/events", None, lambda: None)))
