"""How large a request may be, and how long it may take: a body is read whole, within both, before anybody sees it.

So a handler never waits for a slow client, and never holds more than it allows. Who shows no credential may send no
more than a login needs. The time ends where the answer begins, so streams last as long as they like. Bodies that are
compressed are refused, since nobody knows how large they are, and so are those of two lengths, of which a proxy may
believe the other one.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.problems import GatewayError, SlowAnswerError, SlowRequestError, TooLargeError

_PLAIN: Final = (b"", b"identity")
_NOBODYS: Final = 16 * 1024
"""Bytes of a body of somebody who is not known."""


class EncodedError(GatewayError):
    """A body that is compressed."""

    code = "unsupported_encoding"
    status = 415

    def __init__(self) -> None:
        super().__init__("The body is compressed. Send it as it is.")


class LengthError(GatewayError):
    """A length that is no number, or another one beside it."""

    code = "bad_length"
    status = 400

    def __init__(self) -> None:
        super().__init__("The headers do not tell one length of the body. Send Content-Length once, and as a number.")


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
        largest = self._largest if "principal" in scope.get("state", {}) else min(self._largest, _NOBODYS)
        has_body = _check(scope, largest)
        is_read = not has_body
        begun = False
        try:
            async with asyncio.timeout(self._seconds) as limit:
                if has_body:
                    receive = _again(await _body(receive, largest), receive)
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


def _check(scope: Scope, largest: int) -> bool:
    """Whether a body follows; raises where its headers alone say too much."""
    lengths, has_body = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            lengths += 1
            if not value.isdigit():
                raise LengthError
            if len(value) > 18 or int(value) > largest:
                raise TooLargeError(largest)
            has_body = has_body or value != b"0"
        elif name == b"transfer-encoding":
            lengths += 1
            has_body = True
        elif name == b"content-encoding" and value.lower() not in _PLAIN:
            raise EncodedError
    if lengths > 1:
        raise LengthError
    return has_body


async def _body(receive: Receive, largest: int) -> Message:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return message
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise TooLargeError(largest)
        parts.append(part)
        if not message.get("more_body", False):
            return {"type": "http.request", "body": b"".join(parts), "more_body": False}


def _again(message: Message, receive: Receive) -> Receive:
    """Give what was read once more, then what follows."""
    waiting: list[Message] = [message]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
