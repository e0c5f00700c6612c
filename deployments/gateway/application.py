"""The application of a replica: middleware around routers, built anew in each process, with no state of its own.

From outside to inside: envelope (request id, security headers, last resort), CORS, size and time, identity and rate,
audit, compression, routes. It knows neither Ray nor where accounts live: that is the backend's.
"""

from collections.abc import Iterable, Sequence
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
from deployments.gateway.middleware.identity import Gatekeeper, Identity, Limits
from deployments.gateway.middleware.limits import Limits as Bounds
from deployments.gateway.openapi import describe
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
    **lifespan: Any,
) -> FastAPI:
    """Build the application; `routers` and `mounts` are further parts of the gateway, behind the same middleware."""
    app = FastAPI(
        title="Neural Trader on Ray",
        version=project().version,
        docs_url=None,
        redoc_url=None,
        middleware=_middleware(settings, guards),
        **lifespan,
    )
    problems.install(app)
    own = [route for part in (health.router(backend), *alpaca.routers(backend.accounts)) for route in part.routes]
    app.router.routes.extend([*own, alpaca.stream(backend.accounts, guards.gatekeeper)])
    app.router.middleware_stack = Directory(app.router, own)
    for router in routers:
        app.include_router(router)
    app.router.routes.extend(mounts)
    describe(app)
    return app


def _middleware(settings: Settings, guards: Guards) -> list[Middleware]:
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
                "If-None-Match",
                "NT-Account",
                "X-API-Key",
            ],
            "expose_headers": ["ETag", "Retry-After", "X-Request-Id"],
        }
        found.append(Middleware(CORSMiddleware, **cors))
    return [
        *found,
        Middleware(Bounds, largest=asked.largest_body_kb * _KIB, seconds=asked.request_s),
        Middleware(
            Identity,
            gatekeeper=guards.gatekeeper,
            limits=guards.limits,
            hops=asked.hops,
            waits=settings.access.redis is not None,
        ),
        Middleware(Audit, log=guards.audit),
        Middleware(Compression),
    ]
