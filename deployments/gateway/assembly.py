"""All parts of the gateway in one application, over the Ray that this process is connected to.

Built in each replica, from settings alone: what is shared lies in the accounts' actors, in the files of
`access.folder` and, where it is set, in Redis.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from deployments.gateway import sessions
from deployments.gateway.application import Guards, application
from deployments.gateway.backend.platform import Platform, on_ray
from deployments.gateway.mcp.asgi import gateway_door
from deployments.gateway.observability.install import install
from deployments.gateway.page import routes as page
from deployments.gateway.platform import api
from deployments.gateway.security import check_closed
from deployments.gateway.stream.route import stream
from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import open_gatekeeper, utc_now
from nt_ray.access.limits import open_limits
from nt_ray.config import Settings


def assemble(settings: Settings, platform: Platform | None = None) -> FastAPI:
    """Build the application; `platform` takes the place of the one on Ray."""
    behind = platform or on_ray(settings)
    gatekeeper = open_gatekeeper(settings.access)
    limits = open_limits(settings.access)
    guards = Guards(gatekeeper, limits, open_audit(settings.access, utc_now))

    door = gateway_door(settings, gatekeeper)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with door.lifespan():
            yield
        app.state.observation.close()

    routers = [sessions.router(gatekeeper, limits), api.router(behind), page.router(behind.accounts, settings.runs)]
    mounts = [stream(behind.source, gatekeeper), *door.routes]
    app = application(settings, behind, guards, routers, mounts, lifespan=lifespan)
    install(app, settings.observability, behind.accounts)
    check_closed(app.routes)
    return app
