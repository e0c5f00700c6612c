"""Assets, clock and calendar over Alpaca's routes. Assets are what the account may trade; hours are New York's."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.moments import FIRST_DAY, LAST_DAY
from deployments.gateway.alpaca.refusals import InvalidError, MissingError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.security import ReadAccount, needs
from nt_ray.access.roles import Scope
from nt_ray.brokers.alpaca.shapes import calendar_day, clock_shape
from nt_ray.market import nyse

USUAL: Final = timedelta(days=365)
_HOURS: Final = "%H:%M"


def router(accounts: Accounts) -> APIRouter:
    """Routes of /v2 that are about the market."""
    routes = APIRouter(prefix="/v2", tags=["market"])

    @routes.get("/assets", summary="List assets", responses=EXAMPLES["assets"])
    async def assets(
        name: ReadAccount,
        status: Literal["active", "inactive"] | None = None,
        asset_class: Annotated[str | None, Query(max_length=32)] = None,
        exchange: Annotated[str | None, Query(max_length=32)] = None,
        attributes: Annotated[str | None, Query(max_length=256)] = None,
    ) -> Response:
        """List what the account may trade."""
        overview = await accounts.account(name).overview()
        found = [render.asset(instrument) for instrument in overview.instruments]
        wanted = {"status": status, "class": asset_class, "exchange": exchange}
        asked = {key: value for key, value in wanted.items() if value is not None}
        none_has = attributes is not None
        return JSONResponse([a for a in found if not none_has and all(a[k] == v for k, v in asked.items())])

    @routes.get("/assets/{symbol:path}", summary="An asset", responses=EXAMPLES["asset"])
    async def asset(symbol: Annotated[str, Path(max_length=64)], name: ReadAccount) -> Response:
        """Look an asset up, by symbol or id."""
        overview = await accounts.account(name).overview()
        for instrument in overview.instruments:
            if symbol in (instrument.symbol, render.asset_id(instrument.symbol)):
                return JSONResponse(render.asset(instrument))
        raise MissingError(f"asset not found for {symbol}")

    @routes.get("/clock", summary="The clock", dependencies=[needs(Scope.TRADING_READ)], responses=EXAMPLES["clock"])
    async def clock() -> Response:
        """Whether the market is open, and until when."""
        now = datetime.now(UTC)
        times = (now, nyse.next_open(now), nyse.next_close(now))
        local, opens, closes = (time.astimezone(nyse.NEW_YORK) for time in times)
        return JSONResponse(clock_shape(local, nyse.is_open(now), opens, closes))

    @routes.get(
        "/calendar", summary="Trading days", dependencies=[needs(Scope.TRADING_READ)], responses=EXAMPLES["calendar"]
    )
    async def calendar(
        start: date | None = None, end: date | None = None, date_type: Literal["TRADING"] = "TRADING"
    ) -> Response:
        """Trading days of a span with their hours; a year from today, or from the start, where it has no end."""
        del date_type
        first = start or datetime.now(nyse.NEW_YORK).date()
        last = end or min(first + USUAL, LAST_DAY) if first <= LAST_DAY else first
        if not FIRST_DAY <= first <= last <= LAST_DAY:
            raise InvalidError(f"start and end must be days from {FIRST_DAY} to {LAST_DAY}, in this order")
        days = nyse.sessions(first, last)
        opens = nyse.OPENS.strftime(_HOURS)
        return JSONResponse([calendar_day(found.day, opens, found.closes.strftime(_HOURS)) for found in days])

    return routes
