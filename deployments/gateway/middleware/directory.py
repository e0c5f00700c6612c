"""Routes by their whole path, in front of the router: those without a parameter need no search.

A router asks its routes one after the other, so each further route would make all requests slower. A route that takes
nothing from the request but who asks, and for which account, is called as it is: FastAPI would look at each request
anew for what such a route does not have. What is not found here, by path and method, takes the router's own way, with
its refusals.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send

Door = Callable[[HTTPConnection], Awaitable[Response]]

_KNOWN: Final = frozenset({"dependencies", "name", "call", "path", "use_cache", "scope", "concurrency"})
"""What FastAPI may find in the signature of a route that is called as it is; its dependencies take the connection."""


class Directory:
    """Stands in the place of a router's application."""

    def __init__(self, router: Router, routes: Sequence[BaseRoute]) -> None:
        self._router = router
        self._exact = {
            (method, route.path): (route, plain(route))
            for route in routes
            if isinstance(route, APIRoute) and "{" not in route.path
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._exact.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None or scope.get("root_path"):
            await self._router.app(scope, receive, send)
            return
        route, door = found
        scope.setdefault("router", self._router)
        if door is not None:
            scope.update({"route": route, "endpoint": route.endpoint, "path_params": {}})
            response = await door(HTTPConnection(scope))
            await response(scope, receive, send)
            return
        match, child = route.matches(scope)
        if match is not Match.FULL:
            await self._router.app(scope, receive, send)
            return
        scope.update(child)
        await route.handle(scope, receive, send)


def plain(route: APIRoute) -> Door | None:
    """Call a route as it is; None where only FastAPI knows what it takes, or how its answer is written."""
    own, answers = route.dependant, inspect.signature(route.endpoint).return_annotation
    if not (isinstance(answers, type) and issubclass(answers, Response) and _has_only(own, frozenset())):
        return None
    checks: list[tuple[str | None, Callable[..., Any], str]] = []
    for needed in own.dependencies:
        takes = needed.http_connection_param_name
        if needed.call is None or takes is None or not _has_only(needed, frozenset({"http_connection_param_name"})):
            return None
        checks.append((needed.name, needed.call, takes))
    if not all(inspect.iscoroutinefunction(call) for call in (route.endpoint, *(call for _, call, _ in checks))):
        return None
    endpoint: Callable[..., Awaitable[Response]] = route.endpoint

    async def door(connection: HTTPConnection) -> Response:
        given = {}
        for name, check, takes in checks:
            found = await check(**{takes: connection})
            if name is not None:
                given[name] = found
        return await endpoint(**given)

    return door


def _has_only(dependant: Dependant, more: frozenset[str]) -> bool:
    """Whether nothing else is asked for than what is known, or `more`."""
    asked = {field.name for field in fields(dependant) if getattr(dependant, field.name)}
    return asked <= _KNOWN | more and not (more and dependant.dependencies)
