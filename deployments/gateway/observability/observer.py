"""The ASGI layer that counts, times, traces and logs each request, and gives its lines in the log its id.

It changes no answer. A request ends with the last byte of its answer, so streams are timed whole; WebSockets are
counted while they are open.
"""

import asyncio
import logging
import time
import uuid
from typing import Any, Final, Literal

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.observability.metrics import Metrics
from deployments.gateway.observability.tracing import Tracing, answered
from nt_ray.errors import NeuralTraderError

_ABORTED: Final = 499
"""Status of a request that was given up before its answer began."""
_BROKEN: Final = 500
"""Status of one on which the application failed."""

_log = logging.getLogger(__name__)


class Observer:
    """Middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, tracing: Tracing, log_requests: Literal["all", "failed", "none"]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing
        self._least_logged = {"all": 0, "failed": 400, "none": 1000}[log_requests]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status, has_begun = time.perf_counter(), _BROKEN, False
        method = scope["method"]

        async def watched(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
            await send(message)

        self._metrics.begin()
        bound = structlog.contextvars.bound_contextvars(request_id=_request_id(scope))
        with bound, self._tracing.request(method, scope["headers"]) as span:
            try:
                await self._app(scope, receive, watched)
                status = status if has_begun else _ABORTED
            except NeuralTraderError as error:
                # An outer layer answers it, as it does whatever else is raised.
                status = status if has_begun else error.status
                raise
            except asyncio.CancelledError:
                status = status if has_begun else _ABORTED
                raise
            finally:
                answered(span, method, status, _route(scope))
                self._end(scope, method, status, start)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.opened()
        try:
            with structlog.contextvars.bound_contextvars(request_id=_request_id(scope)):
                await self._app(scope, receive, send)
        finally:
            self._metrics.closed()

    def _end(self, scope: Scope, method: str, status: int, start: float) -> None:
        seconds = time.perf_counter() - start
        self._metrics.end(method, status, seconds)
        if status >= self._least_logged:
            # The query stays out: it may hold what its caller would not see written down.
            facts = {"method": method, "path": scope["path"], "status": status, "seconds": round(seconds, 6)}
            _log.log(logging.ERROR if status >= 500 else logging.INFO, "request", extra=facts)


def _request_id(scope: Scope) -> str:
    """Id that an outer layer has given; WebSockets get theirs here."""
    state: dict[str, Any] = scope.setdefault("state", {})
    found: str = state.setdefault("request_id", "") or uuid.uuid4().hex
    state["request_id"] = found
    return found


def _route(scope: Scope) -> str:
    """Template of the route that answered, so that ids of callers do not become names; empty where none did."""
    return str(getattr(scope.get("route"), "path", ""))
