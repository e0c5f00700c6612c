"""How replicas stand in Ray Serve: it neither logs each request nor searches their routes to name it."""

from types import SimpleNamespace
from typing import Final

from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGING: Final = LoggingConfig(log_level="WARNING", enable_access_log=False)
"""What Serve logs: a door tells of requests itself, in lines or counts."""

_REQUEST_ID: Final = b"x-request-id"


class Unlisted:
    """An application whose routes Serve does not see: it would search them all for each request."""

    routes = ()
    router = SimpleNamespace(redirect_slashes=False)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""

        async def named_once(message: Message) -> None:
            # Serve names each answer by the id that it has given the request, or found there: it is the same one.
            if message["type"] == "http.response.start":
                message["headers"] = [pair for pair in message["headers"] if pair[0] != _REQUEST_ID]
            await send(message)

        await self._app(scope, receive, named_once)
