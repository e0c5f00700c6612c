"""The outermost layer: an id for each request, security headers on each answer, and nothing that ends the process.

The id is the caller's own where he gives a plain one in X-Request-Id, else a new one; logs, audit entries and
refusals bear it. What no handler has expected is logged with its traceback and answered 500, or ends the connection
where an answer has begun.
"""

import logging
import re
import secrets
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway import problems
from nt_ray.errors import NeuralTraderError

_PLAIN: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"strict-transport-security", b"max-age=31536000"),
)
_NEUTRAL: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Set where an answer does not say otherwise itself."""

_log = logging.getLogger(__name__)


class Envelope:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or secrets.token_hex(16).encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = message["headers"] = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                headers += _HEADERS
                headers += [pair for pair in _NEUTRAL if pair[0] not in names]
                headers.append((b"x-request-id", request_id))
            await send(message)

        try:
            await self._app(scope, receive, sealed)
        except Exception as error:  # noqa: BLE001 whatever it is, the process goes on and the caller is told
            failure = error
        else:
            return
        if not isinstance(failure, NeuralTraderError):
            what = f"{scope['method']} {scope['path']}"
            _log.error("Request %s failed: %s", request_id.decode(), what, exc_info=failure)
        if begun:
            raise failure
        answer = (
            problems.refusal(scope, failure) if isinstance(failure, NeuralTraderError) else problems.internal(scope)
        )
        await answer(scope, receive, sealed)


def _given_id(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _PLAIN.fullmatch(value):
            found: bytes = value
            return found
    return None
