"""The route of the stream, `/stream/v1`."""

from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from deployments.gateway.backend.stream import Source
from deployments.gateway.middleware.identity import Gatekeeper
from deployments.gateway.stream.connection import Connection
from deployments.gateway.stream.hub import MOST_BEHIND, Hub

PATH: Final = "/stream/v1"


def stream(source: Source, gatekeeper: Gatekeeper, most_behind: int = MOST_BEHIND) -> WebSocketRoute:
    """Build the route; its clients share one copy of the source."""
    hub = Hub(source, most_behind)

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        await Connection(socket, hub, gatekeeper, socket.scope["state"]["address"]).run()

    return WebSocketRoute(PATH, serve, name="stream")
