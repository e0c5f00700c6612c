"""`/dashboard/models`: who holds which alias of a model, and whether the bars since its training have drifted."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, name_at
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.trader.model_watch import ModelWatch, Watched


class DriftView(Body):
    """Inputs since training: bars seen, and why to train anew; `refused` says why that is not known."""

    bars: int
    reasons: list[str]
    refused: str


class WatchedView(Body):
    """A version that holds an alias, or the newest one of a model that has none."""

    name: str
    alias: str
    version: int
    versions: int
    created: str
    trained_until: str | None
    drift: DriftView
    asked: str = Field(description="Why a retraining was asked for; empty where it was not.")
    is_met: bool = Field(description="Whether a version that meets the request is there.")


class WatchedList(Body):
    """Models of the registry, by name."""

    models: list[WatchedView]
    next: Next


def router(settings: Settings) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/dashboard", tags=["dashboard"])
    watch = ModelWatch(settings, time.monotonic)

    @routes.get("/models", response_model=WatchedList, responses=problems(), summary="Watch models")
    async def models(
        _: Annotated[Principal, needs(Scope.MODELS_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        found = await asyncio.to_thread(watch.look, name_at("watched", cursor) or "", limit + 1)
        # A model with several aliases has several rows: a page is of so many models.
        names = sorted({model.name for model in found})[:limit]
        more = cursor_of("watched", names[-1]) if names and names[-1] != found[-1].name else None
        return replied(WatchedList(models=[_view(model) for model in found if model.name in names], next=more))

    return routes


def _view(found: Watched) -> WatchedView:
    verdict = found.verdict
    return WatchedView(
        name=found.name,
        alias=found.alias,
        version=found.version,
        versions=found.versions,
        created=found.created.isoformat(),
        trained_until=None if found.trained_until is None else found.trained_until.isoformat(),
        drift=DriftView(bars=verdict.bars, reasons=list(verdict.reasons), refused=verdict.refused),
        asked=found.asked,
        is_met=found.is_met,
    )
