"""`/dashboard/accounts/.../equity`: what an account was worth, beside equal parts of its symbols that were held."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import AccountPath, running
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.basket import NAME, beside
from nt_ray.trader.live_readings import EquityCurve

MOST_POINTS: Final = 1500
BY_MINUTE: Final = 31
"""Days of which each minute is known."""


class CurveView(Body):
    """Equity over time, and what the same money had become in equal parts of `symbols`."""

    times: list[str]
    equity: list[float]
    benchmark_name: str
    symbols: list[str]
    benchmark: list[float | None] = Field(description="Null before the first price.")


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/dashboard/accounts", tags=["dashboard"])

    @routes.get("/{account}/equity", response_model=CurveView, responses=problems(404), summary="Equity over time")
    async def equity(
        principal: Annotated[Principal, needs(Scope.TRADING_READ)],
        account: AccountPath,
        days: Annotated[int, Query(ge=1, le=3660, description="Days until now; up to 31 by minute.")] = 1,
    ) -> Response:
        principal.require(Scope.TRADING_READ, account)
        door = await running(platform, account)
        # What was noted within this minute begins before now.
        end = datetime.now(UTC)
        curve = await door.worth(end - timedelta(days=days), end, by_day=days > BY_MINUTE)
        return replied(view(curve))

    return routes


def view(curve: EquityCurve) -> CurveView:
    """Write a curve with at most `MOST_POINTS` points."""
    step = -(-len(curve.samples) // MOST_POINTS) or 1
    benchmark = beside(curve.samples, curve.levels, curve.paid_in)
    # Counted from the end, so that the newest value stays.
    places = range(len(curve.samples) - 1, -1, -step)[::-1]
    return CurveView(
        times=[curve.samples[place][0].isoformat() for place in places],
        equity=[float(curve.samples[place][1]) for place in places],
        benchmark_name=NAME,
        symbols=list(curve.symbols),
        benchmark=[benchmark[place] for place in places],
    )
