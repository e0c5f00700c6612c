"""All parts of the gateway in one application, over the Ray that this process is connected to.

Built in each replica, from settings alone: what is shared lies in the accounts' actors, in the files of
`access.folder` and, where it is set, in Redis.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from actors.jobs import FILE
from deployments.gateway import access, audit_entries, sessions
from deployments.gateway.afterwards import at_rest
from deployments.gateway.application import Guards, application
from deployments.gateway.backend.platform import Platform, on_ray
from deployments.gateway.mcp.asgi import gateway_door
from deployments.gateway.observability.install import install
from deployments.gateway.observability.work import Keepers
from deployments.gateway.page import routes as page
from deployments.gateway.platform import api
from deployments.gateway.security import check_closed
from deployments.gateway.stream.route import stream
from deployments.gateway.stream.seats import Seats
from nt_ray.access.audit import folder_of, open_audit
from nt_ray.access.gatekeeper import open_gatekeeper, utc_now
from nt_ray.access.limits import open_limits
from nt_ray.config import Settings


def assemble(settings: Settings, platform: Platform | None = None) -> FastAPI:
    """Build the application; `platform` takes the place of the one on Ray."""
    behind = platform or on_ray(settings)
    gatekeeper = open_gatekeeper(settings.access)
    limits = open_limits(settings.access)
    guards = Guards(gatekeeper, limits, open_audit(settings.access, utc_now))
    asked = settings.gateway
    # A quarter of a replica's room is left to requests.
    seats = Seats(asked.sockets_per_address, asked.sockets_per_user, max(1, asked.concurrency * 3 // 4))
    door = gateway_door(settings, gatekeeper, behind.jobs, guards.audit, seats)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with door.lifespan(), app.state.observation.running():
            yield
            # What changes something is done, and written down, though its caller has gone.
            await at_rest(asked.drain_s)

    routers = [
        sessions.router(gatekeeper, limits),
        access.router(gatekeeper, guards.audit),
        audit_entries.router(folder_of(settings.access)),
        api.router(behind),
        page.router(behind),
    ]
    mounts = [stream(behind.source, gatekeeper, seats=seats), *door.routes]
    app = application(settings, behind, guards, routers, mounts, behind.jobs, seats, lifespan=lifespan)

    async def counts() -> Mapping[str, int]:
        # Nobody has asked for a job yet where there is no book, and a scrape starts nothing.
        return await behind.jobs.counts() if await asyncio.to_thread((settings.state / FILE).exists) else {}

    keepers = Keepers(counts, behind.sessions)
    install(app, settings.observability, behind.accounts, expected=asked.accounts, keepers=keepers)
    check_closed(app.routes)
    return app
