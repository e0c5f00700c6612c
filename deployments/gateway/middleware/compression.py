"""Answers of some length, compressed for who takes gzip. Streams, and what is compressed already, pass as they are."""

import gzip
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST: Final = 1000
LEVEL: Final = 5
_COMPRESSIBLE: Final = (
    b"application/json",
    b"application/problem+json",
    b"text/",
    b"application/javascript",
    b"image/svg",
)


class Compression:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _takes_gzip(scope):
            await self._app(scope, receive, send)
            return
        waiting: Message | None = None

        async def packed(message: Message) -> None:
            nonlocal waiting
            if message["type"] == "http.response.start":
                # Whether it is long enough only its first part shows.
                waiting = message
                return
            if waiting is not None:
                start, waiting = waiting, None
                body = message.get("body", b"")
                if len(body) >= SMALLEST and not message.get("more_body", False) and _is_plain(start):
                    message = {**message, "body": gzip.compress(body, LEVEL, mtime=0)}
                    start["headers"] = _relabelled(start, len(message["body"]))
                await send(start)
            await send(message)

        await self._app(scope, receive, packed)


def _takes_gzip(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])


def _is_plain(start: Message) -> bool:
    kind = b""
    for name, value in start.get("headers", ()):
        if name == b"content-encoding":
            return False
        if name == b"content-type":
            kind = value
    return kind.startswith(_COMPRESSIBLE)


def _relabelled(start: Message, length: int) -> list[tuple[bytes, bytes]]:
    kept = [pair for pair in start.get("headers", ()) if pair[0] != b"content-length"]
    # Of an ETag only the weak kind holds for both forms.
    kept = [(n, b"W/" + v) if n == b"etag" and not v.startswith(b"W/") else (n, v) for n, v in kept]
    return [
        *kept,
        (b"content-length", b"%d" % length),
        (b"content-encoding", b"gzip"),
        (b"vary", b"Accept-Encoding"),
    ]
