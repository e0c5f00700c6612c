"""`/dashboard/accounts/.../tails`: value at risk and expected shortfall of what an account holds, by method."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import AccountPath, running
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.account_tails import account_tails
from nt_ray.trader.overview import Overview


class TailView(Body):
    """One method at one confidence, over one period; fractions of equity, null where the method refuses."""

    method: str
    confidence: float
    var: float | None
    es: float | None


class TailsView(Body):
    """Tails of an account; without rows where it holds nothing, or where `refused` says why not."""

    periods: int
    until: str
    rows: list[TailView]
    refused: str = Field(description="Why nothing can be measured; empty where it can.")


def router(platform: Platform) -> APIRouter:
    """Build the routes; history is that of the settings' data."""
    routes = APIRouter(prefix="/dashboard/accounts", tags=["dashboard"])

    @routes.get("/{account}/tails", response_model=TailsView, responses=problems(404), summary="What is at risk")
    async def tails(principal: Annotated[Principal, needs(Scope.RISK_READ)], account: AccountPath) -> Response:
        principal.require(Scope.RISK_READ, account)
        found = await (await running(platform, account)).overview()
        return replied(await asyncio.to_thread(_measured, platform.settings, found))

    return routes


def _measured(settings: Settings, found: Overview) -> TailsView:
    try:
        tails = account_tails(settings, found)
    except NeuralTraderError as error:
        # That the data lack a symbol is no fault of whoever watches.
        return TailsView(periods=0, until="", rows=[], refused=str(error))
    rows = [TailView(method=r.method, confidence=r.confidence, var=r.var, es=r.es) for r in tails.rows]
    return TailsView(periods=tails.periods, until=tails.until, rows=rows, refused="")
