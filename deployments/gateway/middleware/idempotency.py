"""`Idempotency-Key`: what may change something is done once under its key, and answered again the same way.

A key belongs to who gave it, with what he may do, and to one method and path. The work goes on where its caller hangs
up, and its answer waits for him. A refusal is not kept: it leaves the key free. Where the process dies in the middle
the key is free after a minute; what the request makes then has the same name again (`deployments.gateway.names`), so
there is no second order and no second job. Answers with tokens, and streams, are never kept.
"""

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway import names
from deployments.gateway.afterwards import finish
from deployments.gateway.problems import GatewayError
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.jobs.answers import Answer, Claim

HEADER: Final = "Idempotency-Key"
PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
UNKEPT: Final = ("/api/v1/auth/", "/api/v1/access/", "/mcp")
"""Paths below which a key has no effect: their answers hold tokens or secrets, or are streams."""
LONGEST: Final = 2**20
"""Bytes of an answer that is kept."""

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NAME: Final = HEADER.lower().encode()
_MEANING: Final = (b"content-type", b"nt-account")
"""Headers that make another request of the same body."""

_log = logging.getLogger(__name__)

_Place = tuple[str, str, str]
"""Owner, operation and key."""


class Answers(Protocol):
    """Keeps answers; `deployments.gateway.backend.jobs` does."""

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        """Claim a key; the answer it has, if it has one."""
        ...

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        """Keep the answer under a claimed key."""
        ...

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        """Give up a claim."""
        ...


class KeyFormatError(GatewayError):
    """An idempotency key that is none."""

    code = "invalid_request"
    status = 422

    def __init__(self) -> None:
        super().__init__(f"The header {HEADER} is no key. Send one of 1 to 128 letters, digits or . _ : - .")


class Idempotency:
    """Wraps an application; inside of what tells who asks, around the routes."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        principal = scope.get("state", {}).get("principal")
        keys = _keys(scope)
        if not keys or principal is None or scope["path"].startswith(UNKEPT):
            await self._app(scope, receive, send)
            return
        if len(keys) > 1 or re.fullmatch(PATTERN, keys[0]) is None:
            raise KeyFormatError
        body = await _body(receive)
        place = (_owner(principal), f"{scope['method']} {scope['path']}", keys[0])
        found = await self._answers.claim(*place, _digest(scope, body))
        if isinstance(found, Answer):
            messages = _again(found)
        else:
            messages = await finish(self._work(scope, body, receive, place, found))
        for message in messages:
            await send(message)

    async def _work(self, scope: Scope, body: bytes, receive: Receive, place: _Place, claim: Claim) -> list[Message]:
        messages: list[Message] = []

        async def taken(message: Message) -> None:
            messages.append(message)

        names.begin(json.dumps(place))
        answer: Answer | None = None
        try:
            await self._app(scope, _replayed(body, receive), taken)
            answer = _answer(messages)
        finally:
            if answer is None:
                await _tried(lambda: self._answers.release(*place, claim))
            else:
                kept = answer
                await _tried(lambda: self._answers.keep(*place, claim, kept))
        return messages


async def _tried(work: Callable[[], Awaitable[None]]) -> None:
    """Write down what became of a claim; where that cannot be done the claim ends by itself."""
    try:
        await work()
    except NeuralTraderError as error:
        _log.warning("What became of an idempotency key is not written down: %s", error)


def _keys(scope: Scope) -> list[str]:
    if scope["type"] != "http" or scope["method"] not in _CHANGES:
        return []
    return [value.decode("latin-1") for name, value in scope["headers"] if name == _NAME]


def _owner(principal: Principal) -> str:
    """Who he is and what he may do: an answer is not shown to a credential that might not have asked."""
    scopes = "all" if principal.scopes is None else ",".join(sorted(principal.scopes))
    accounts = "all" if principal.accounts is None else json.dumps(sorted(principal.accounts))
    return f"{principal.id} {principal.role} {scopes} {accounts}"


def _digest(scope: Scope, body: bytes) -> str:
    told = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"] if name in _MEANING]
    head = json.dumps([scope["query_string"].decode("latin-1"), sorted(told)]).encode()
    return hashlib.sha256(hashlib.sha256(head).digest() + body).hexdigest()


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _answer(messages: list[Message]) -> Answer | None:
    """What is kept of an answer: success, in JSON or empty, of bounded length."""
    start, *parts = messages
    body = b"".join(part.get("body", b"") for part in parts)
    media = dict(start.get("headers", ())).get(b"content-type", b"")
    is_plain = not body or media.startswith(b"application/json")
    if not 200 <= start["status"] < 300 or not is_plain or len(body) > LONGEST:
        return None
    return Answer(start["status"], body.decode())


def _again(answer: Answer) -> list[Message]:
    body = answer.body.encode()
    headers = [(b"idempotent-replayed", b"true")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    return [start, {"type": "http.response.body", "body": body}]
