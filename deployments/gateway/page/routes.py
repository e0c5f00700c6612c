"""All routes of the dashboard: the page, its assets, and what it asks for."""

from typing import Annotated, Final

from fastapi import APIRouter

from deployments.gateway.backend.platform import Platform
from deployments.gateway.page import board, curve, files, models, run, sessions, tails
from deployments.gateway.platform.replies import Body, problems
from deployments.gateway.security import needs
from nt_ray.access.roles import GRANTS, Principal

PREFIX: Final = "/api/v1"


class Me(Body):
    """Who asks, and what he may do."""

    id: str
    role: str
    scopes: list[str]


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    routes.include_router(files.router())
    parts = (
        board.router(platform),
        curve.router(platform),
        tails.router(platform),
        models.router(platform.settings),
        run.router(platform.settings.runs),
        sessions.router(platform),
    )
    for part in parts:
        routes.include_router(part, prefix=PREFIX)

    @routes.get(PREFIX + "/me", response_model=Me, responses=problems(), tags=["dashboard"], summary="Who am I?")
    async def me(principal: Annotated[Principal, needs()]) -> Me:
        scopes = [scope.value for scope in sorted(GRANTS[principal.role]) if principal.may(scope)]
        return Me(id=principal.id, role=principal.role.value, scopes=scopes)

    return routes
