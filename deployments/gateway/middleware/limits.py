"""How large a request may be, and how long it may take: a body is read whole, within both, before anybody sees it.

So a handler never waits for a slow client, and never holds more than it allows. The time ends where the answer
begins, so streams last as long as they like. Bodies that are compressed are refused, since nobody knows how large
they are.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.problems import GatewayError, SlowAnswerError, SlowRequestError, TooLargeError

_PLAIN: Final = (b"", b"identity")


class EncodedError(GatewayError):
    """A body that is compressed."""

    code = "unsupported_encoding"
    status = 415

    def __init__(self) -> None:
        super().__init__("The body is compressed. Send it as it is.")


class LengthError(GatewayError):
    """A length that is no number."""

    code = "bad_length"
    status = 400

    def __init__(self) -> None:
        super().__init__("The header Content-Length is no number. Send the body's length.")


class Limits:
    """Bounds size and time of requests."""

    def __init__(self, app: ASGIApp, largest: int, seconds: float) -> None:
        self._app = app
        self._largest = largest
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_body = self._check(scope)
        is_read = not has_body
        begun = False
        try:
            async with asyncio.timeout(self._seconds) as limit:
                if has_body:
                    receive = _again(await self._body(receive), receive)
                    is_read = True

                async def started(message: Message) -> None:
                    nonlocal begun
                    if not begun:
                        begun = True
                        limit.reschedule(None)
                    await send(message)

                await self._app(scope, receive, started)
        except TimeoutError as error:
            if begun or not limit.expired():
                raise
            raise (SlowAnswerError if is_read else SlowRequestError)(self._seconds) from error

    def _check(self, scope: Scope) -> bool:
        """Whether a body follows; raises where its header alone says too much."""
        has_body = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                if not value.isdigit():
                    raise LengthError
                if len(value) > 18 or int(value) > self._largest:
                    raise TooLargeError(self._largest)
                has_body = has_body or value != b"0"
            elif name == b"transfer-encoding":
                has_body = True
            elif name == b"content-encoding" and value.lower() not in _PLAIN:
                raise EncodedError
        return has_body

    async def _body(self, receive: Receive) -> Message:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            part = message.get("body", b"")
            size += len(part)
            if size > self._largest:
                raise TooLargeError(self._largest)
            parts.append(part)
            if not message.get("more_body", False):
                return {"type": "http.request", "body": b"".join(parts), "more_body": False}


def _again(message: Message, receive: Receive) -> Receive:
    """Give what was read once more, then what follows."""
    waiting: list[Message] = [message]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
