"""The server over standard input and output, for an assistant on the same machine; its log goes to standard error."""

import anyio
from mcp.server.stdio import stdio_server

from deployments.gateway.mcp.local_backend import LocalBackend
from deployments.gateway.mcp.server import build_server
from nt_ray.access.roles import Principal, Role
from nt_ray.config import Settings
from nt_ray.neural.registry.registry import user


def serve_stdio(settings: Settings, role: Role, *, live: bool = False) -> None:
    """Serve until the input ends; whoever started this process is the caller, with this role."""
    backend = LocalBackend(settings, live=live)
    who = Principal(id=user(), role=role, credential="stdio")
    server = build_server(backend, lambda _: who)

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    try:
        anyio.run(serve)
    finally:
        backend.close()
