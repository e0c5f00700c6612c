"""The application of a replica: middleware around routers, built anew in each process, with no state of its own.

From outside to inside: envelope (request id, security headers, last resort), CORS, identity and rate, an eye on who
follows a stream, size and time, strict JSON, audit, compression, ETags, idempotency, routes. It knows neither Ray nor
where accounts live: that is the backend's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from deployments.gateway import health, problems
from deployments.gateway.alpaca import routes as alpaca
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.audit import Audit, AuditLog
from deployments.gateway.middleware.compression import Compression
from deployments.gateway.middleware.directory import Directory
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.middleware.idempotency import Answers, Idempotency
from deployments.gateway.middleware.identity import Gatekeeper, Identity, Limits
from deployments.gateway.middleware.known_query import KNOWN_QUERY
from deployments.gateway.middleware.limits import Limits as Bounds
from deployments.gateway.middleware.strict_json import StrictJson
from deployments.gateway.middleware.tags import Tags
from deployments.gateway.middleware.watch import Watch
from deployments.gateway.observability import own_parts
from deployments.gateway.observability.components import on_ray
from deployments.gateway.observability.health import Check
from deployments.gateway.openapi import describe
from deployments.gateway.stream.seats import OF_ADDRESS, OF_USER, Seats
from nt_ray.config import Settings
from nt_ray.project import project

_KIB: Final = 1024


class Backend(Protocol):
    """What the routes of the core ask for; routers of other parts are handed in with theirs."""

    @property
    def accounts(self) -> Accounts:
        """Live accounts."""
        ...


@dataclass(frozen=True, slots=True)
class Guards:
    """Who lets in, who counts, who writes down."""

    gatekeeper: Gatekeeper
    limits: Limits
    audit: AuditLog


def application(
    settings: Settings,
    backend: Backend,
    guards: Guards,
    routers: Sequence[APIRouter] = (),
    mounts: Iterable[BaseRoute] = (),
    answers: Answers | None = None,
    seats: Seats | None = None,
    **lifespan: Any,
) -> FastAPI:
    """Build the application; `routers` and `mounts` are further parts of the gateway, behind the same middleware.

    `seats` are those that streams share.
    """
    app = FastAPI(
        title="Neural Trader on Ray",
        version=project().version,
        docs_url=None,
        redoc_url=None,
        # A redirect would send the credential on, in clear where a proxy in front speaks TLS.
        redirect_slashes=False,
        # Requests are traced and counted by `observability`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=_middleware(settings, guards, answers),
        **lifespan,
    )
    problems.install(app)
    needed = own_parts.required(guards.audit, guards.gatekeeper, guards.limits)
    own_checks = needed | own_parts.models(settings.neural)
    state = settings.state.absolute()

    def checks() -> Mapping[str, Check]:
        return {**on_ray(state), **own_checks}

    app.state.checks = checks
    parts = (
        health.router(backend, settings.gateway.accounts, checks, needed),
        *alpaca.routers(backend.accounts, settings.state),
    )
    own = [route for part in parts for route in part.routes]
    app.state.seats = room = seats or Seats(OF_ADDRESS, OF_USER)
    app.router.routes.extend([*own, alpaca.stream(backend.accounts, guards.gatekeeper, room)])
    app.router.middleware_stack = Directory(app.router, own)
    for router in routers:
        app.include_router(router, dependencies=[KNOWN_QUERY])
    app.router.routes.extend(mounts)
    describe(app)
    return app


def _middleware(settings: Settings, guards: Guards, answers: Answers | None) -> list[Middleware]:
    asked = settings.gateway
    found = [Middleware(Envelope)]
    if asked.origins:
        cors: dict[str, Any] = {
            "allow_origins": list(asked.origins),
            "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
            "allow_headers": [
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                "Last-Event-ID",
                "NT-Account",
                "X-API-Key",
            ],
            "expose_headers": ["ETag", "Idempotent-Replayed", "Retry-After", "X-Request-Id"],
        }
        found.append(Middleware(CORSMiddleware, **cors))
    return [
        *found,
        Middleware(
            Identity,
            gatekeeper=guards.gatekeeper,
            limits=guards.limits,
            hops=asked.hops,
            waits=settings.access.redis is not None,
        ),
        Middleware(Watch, gatekeeper=guards.gatekeeper),
        Middleware(Bounds, largest=asked.largest_body_kb * _KIB, seconds=asked.request_s),
        Middleware(StrictJson),
        Middleware(Audit, log=guards.audit),
        Middleware(Compression),
        Middleware(Tags),
        *([] if answers is None else [Middleware(Idempotency, answers=answers)]),
    ]
