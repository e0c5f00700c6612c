"""Text of some length, compressed for who takes gzip, whole or as it streams; each answer says that it depends on that.

Streams of events, parts of files, and what is compressed already pass as they are.
"""

import gzip
import zlib
from functools import lru_cache
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST: Final = 1000
LEVEL: Final = 5
_COMPRESSIBLE: Final = (
    b"application/json",
    b"application/problem+json",
    b"text/",
    b"application/javascript",
    b"application/toml",
    b"image/svg",
)
_STREAM: Final = b"text/event-stream"
_GZIP: Final = zlib.MAX_WBITS | 16
_VARY: Final = (b"vary", b"Accept-Encoding")
_NOT_MODIFIED: Final = 304


class Compression:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_taken = takes_gzip(scope)
        waiting: Message | None = None
        packs, packing = False, None

        async def packed(message: Message) -> None:
            nonlocal waiting, packs, packing
            if message["type"] == "http.response.start":
                if packs := _depends(message):
                    message["headers"] = [*message.get("headers", ()), _VARY]
                if is_taken:
                    # Whether it is long enough only its first part shows; what fails before that can still be refused.
                    waiting = message
                    return
            elif waiting is not None:
                start, waiting = waiting, None
                if packs and message["type"] == "http.response.body" and _is_whole(start):
                    message, packing = _packed(start, message)
                await send(start)
            elif packing is not None:
                message = _part(packing, message)
            await send(message)

        await self._app(scope, receive, packed)


def takes_gzip(scope: Scope) -> bool:
    """Whether Accept-Encoding allows gzip (RFC 9110, 12.5.3): by name, else by the star, with a weight above zero."""
    return _allows(b",".join([value for name, value in scope["headers"] if name == b"accept-encoding"]))


@lru_cache(256)
def _allows(accepted: bytes) -> bool:
    found: dict[bytes, bool] = {}
    for part in accepted.lower().split(b","):
        coding, _, weight = part.partition(b";")
        found[coding.strip()] = not _is_zero(weight)
    return found.get(b"gzip", found.get(b"x-gzip", found.get(b"*", False)))


def _is_zero(weight: bytes) -> bool:
    name, _, number = weight.strip().partition(b"=")
    return name.strip() == b"q" and not number.strip().strip(b"0.")


def _depends(start: Message) -> bool:
    """Whether what is sent depends on what the caller takes: text, or word of it, whose maker has not seen to that."""
    is_text = False
    for name, value in start.get("headers", ()):
        if name == b"content-type":
            is_text = value.startswith(_COMPRESSIBLE) and not value.startswith(_STREAM)
        elif name == b"content-encoding" or (name == b"vary" and b"accept-encoding" in value.lower()):
            return False
    return is_text or start["status"] == _NOT_MODIFIED


def _is_whole(start: Message) -> bool:
    """Whether it is all of something, and not nothing or a part of a file."""
    return start["status"] not in (204, 206, _NOT_MODIFIED)


def _packed(start: Message, message: Message) -> tuple[Message, Any]:
    """First part of an answer, compressed where that is worth it, and what compresses those after it."""
    body = message.get("body", b"")
    if message.get("more_body", False):
        packing = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        start["headers"] = _relabelled(start)
        return _part(packing, message), packing
    if len(body) < SMALLEST:
        return message, None
    whole = gzip.compress(body, LEVEL, mtime=0)
    start["headers"] = [*_relabelled(start), (b"content-length", b"%d" % len(whole))]
    return {**message, "body": whole}, None


def _part(packing: Any, message: Message) -> Message:
    body = packing.compress(message.get("body", b""))
    return {**message, "body": body if message.get("more_body", False) else body + packing.flush()}


def _relabelled(start: Message) -> list[tuple[bytes, bytes]]:
    # A part of what is compressed would be a part of something else.
    kept = [pair for pair in start["headers"] if pair[0] not in (b"content-length", b"accept-ranges")]
    # Of an ETag only the weak kind holds for both forms.
    kept = [(n, b"W/" + v) if n == b"etag" and not v.startswith(b"W/") else (n, v) for n, v in kept]
    return [*kept, (b"content-encoding", b"gzip")]
