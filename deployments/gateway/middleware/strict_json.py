"""Bodies of JSON that everybody reads alike: no name twice, no NaN or infinity, no nesting without end (RFC 8259, 9).

Readers differ in which of two values of a name they take, so a proxy or an audit may see another order than the one
that is sent. Such a body is refused before anybody sees it. Bodies of other kinds pass as they are.
"""

import json
import re
from typing import Any, Final, NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.problems import GatewayError

DEEPEST: Final = 64
"""Levels of nesting that a body may have."""
_FORMS: Final = (b"application/x-www-form-urlencoded", b"multipart/form-data")
_TEXTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


class AmbiguousJsonError(GatewayError):
    """A body that is no JSON, or that may be read in two ways."""

    code = "malformed_json"
    status = 400

    def __init__(self, what: str) -> None:
        super().__init__(f"The body {what}. Send one JSON object.")


class StrictJson:
    """Wraps an application whose bodies come whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _has_json(scope):
            await self._app(scope, receive, send)
            return
        waiting: list[Message] = [await receive()]
        body = waiting[0].get("body", b"")
        if body:
            check(body)

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, again, send)


def check(body: bytes) -> None:
    """Raise `AmbiguousJsonError` where a body is not JSON in one reading alone."""
    if _depth(body) > DEEPEST:
        raise AmbiguousJsonError(f"is nested deeper than {DEEPEST} levels")
    try:
        json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise AmbiguousJsonError("is no JSON") from error


def _has_json(scope: Scope) -> bool:
    has_body, is_form = False, False
    for name, value in scope["headers"]:
        if name == b"content-type":
            is_form = value.lower().startswith(_FORMS)
        has_body = has_body or name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
    return has_body and not is_form


def _depth(body: bytes) -> int:
    """Most brackets that are open at once, or 0 where there are few of them at all."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return 0
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_TEXTS.sub(b"", body)):
        depth += 1 if bracket in (b"[", b"{") else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise AmbiguousJsonError("names a field twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise AmbiguousJsonError(f"holds {name}, which is no number of JSON")
