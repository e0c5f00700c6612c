"""As much of HTTP/1.1 as the simulated venue needs: request heads in, answers out, on asyncio streams."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

_LONGEST_BODY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `head` is what came before the body, as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    head: bytes

    @property
    def is_upgrade(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read one request; None where the connection has ended or talks nonsense."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _LONGEST_BODY:
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    parts = urlsplit(target)
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body, head)


def json_answer(status: int, body: Any, headers: Mapping[str, str]) -> bytes:
    """Write an answer of JSON; None is an empty body."""
    content = b"" if body is None else json.dumps(body).encode()
    return _answer(status, content, {"Content-Type": "application/json", **headers})


def html_answer(status: int) -> bytes:
    """Write the page that a proxy shows when the venue behind it fails."""
    phrase = HTTPStatus(status).phrase
    page = f"<html><head><title>{status} {phrase}</title></head><body><h1>{phrase}</h1></body></html>"
    return _answer(status, page.encode(), {"Content-Type": "text/html"})


def _answer(status: int, content: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
