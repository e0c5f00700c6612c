"""Positions over Alpaca's routes: list them, and close them whole or in part."""

import time
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import refusals, render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.listing import MOST
from deployments.gateway.alpaca.orders import cancel_every
from deployments.gateway.alpaca.refusals import MissingError
from deployments.gateway.alpaca.requests import closing
from deployments.gateway.alpaca.schemas import Amount
from deployments.gateway.backend.accounts import AccountDoor, Accounts
from deployments.gateway.middleware.known_query import KNOWN_QUERY
from deployments.gateway.problems import GatewayError
from deployments.gateway.security import ReadAccount, WriteAccount
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trading.orders import OrderStatus

Named: TypeAlias = Annotated[str, Path(max_length=64, description="Symbol or id of the asset.")]

SETTLE_S: Final = 5.0
_DONE: Final = 200
_NONE: Final = "position does not exist"


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/positions."""
    routes = APIRouter(prefix="/v2/positions", tags=["positions"])

    @routes.get("", summary="List positions", responses=EXAMPLES["positions"])
    async def listed(name: ReadAccount) -> Response:
        """List open positions."""
        overview = await accounts.account(name).overview()
        return JSONResponse([render.position(held, overview) for held in overview.holdings])

    @routes.get("/{symbol:path}", summary="A position", responses=EXAMPLES["position"])
    async def one(symbol: Named, name: ReadAccount) -> Response:
        """Look a position up."""
        overview = await accounts.account(name).overview()
        return JSONResponse(render.position(_held(overview, symbol), overview))

    @routes.delete(
        "/{symbol:path}", summary="Close a position", responses=EXAMPLES["order"], dependencies=[KNOWN_QUERY]
    )
    async def close(
        symbol: Named, name: WriteAccount, qty: Amount | None = None, percentage: Amount | None = None
    ) -> Response:
        """Send the market order that closes a position, or a part of it."""
        door = accounts.account(name)
        overview = await door.overview()
        return JSONResponse(await _close(door, overview, _held(overview, symbol), qty, percentage))

    @routes.delete(
        "", summary="Close all positions", status_code=207, responses=EXAMPLES["closed"], dependencies=[KNOWN_QUERY]
    )
    async def close_all(name: WriteAccount, cancel_orders: bool = False) -> Response:
        """Send the market orders that close every position; one answer for each."""
        door = accounts.account(name)
        if cancel_orders:
            await cancel_every(door, name)
            await settled(door)
        overview = await door.overview()
        return JSONResponse([await _closed(door, overview, held) for held in overview.holdings], 207)

    return routes


async def settled(door: AccountDoor) -> None:
    """Wait a while until no cancel is under way: what it may still fill is held, and cannot be closed."""
    ends = time.monotonic() + SETTLE_S
    number = (await door.changes(-1, 0.0)).last
    while (left := ends - time.monotonic()) > 0:
        families = await door.query(OrderQuery(limit=MOST))
        if not any(family.record.order.status is OrderStatus.PENDING_CANCEL for family in families):
            return
        number = (await door.changes(number, left)).last


async def _closed(door: AccountDoor, overview: Overview, held: Holding) -> dict[str, Any]:
    """Close one of all positions; what stands in the way of one holds up no other."""
    try:
        body = await _close(door, overview, held)
    except GatewayError as error:
        refused = {"code": error.alpaca_code or error.status * 100_000, "message": str(error), **error.details}
        return {"symbol": held.symbol, "status": error.status, "body": refused}
    return {"symbol": held.symbol, "status": _DONE, "body": body}


async def _close(
    door: AccountDoor,
    overview: Overview,
    held: Holding,
    quantity: Decimal | None = None,
    percentage: Decimal | None = None,
) -> dict[str, Any]:
    request = closing(held, overview, quantity, percentage)
    reports, family = await door.place([request])
    if reports[0].rule == refusals.OTHERWISE:
        raise MissingError(_NONE)
    await refusals.check(door, reports)
    if family is None:
        raise MissingError(f"order not found for {request.client_order_id}")
    return render.order(door.name, family)


def _held(overview: Overview, named: str) -> Holding:
    for held in overview.holdings:
        if named in (held.symbol, render.asset_id(held.symbol)):
            return held
    raise MissingError(_NONE)
