"""No route is open by oversight: an application with one does not start."""

from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI

from deployments.gateway.assembly import assemble
from deployments.gateway.security import PUBLIC, OpenRouteError, ReadAccount, check_closed, needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import load_settings


def app_with(router: APIRouter) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(router, prefix="/api/v1")
    return app


def test_a_route_that_asks_for_nothing_is_named_and_stops_the_start() -> None:
    router = APIRouter()

    @router.get("/closed")
    async def closed(principal: Annotated[Principal, needs(Scope.RUNS_READ)]) -> str:
        return principal.id

    @router.get("/account")
    async def account(name: ReadAccount) -> str:
        return name

    check_closed(app_with(router).routes)

    @router.post("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(OpenRouteError, match="forgotten"):
        check_closed(router.routes)


def test_the_whole_gateway_has_no_open_route_but_the_public_ones(tmp_path: Path) -> None:
    folders = {"access.folder": str(tmp_path / "access"), "state": str(tmp_path), "runs": str(tmp_path / "runs")}
    app = assemble(load_settings(None, folders, environ={}))
    paths = set(app.openapi()["paths"])
    assert "/v2/orders" in paths
    assert {"/health/live", "/api/v1/auth/token"} <= PUBLIC & paths
