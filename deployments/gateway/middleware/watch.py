"""Streams of events end with the credential they were asked for with: it is looked at every few seconds.

One that has expired, was revoked or grants something else now ends its stream, with a last event `end` whose `code`
names why; what the stream was fed by is cancelled as if its client had hung up. Answers that are no such streams pass.
"""

import asyncio
import json
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.middleware.identity import Gatekeeper, who
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError

LOOK_S: Final = 5.0
"""Seconds between two looks at a credential."""
CHANGED: Final = "permissions_changed"
_STREAM: Final = b"text/event-stream"


class Watch:
    """Wraps an application; stands behind `Identity`, which has found out who asks."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper, look_s: float | None = None) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._look_s = LOOK_S if look_s is None else look_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or "principal" not in scope["state"]:
            await self._app(scope, receive, send)
            return
        watching: asyncio.Task[str] | None = None
        is_over = False

        def end(_: object) -> None:
            if not is_over:
                limit.reschedule(0)

        async def watched(message: Message) -> None:
            nonlocal watching, is_over
            if message["type"] == "http.response.start":
                if _is_stream(message):
                    watching = asyncio.create_task(self._ended(scope))
                    watching.add_done_callback(end)
            elif not message.get("more_body", False):
                is_over = True
            await send(message)

        try:
            async with asyncio.timeout(None) as limit:
                try:
                    await self._app(scope, receive, watched)
                finally:
                    is_over = is_over or not limit.expired()
        except TimeoutError:
            if watching is None or not limit.expired():
                raise
            if not is_over:
                await send({"type": "http.response.body", "body": _last(watching.result()), "more_body": False})
        finally:
            if watching is not None:
                watching.cancel()

    async def _ended(self, scope: Scope) -> str:
        """Wait until a credential holds no more; why."""
        before: Principal = scope["state"]["principal"]
        headers = Headers(scope=scope)
        while True:
            await asyncio.sleep(self._look_s)
            try:
                now = await who(self._gatekeeper, headers, scope["state"]["address"])
            except NeuralTraderError as error:
                return error.code
            if now.rights != before.rights:
                return CHANGED


def _is_stream(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(_STREAM) for name, value in message.get("headers", ()))


def _last(code: str) -> bytes:
    return f"event: end\ndata: {json.dumps({'code': code})}\n\n".encode()
