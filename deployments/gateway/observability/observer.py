"""The ASGI layer that counts, times, traces and logs each request, and gives its lines in the log its id.

It changes no answer. A request ends with the last byte of its answer, so streams are timed whole, and is slow by the
time until its answer begins; WebSockets are counted while they are open.
"""

import asyncio
import logging
import time
import uuid
from typing import Any, Final, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.observability.metrics import Metrics
from deployments.gateway.observability.tracing import Tracing, answered
from nt_ray.errors import NeuralTraderError
from nt_ray.trading.origin import Origin, coming_from

_ABORTED: Final = 499
"""Status of a request that was given up before its answer began."""
_BROKEN: Final = 500
"""Status of one on which the application failed."""

_NORMAL: Final = 1000
_UNTOLD: Final = 1006
"""Codes with which a WebSocket ends: as it should, and without a word."""
_WELL: Final = frozenset({_NORMAL, 1001, 1005})
"""Ends of a WebSocket that are none of a failure: done, going away, no reason given."""

_log = logging.getLogger(__name__)


class Observer:
    """Middleware around the whole application; `slow_s` until an answer begins are worth a warning."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        tracing: Tracing,
        log_requests: Literal["all", "failed", "none"],
        slow_s: float,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing
        self._least_logged = {"all": 0, "failed": 400, "none": 1000}[log_requests]
        self._slow_s = slow_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, begun, status = time.perf_counter(), 0.0, _BROKEN
        method = scope["method"]

        async def watched(message: Message) -> None:
            nonlocal begun, status
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
            await send(message)

        self._metrics.begin()
        with coming_from(Origin(_request_id(scope))), self._tracing.request(method, scope["headers"]) as span:
            try:
                await self._app(scope, receive, watched)
                status = status if begun else _ABORTED
            except NeuralTraderError as error:
                # An outer layer answers it, as it does whatever else is raised.
                status = status if begun else error.status
                raise
            except asyncio.CancelledError:
                status = status if begun else _ABORTED
                raise
            finally:
                answered(span, method, status, _route(scope))
                end = time.perf_counter()
                self._metrics.end(method, status, end - start)
                is_slow = (begun or end) - start >= self._slow_s
                if is_slow or status >= self._least_logged:
                    _tell("request", scope, status, end - start, is_slow=is_slow, is_fault=status >= _BROKEN)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, accepted, code = time.perf_counter(), False, _UNTOLD

        async def sent(message: Message) -> None:
            nonlocal accepted, code
            if message["type"] == "websocket.accept":
                accepted = True
            elif message["type"] == "websocket.close":
                code = message.get("code", _NORMAL)
            await send(message)

        async def received() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code", _UNTOLD)
            return message

        self._metrics.opened()
        with coming_from(Origin(_request_id(scope))):
            try:
                await self._app(scope, received, sent)
            finally:
                self._metrics.closed()
                is_well = accepted and code in _WELL
                if self._least_logged <= (0 if is_well else 400):
                    _tell("websocket", scope, code, time.perf_counter() - start, is_slow=False, is_fault=False)


def _tell(what: str, scope: Scope, status: int, seconds: float, *, is_slow: bool, is_fault: bool) -> None:
    """Log a request or connection; its query stays out: it may hold what its caller would not see written down."""
    state = scope.get("state", {})
    who = getattr(state.get("principal"), "id", "")
    facts = {"method": scope.get("method", ""), "path": scope["path"], "status": status, "seconds": round(seconds, 6)}
    facts |= {"principal": who, "address": state.get("address", "")}
    level = logging.ERROR if is_fault else logging.WARNING if is_slow else logging.INFO
    _log.log(
        level, f"slow {what}" if is_slow else what, extra={name: told for name, told in facts.items() if told != ""}
    )


def _request_id(scope: Scope) -> str:
    """Id that an outer layer has given; WebSockets get theirs here."""
    state: dict[str, Any] = scope.setdefault("state", {})
    found: str = state.setdefault("request_id", "") or uuid.uuid4().hex
    state["request_id"] = found
    return found


def _route(scope: Scope) -> str:
    """Template of the route that answered, so that ids of callers do not become names; empty where none did."""
    return str(getattr(scope.get("route"), "path", ""))
