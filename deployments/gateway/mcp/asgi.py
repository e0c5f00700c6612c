"""Streamable HTTP: the server behind a door that lets nobody in who has not shown who he is.

Behind the gateway's middleware the principal is known by the time a request comes here; elsewhere the door asks the
gatekeeper itself. Any replica answers any request: no session is kept. An answer is plain JSON unless the call tells of
its progress; then it is a stream of events, and a client that closes it cancels the call. Which it will be nobody knows
before the call has begun, so each request has a seat of its user's for as long as it lasts (`gateway.stream.seats`).
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from contextvars import copy_context
from typing import Any, Final, Protocol

import anyio.to_thread
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.gateway.backend.jobs import Jobs
from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.calling import AROUND
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.server import Context, build_server
from deployments.gateway.middleware.audit import AuditLog
from deployments.gateway.problems import refusal
from deployments.gateway.stream.seats import NoSeatError, Seats
from nt_ray.access.limits import open_buckets
from nt_ray.access.roles import Principal, UnauthenticatedError
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError

PATH: Final = "/mcp"
PRINCIPAL: Final = "principal"
"""Key of the principal in a request's state, as the gateway's middleware writes it."""
OWN: Final = ("127.0.0.1", "localhost", "::1")
LOOPBACK: Final = ("127.0.0.1:*", "localhost:*", "[::1]:*")


class Authenticates(Protocol):
    """Whoever knows who shows which credential; it may block, so it is asked in a thread."""

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        """Return who shows these headers; `UnauthenticatedError` where nobody does."""
        ...


class McpDoor:
    """ASGI application for `/mcp`; `lifespan` has to be entered while it serves."""

    def __init__(
        self,
        backend: Backend,
        gatekeeper: Authenticates,
        *,
        hosts: Sequence[str] | None = LOOPBACK,
        origins: Sequence[str] = (),
        limits: CallLimits | None = None,
        audit: AuditLog | None = None,
        seats: Seats | None = None,
    ) -> None:
        """Take the `Host` headers that are answered, against rebinding of names, any port by `HOST:*`; None: all.

        Pages of `origins` may call too, and their hosts are answered. Without `seats` there is room for all.
        """
        self._gatekeeper, self._seats = gatekeeper, seats
        self._server = build_server(backend, principal_of, limits, audit)
        known = list(hosts or ())
        self._app: ASGIApp = self._server.streamable_http_app(
            streamable_http_path="/",
            stateless_http=True,
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=hosts is not None,
                allowed_hosts=[*known, *(origin.partition("://")[2] for origin in origins)],
                allowed_origins=[*(f"{scheme}://{host}" for scheme in ("http", "https") for host in known), *origins],
            ),
        )

    @property
    def routes(self) -> list[Route]:
        """Routes to it, with and without the slash."""
        return [Route(path, endpoint=self, include_in_schema=False) for path in (PATH, f"{PATH}/")]

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Serve; a mounted application's own lifespan is not run by its host."""
        async with self._server.session_manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of somebody who is known."""
        state = scope.get("state", {})
        if not isinstance(state.get(PRINCIPAL), Principal):
            client = scope.get("client")
            headers, address = Headers(scope=scope), client[0] if client else "unknown"
            try:
                found = await anyio.to_thread.run_sync(self._gatekeeper.authenticate, headers, address)
            except NeuralTraderError as error:
                await refusal(scope, error)(scope, receive, send)
                return
            state = {**state, PRINCIPAL: found}
        if scope["method"] != "POST":
            # There is no session that could be listened to or ended.
            await Response(status_code=405, headers={"allow": "POST"})(scope, receive, send)
            return
        inner = {**scope, "state": {**state, AROUND: copy_context()}, "path": "/", "raw_path": b"/", "root_path": ""}
        try:
            with self._seat(state[PRINCIPAL].id):
                await self._app(inner, receive, send)
        except NoSeatError as error:
            await refusal(scope, error)(scope, receive, send)

    def _seat(self, user: str) -> AbstractContextManager[None]:
        return nullcontext() if self._seats is None else self._seats.follower(user)


def gateway_door(
    settings: Settings,
    gatekeeper: Authenticates,
    jobs: Jobs | None = None,
    audit: AuditLog | None = None,
    seats: Seats | None = None,
) -> McpDoor:
    """Open the door of a gateway over the actors of accounts and jobs.

    On loopback it answers to that and to the names of `gateway.origins`, elsewhere to any: a proxy has its own.
    """
    from deployments.gateway.mcp.actor_backend import ActorBackend

    # The SDK tells of each request that it ends a session of none.
    logging.getLogger("mcp.server").setLevel(logging.WARNING)
    asked = settings.gateway
    return McpDoor(
        ActorBackend(settings, jobs),
        gatekeeper,
        hosts=LOOPBACK if asked.host in OWN else None,
        origins=asked.origins,
        limits=CallLimits(open_buckets(settings.access)),
        audit=audit,
        seats=seats,
    )


def principal_of(context: Context) -> Principal:
    """Find who asks; nobody where the door was passed by."""
    request = context.request
    found: Any = None if request is None else request.scope.get("state", {}).get(PRINCIPAL)
    if not isinstance(found, Principal):
        raise UnauthenticatedError("The request shows no credential. Send a bearer token or an API key.")
    return found
