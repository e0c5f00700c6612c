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
from nt_ray.errors import NeuralTraderError, ServiceError

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"apca-api-key-id", b"apca-api-secret-key"})
_LATER = 1013
_HEALTH = "/health"


class Gatekeeper(Protocol):
    """Knows who is who; `nt_ray.access.gatekeeper` is one."""

    def recall(self, headers: Mapping[str, str]) -> Principal | None:
        """Tell who a request is from without waiting, where that is known; else None."""
        ...

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        """Tell who a request is from."""
        ...

    def authenticate_pair(self, key_id: str, secret: str, address: str) -> Principal:
        """Tell whose an id and a secret are."""
        ...

    def check(self) -> None:
        """Raise where identities cannot be read and written now."""
        ...


class Limits(Protocol):
    """Counts requests; `nt_ray.access.limits` is one."""

    def address(self, address: str) -> Verdict:
        """Count a request of an address."""
        ...

    def principal(self, principal: Principal, cost: int = 1) -> Verdict:
        """Count a request of somebody."""
        ...

    def check(self) -> None:
        """Raise where requests cannot be counted now."""
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
            await self._connection(scope, receive, send, address)
            return
        verdict = await self._count(scope, address, None)
        shown = [pair for pair in scope["headers"] if pair[0] in _CREDENTIALS]
        if shown:
            state["principal"] = principal = await who(self._gatekeeper, Headers(raw=shown), address)
            verdict = await self._count(scope, address, principal)
        told = [] if verdict is None else _told(verdict)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        await self._app(scope, receive, counted)

    async def _connection(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        """Count a connection; who it is shows in its headers or in a message, and its routes ask."""
        try:
            await self._count(scope, address, None)
        except NeuralTraderError:
            # Before it is accepted this is a plain 403.
            await send({"type": "websocket.close", "code": _LATER})
            return
        await self._app(scope, receive, send)

    async def _count(self, scope: Scope, address: str, principal: Principal | None) -> Verdict | None:
        def count() -> Verdict:
            return self._limits.address(address) if principal is None else self._limits.principal(principal)

        try:
            return await asyncio.to_thread(count) if self._waits else count()
        except ServiceError:
            # Nobody can be counted: just then health has to be told, and who restarts processes must not.
            if scope["path"].startswith(_HEALTH):
                return None
            raise


async def who(gatekeeper: Gatekeeper, headers: Mapping[str, str], address: str) -> Principal:
    """Tell who a request is from; a look-up may wait for the disk, and others go on meanwhile."""
    found = gatekeeper.recall(headers)
    if found is None:
        found = await asyncio.to_thread(gatekeeper.authenticate, headers, address)
    return found


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
