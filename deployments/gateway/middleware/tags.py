"""ETags: each JSON that is read bears the digest of its text, and who has it already gets an empty 304.

What an answer costs to make is paid all the same; what is saved is its way. Answers with a tag of their own pass as
they are, as do streams and refusals.
"""

import hashlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READS: Final = ("GET", "HEAD")
_JSON: Final = b"application/json"
_CACHE: Final = (b"cache-control", b"private, no-cache")
"""It may be kept by who asked, and is asked for each time."""
_OF_BODY: Final = (b"content-length", b"content-type")
_EMPTY: Final[Message] = {"type": "http.response.body", "body": b""}


class Tags:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in _READS:
            await self._app(scope, receive, send)
            return
        waiting: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal waiting
            if waiting is None:
                if message["type"] == "http.response.start" and _is_plain(message):
                    # Its digest only its body shows.
                    waiting = message
                    return
            else:
                start, waiting = waiting, None
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    message = _tagged(scope, start, message)
                await send(start)
            await send(message)

        await self._app(scope, receive, tagged)


def tag_of(text: bytes) -> str:
    """ETag of a text."""
    return f'"{hashlib.blake2b(text, digest_size=16).hexdigest()}"'


def names(header: str, etag: str) -> bool:
    """Whether a list of tags, as If-Match and If-None-Match have it, names one; a weak tag is of the same text."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


def _is_plain(start: Message) -> bool:
    """Whether an answer is JSON without a tag of its own, and no refusal."""
    if start["status"] != 200:
        return False
    is_json = False
    for name, value in start["headers"]:
        if name == b"content-type":
            is_json = value.startswith(_JSON)
        elif name == b"etag":
            return False
    return is_json


def _tagged(scope: Scope, start: Message, message: Message) -> Message:
    """Give an answer its tag, or nothing but that where its reader has it; its body."""
    etag = tag_of(message["body"])
    headers = start["headers"] = [*start["headers"], (b"etag", etag.encode())]
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append(_CACHE)
    for name, value in scope["headers"]:
        if name == b"if-none-match" and names(value.decode("latin-1"), etag):
            start["status"], start["headers"] = 304, [pair for pair in headers if pair[0] not in _OF_BODY]
            return _EMPTY
    return message
