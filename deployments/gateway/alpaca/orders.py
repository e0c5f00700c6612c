"""Orders over Alpaca's routes: send, list, look up, replace, cancel."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import refusals, render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.refusals import MissingError, UnprocessableError
from deployments.gateway.alpaca.requests import orders_of, replacement_of
from deployments.gateway.alpaca.schemas import NewOrder, Replacement
from deployments.gateway.backend.accounts import AccountDoor, Accounts
from deployments.gateway.security import ReadAccount, WriteAccount
from nt_ray.trader.history import Family, order_id
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trading.orders import OrderStatus, Side

MOST: Final = 500

_REPLACEABLE: Final = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


Moment: TypeAlias = Annotated[datetime, AfterValidator(_in_utc)]
Id: TypeAlias = Annotated[str, Path(max_length=64, description="Id of the order.")]


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/orders."""
    routes = APIRouter(tags=["orders"])

    @routes.post("/v2/orders", summary="Send an order", responses=EXAMPLES["order"])
    async def submit(body: NewOrder, name: WriteAccount) -> Response:
        """Pass an order through the gate to the venue. A denial is a 403 that names the rule."""
        door = accounts.account(name)
        wanted = orders_of(body)
        refusals.check(await door.submit(wanted))
        return JSONResponse(render.order(name, await _found(door, wanted[0].client_order_id)))

    @routes.get("/v2/orders", summary="List orders", responses=EXAMPLES["orders"])
    async def listed(
        name: ReadAccount,
        status: Literal["open", "closed", "all"] = "open",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
        after: Moment | None = None,
        until: Moment | None = None,
        direction: Literal["asc", "desc"] = "desc",
        nested: bool = False,
        symbols: Annotated[str, Query(max_length=4096, description="Between commas.")] = "",
        side: Literal["buy", "sell"] | None = None,
    ) -> Response:
        """List orders by the time at which they were sent."""
        wanted = frozenset(symbol for symbol in symbols.split(",") if symbol)
        asked = OrderQuery(
            status, wanted, None if side is None else Side(side), after, until, direction == "desc", limit, nested
        )
        return JSONResponse([render.order(name, family) for family in await accounts.account(name).query(asked)])

    @routes.get("/v2/orders:by_client_order_id", summary="An order by its client id", responses=EXAMPLES["order"])
    async def by_client_id(name: ReadAccount, client_order_id: Annotated[str, Query(max_length=128)]) -> Response:
        """Look an order up by the id that its sender gave it."""
        return JSONResponse(render.order(name, await _found(accounts.account(name), client_order_id)))

    @routes.get("/v2/orders/{id_}", summary="An order", responses=EXAMPLES["order"])
    async def by_id(name: ReadAccount, id_: Id, nested: bool = False) -> Response:
        """Look an order up."""
        del nested
        return JSONResponse(render.order(name, await _by_id(accounts.account(name), name, id_)))

    @routes.patch("/v2/orders/{id_}", summary="Replace an order", responses=EXAMPLES["order"])
    async def replace(id_: Id, body: Replacement, name: WriteAccount) -> Response:
        """Put an order in the place of an open one."""
        door = accounts.account(name)
        old = (await _by_id(door, name, id_)).record
        wanted = replacement_of(body, old.order.request)
        if old.order.status not in _REPLACEABLE and old.replaced_by != wanted.client_order_id:
            raise UnprocessableError(f'order in "{render.STATUS[old.order.status]}" state cannot be replaced')
        refusals.check([await door.replace(wanted)])
        return JSONResponse(render.order(name, await _found(door, wanted.client_order_id)))

    @routes.delete("/v2/orders/{id_}", summary="Cancel an order", status_code=204)
    async def cancel(id_: Id, name: WriteAccount) -> Response:
        """Ask the venue to cancel what is left of an order."""
        door = accounts.account(name)
        order = (await _by_id(door, name, id_)).record.order
        if not order.status.is_open:
            raise UnprocessableError(f'order is already in "{render.STATUS[order.status]}" state')
        report = await door.cancel(order.request.client_order_id)
        if report.status not in (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL):
            raise UnprocessableError(f'order is already in "{render.STATUS[report.status]}" state')
        return Response(status_code=204)

    @routes.delete("/v2/orders", summary="Cancel all orders", status_code=207, responses=EXAMPLES["canceled"])
    async def cancel_all(name: WriteAccount) -> Response:
        """Ask the venue to cancel every open order; one answer for each."""
        return JSONResponse(await cancel_every(accounts.account(name), name), 207)

    return routes


async def cancel_every(door: AccountDoor, name: str) -> list[dict[str, Any]]:
    """Cancel all open orders; say of each what came of it."""
    reports = await door.cancel_all()
    gone = (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL)
    return [
        {"id": order_id(name, report.request.client_order_id), "status": 200 if report.status in gone else 422}
        for report in reports
    ]


async def _found(door: AccountDoor, client_order_id: str) -> Family:
    family = await door.look_up(client_order_id)
    if family is None or family.record.name != client_order_id:
        raise MissingError(f"order not found for {client_order_id}")
    return family


async def _by_id(door: AccountDoor, account: str, id_: str) -> Family:
    family = await door.look_up(id_)
    if family is None or order_id(account, family.record.name) != id_:
        raise MissingError(f"order not found for {id_}")
    return family
