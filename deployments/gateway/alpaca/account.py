"""The account itself over Alpaca's routes: money, and the history of its equity."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import portfolio, render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.moments import Day, Moment, end_of
from deployments.gateway.alpaca.refusals import InvalidError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.security import ReadAccount
from nt_ray.trader.history import Booking
from nt_ray.trader.live_readings import ActivityQuery
from nt_ray.trader.worth import Sample

_ALL: Final = 1_000_000
_TICK: Final = timedelta(microseconds=1)


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/account."""
    routes = APIRouter(prefix="/v2/account", tags=["account"])

    @routes.get("", summary="The account", responses=EXAMPLES["account"])
    async def account(name: ReadAccount) -> Response:
        """Money, equity and buying power."""
        return JSONResponse(render.account(await accounts.account(name).overview()))

    @routes.get("/portfolio/history", summary="Equity over time", responses=EXAMPLES["history"])
    async def history(
        name: ReadAccount,
        period: Annotated[str | None, Query(pattern="^[1-9][0-9]{0,3}[DWMA]$", description="Such as 1M.")] = None,
        timeframe: Literal["1Min", "5Min", "15Min", "1H", "1D"] | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        date_end: Day | None = None,
        pnl_reset: Literal["per_day", "no_reset"] = "per_day",
        intraday_reporting: Literal["market_hours", "extended_hours", "continuous"] = "market_hours",
        extended_hours: bool = False,
        cashflow_types: Annotated[str, Query(max_length=128, description="Between commas; ALL or NONE.")] = "NONE",
    ) -> Response:
        """Equity, and profit and loss without what was paid in or out."""
        # A value that begins at midnight is the next day's.
        last = end or (end_of(date_end) - _TICK if date_end is not None else datetime.now(UTC))
        span = portfolio.Span.of(period, timeframe, start, last)
        curve = await accounts.account(name).worth(span.start, span.until, by_day=span.by_day)
        hours: portfolio.Hours = "extended_hours" if extended_hours else intraday_reporting
        flows = await moved(name, _flow_kinds(cashflow_types), span)
        return JSONResponse(portfolio.written(curve, span, hours, resets=pnl_reset == "per_day", flows=flows))

    async def moved(name: str, words: frozenset[str], span: portfolio.Span) -> dict[str, list[Sample]]:
        found: dict[str, list[Sample]] = {word: [] for word in sorted(words)}
        kinds = frozenset(kind for kind, word in render.ACTIVITIES.items() if word in words)
        if kinds:
            asked = ActivityQuery(kinds, span.start, span.until, descending=False, limit=_ALL)
            for one in await accounts.account(name).activities(asked):
                if isinstance(one.what, Booking):
                    found[render.ACTIVITIES[one.kind]].append((one.time, one.what.amount))
        return found

    return routes


def _flow_kinds(asked: str) -> frozenset[str]:
    """Kinds of activities, other than executions, that are named."""
    known = frozenset(render.ACTIVITIES.values()) - {"FILL"}
    if asked in ("ALL", "NONE"):
        return known if asked == "ALL" else frozenset()
    words = frozenset(word for word in asked.split(",") if word)
    if words - known:
        raise InvalidError(f"cashflow_types are ALL, NONE, or some of {', '.join(sorted(known))}")
    return words
