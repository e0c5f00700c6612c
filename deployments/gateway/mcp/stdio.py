"""The server over standard input and output, for an assistant on the same machine; its log goes to standard error."""

from typing import Final

import anyio
from mcp.server.stdio import stdio_server

from deployments.gateway.afterwards import at_rest
from deployments.gateway.mcp.local_backend import LocalBackend
from deployments.gateway.mcp.server import build_server
from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import utc_now
from nt_ray.access.roles import Principal, Role
from nt_ray.config import Settings
from nt_ray.neural.registry.registry import user

ENDED_S: Final = 30.0
"""Seconds that calls have to end whose assistant has gone."""


def serve_stdio(settings: Settings, role: Role, *, live: bool = False) -> None:
    """Serve until the input ends; whoever started this process is the caller, with this role."""
    backend = LocalBackend(settings, live=live)
    who = Principal(id=user(), role=role, credential="stdio")
    # Whoever only reads leaves nothing to write down.
    audit = None if role is Role.READ_ONLY else open_audit(settings.access, utc_now)
    server = build_server(backend, lambda _: who, audit=audit)

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        # What changes something is done, and written down, though the assistant has gone.
        await at_rest(ENDED_S)

    try:
        anyio.run(serve)
    finally:
        backend.close()
