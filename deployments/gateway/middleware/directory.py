"""Routes by their whole path, in front of the router: those without a parameter need no search.

A router asks its routes one after the other, so each further route would make all requests slower. What is not found
here, by path and method, takes the router's own way, with its refusals.
"""

from collections.abc import Sequence

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send


class Directory:
    """Stands in the place of a router's application."""

    def __init__(self, router: Router, routes: Sequence[BaseRoute]) -> None:
        self._router = router
        self._exact = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute) and "{" not in route.path
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._exact.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None or scope.get("root_path"):
            await self._router.app(scope, receive, send)
            return
        match, child = route.matches(scope)
        if match is not Match.FULL:
            await self._router.app(scope, receive, send)
            return
        scope.setdefault("router", self._router)
        scope.update(child)
        await route.handle(scope, receive, send)
