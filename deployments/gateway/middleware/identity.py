"""Who a request is from, and whether he asks too often: found out once, before anything is done for him.

A false credential is refused here; a request without one goes on as nobody, and routes decide (`security`). The
address is the connection's, or the one that the last trusted proxy has added.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nt_ray.access.buckets import Verdict
from nt_ray.access.roles import Principal

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"apca-api-key-id", b"apca-api-secret-key"})


class Gatekeeper(Protocol):
    """Knows who is who; `nt_ray.access.gatekeeper` is one."""

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        """Tell who a request is from."""
        ...

    def authenticate_pair(self, key_id: str, secret: str, address: str) -> Principal:
        """Tell whose an id and a secret are."""
        ...


class Limits(Protocol):
    """Counts requests; `nt_ray.access.limits` is one."""

    def address(self, address: str) -> Verdict:
        """Count a request of an address."""
        ...

    def principal(self, principal: Principal, cost: int = 1) -> Verdict:
        """Count a request of somebody."""
        ...


class Identity:
    """Puts `principal` and `address` into the state of a request. `waits`: counting takes a thread."""

    def __init__(
        self, app: ASGIApp, gatekeeper: Gatekeeper, limits: Limits, *, hops: int = 0, waits: bool = False
    ) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._limits = limits
        self._hops = hops
        self._waits = waits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["address"] = address = address_of(scope, self._hops)
        if scope["type"] == "websocket":
            # A connection shows who it is in its headers or in a message; its routes ask.
            await self._app(scope, receive, send)
            return
        verdict = await self._count(address, None)
        if any(name in _CREDENTIALS for name, _ in scope["headers"]):
            principal = self._gatekeeper.authenticate(Headers(scope=scope), address)
            state["principal"] = principal
            verdict = await self._count(address, principal)
        told = _told(verdict)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        await self._app(scope, receive, counted)

    async def _count(self, address: str, principal: Principal | None) -> Verdict:
        def count() -> Verdict:
            return self._limits.address(address) if principal is None else self._limits.principal(principal)

        return await asyncio.to_thread(count) if self._waits else count()


def address_of(scope: Scope, hops: int) -> str:
    """Address of the caller: the one before `hops` proxies, where so many have added theirs."""
    own = scope["client"][0] if scope.get("client") else "unknown"
    if hops:
        listed = HTTPConnection(scope).headers.getlist("x-forwarded-for")
        passed = [part.strip() for line in listed for part in line.split(",")]
        if len(passed) >= hops:
            return passed[-hops] or own
    return own


def _told(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
        (b"x-ratelimit-reset", b"%d" % round(verdict.full_after_s)),
    ]
