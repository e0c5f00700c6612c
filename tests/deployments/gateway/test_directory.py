"""Routes that are called as they are answer as FastAPI would have answered for them."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from deployments.gateway import problems
from deployments.gateway.alpaca import account, market, positions
from deployments.gateway.middleware.directory import Directory, plain
from deployments.gateway.problems import GatewayError


class FullError(GatewayError):
    """A refusal of a test."""

    code = "full"
    status = 409


async def name_of(connection: HTTPConnection) -> str:
    name = connection.headers.get("x-name")
    if name is None:
        raise FullError("Nobody asks.")
    return name


async def stop(connection: HTTPConnection) -> None:
    if "x-stop" in connection.headers:
        raise FullError("It has stopped.")


Name = Annotated[str, Depends(name_of)]
ROUTES = APIRouter()


@ROUTES.get("/plain", dependencies=[Depends(stop)])
async def with_checks(name: Name) -> Response:
    return JSONResponse({"name": name})


@ROUTES.get("/fails", dependencies=[Depends(stop)])
async def failing() -> Response:
    raise FullError("No room.")


@ROUTES.get("/asked")
async def asked(name: Name, size: Annotated[int, Query(ge=1)] = 1) -> Response:
    return JSONResponse({"name": name, "size": size})


@ROUTES.get("/request")
async def whole(request: Request) -> Response:
    return JSONResponse({"query": str(request.query_params)})


@ROUTES.get("/modelled")
async def modelled(name: Name) -> dict[str, str]:
    return {"name": name}


@ROUTES.get("/thread")
def threaded() -> Response:
    return JSONResponse({})


async def through(name: Name) -> str:
    return name.upper()


@ROUTES.get("/nested")
async def nested(name: Annotated[str, Depends(through)]) -> Response:
    return JSONResponse({"name": name})


PLAIN = {"/plain", "/fails"}


def built(*, direct: bool) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.router.routes.extend(ROUTES.routes)
    if direct:
        app.router.middleware_stack = Directory(app.router, ROUTES.routes)
    return app


def answer(app: FastAPI, method: str, path: str, headers: dict[str, str]) -> tuple[Any, ...]:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.request(method, path, headers=headers)

    found = asyncio.run(ask())
    return found.status_code, found.content, sorted(found.headers.items())


@pytest.mark.parametrize("headers", [{}, {"x-name": "ann"}, {"x-name": "ann", "x-stop": "1"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_a_request_is_answered_as_fastapi_does(method: str, headers: dict[str, str]) -> None:
    own, usual = built(direct=True), built(direct=False)
    for path in [*(route.path for route in ROUTES.routes), "/plain/", "/plain?size=0", "/asked?size=0", "/none"]:
        assert answer(own, method, path, headers) == answer(usual, method, path, headers), path


def test_only_what_takes_nothing_from_the_request_is_called_as_it_is() -> None:
    found = {route.path: plain(route) is not None for route in ROUTES.routes if isinstance(route, APIRoute)}
    assert {path for path, is_plain in found.items() if is_plain} == PLAIN
    assert len(found) == 7


def test_a_route_that_was_called_as_it_is_is_known_by_its_template() -> None:
    seen: list[Any] = []
    app = built(direct=True)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        seen.append((scope["route"].path, scope["path_params"]))

    answer(watched, "GET", "/plain", {"x-name": "ann"})  # type: ignore[arg-type]
    assert seen == [("/plain", {})]


def test_what_is_asked_for_most_is_called_as_it_is() -> None:
    nobody: Any = None
    routes = [route for part in (account, market, positions) for route in part.router(nobody).routes]
    found = {route.path for route in routes if isinstance(route, APIRoute) and plain(route) is not None}
    assert {"/v2/account", "/v2/clock", "/v2/positions"} <= found
