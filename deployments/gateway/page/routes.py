"""All routes of the dashboard: the page, its assets, and what it asks for."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter

from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.page import board, files, run
from deployments.gateway.platform.replies import Body, problems
from deployments.gateway.security import needs
from nt_ray.access.roles import GRANTS, Principal

PREFIX: Final = "/api/v1"


class Me(Body):
    """Who asks, and what he may do."""

    id: str
    role: str
    scopes: list[str]


def router(accounts: Accounts, runs: Path) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    routes.include_router(files.router())
    routes.include_router(board.router(accounts), prefix=PREFIX)
    routes.include_router(run.router(runs), prefix=PREFIX)

    @routes.get(PREFIX + "/me", response_model=Me, responses=problems(), tags=["dashboard"], summary="Who am I?")
    async def me(principal: Annotated[Principal, needs()]) -> Me:
        scopes = [scope.value for scope in sorted(GRANTS[principal.role]) if principal.may(scope)]
        return Me(id=principal.id, role=principal.role.value, scopes=scopes)

    return routes
