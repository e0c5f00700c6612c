"""The route of the stream, `/stream/v1`."""

from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from deployments.gateway.backend.stream import Source
from deployments.gateway.middleware.identity import Gatekeeper
from deployments.gateway.stream.connection import Connection, Pace
from deployments.gateway.stream.draining import Drain
from deployments.gateway.stream.hub import MOST_BEHIND, Hub
from deployments.gateway.stream.seats import OF_ADDRESS, OF_USER, Seats

PATH: Final = "/stream/v1"


def stream(
    source: Source,
    gatekeeper: Gatekeeper,
    most_behind: int = MOST_BEHIND,
    seats: Seats | None = None,
    pace: Pace | None = None,
    drain: Drain | None = None,
) -> WebSocketRoute:
    """Build the route; its clients share one copy of the source."""
    hub, room, ends = Hub(source, most_behind), seats or Seats(OF_ADDRESS, OF_USER), drain or Drain()

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        address = socket.scope["state"]["address"]
        await Connection(socket, hub, gatekeeper, address, room, pace or Pace(), ends).run()

    return WebSocketRoute(PATH, serve, name="stream")
