"""All routers of `/api/v1` together."""

from typing import Final

from fastapi import APIRouter

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform import accounts, jobs, journals, models, runs, strategies, swarms, system

PREFIX: Final = "/api/v1"


def router(platform: Platform) -> APIRouter:
    """Build the routes of the platform's own API."""
    routes = APIRouter(prefix=PREFIX)
    for resource in (accounts, strategies, jobs, swarms, models, runs, journals, system):
        routes.include_router(resource.router(platform))
    return routes
