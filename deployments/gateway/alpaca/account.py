"""The account itself over Alpaca's routes: money, configuration, history of its equity, activities."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import portfolio, render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.orders import Moment
from deployments.gateway.alpaca.refusals import InvalidError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.security import ReadAccount
from nt_ray.trader.live_readings import ActivityQuery

MOST: Final = 100
_DAY: Final = timedelta(days=1)


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/account."""
    routes = APIRouter(prefix="/v2/account", tags=["account"])

    @routes.get("", summary="The account", responses=EXAMPLES["account"])
    async def account(name: ReadAccount) -> Response:
        """Money, equity and buying power."""
        return JSONResponse(render.account(await accounts.account(name).overview()))

    @routes.get("/configurations", summary="Configuration of the account", responses=EXAMPLES["configurations"])
    async def configurations(name: ReadAccount) -> Response:
        """What the account may do."""
        return JSONResponse(render.configuration(await accounts.account(name).overview()))

    @routes.get("/portfolio/history", summary="Equity over time", responses=EXAMPLES["history"])
    async def history(
        name: ReadAccount,
        period: Annotated[str | None, Query(pattern="^[1-9][0-9]{0,3}[DWMA]$", description="Such as 1M.")] = None,
        timeframe: Literal["1Min", "5Min", "15Min", "1H", "1D"] | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        date_end: date | None = None,
        pnl_reset: Literal["per_day", "no_reset"] = "per_day",
        intraday_reporting: Literal["market_hours", "extended_hours", "continuous"] = "market_hours",
        extended_hours: bool = False,
    ) -> Response:
        """Equity, and profit and loss without what was paid in or out."""
        last = end or (_end_of(date_end) if date_end is not None else datetime.now(UTC))
        span = portfolio.Span.of(period, timeframe, start, last)
        curve = await accounts.account(name).worth(span.start, span.end, by_day=span.by_day)
        hours: portfolio.Hours = "extended_hours" if extended_hours else intraday_reporting
        return JSONResponse(portfolio.written(curve, span, hours, resets=pnl_reset == "per_day"))

    async def listed(
        name: str,
        words: frozenset[str],
        after: datetime | None,
        until: datetime | None,
        day: date | None,
        direction: str,
        size: int,
        token: str | None,
    ) -> Response:
        if day is not None:
            if after is not None or until is not None:
                raise InvalidError("date excludes after and until")
            until = _end_of(day)
            after = until - _DAY - timedelta(microseconds=1)
        known = {word: kind for kind, word in render.ACTIVITIES.items()}
        kinds = frozenset(kind for kind, word in render.ACTIVITIES.items() if word in words)
        if words - known.keys() == words and words:
            # Kinds that there can be none of here.
            return JSONResponse([])
        past = None if token is None else render.number_of(token)
        if token is not None and past is None:
            raise InvalidError(f"invalid page_token {token}")
        query = ActivityQuery(kinds, after, until, direction == "desc", size, past)
        return JSONResponse([render.activity(name, one) for one in await accounts.account(name).activities(query)])

    @routes.get("/activities", summary="What was booked", responses=EXAMPLES["activities"])
    async def activities(
        name: ReadAccount,
        activity_types: Annotated[str, Query(max_length=512, description="Between commas.")] = "",
        after: Moment | None = None,
        until: Moment | None = None,
        date: date | None = None,
        direction: Literal["asc", "desc"] = "desc",
        page_size: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        page_token: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        """Executions, deposits, dividends and charges."""
        words = frozenset(word for word in activity_types.split(",") if word)
        return await listed(name, words, after, until, date, direction, page_size, page_token)

    @routes.get("/activities/{kind}", summary="What was booked of one kind", responses=EXAMPLES["activities"])
    async def activities_of(
        name: ReadAccount,
        kind: Annotated[str, Path(max_length=16)],
        after: Moment | None = None,
        until: Moment | None = None,
        date: date | None = None,
        direction: Literal["asc", "desc"] = "desc",
        page_size: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        page_token: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        """The same of one kind, such as FILL."""
        return await listed(name, frozenset({kind}), after, until, date, direction, page_size, page_token)

    return routes


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
