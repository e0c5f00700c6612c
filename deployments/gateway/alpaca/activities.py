"""Activities of an account over Alpaca's routes: executions, and money that moved without an order."""

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.moments import Day, Moment, end_of
from deployments.gateway.alpaca.refusals import InvalidError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.security import ReadAccount
from nt_ray.trader.live_readings import ActivityQuery

MOST: Final = 100
_DAY: Final = timedelta(days=1)


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/account/activities."""
    routes = APIRouter(prefix="/v2/account", tags=["account"])

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
            until = end_of(day)
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
        date: Day | None = None,
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
        date: Day | None = None,
        direction: Literal["asc", "desc"] = "desc",
        page_size: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        page_token: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        """The same of one kind, such as FILL."""
        return await listed(name, frozenset({kind}), after, until, date, direction, page_size, page_token)

    return routes
