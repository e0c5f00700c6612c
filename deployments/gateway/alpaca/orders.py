"""Orders over Alpaca's routes: send, list, look up, replace, cancel."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import refusals, render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.listing import Listing
from deployments.gateway.alpaca.refusals import MissingError, UnprocessableError
from deployments.gateway.alpaca.requests import OWNER, orders_of, replacement_of
from deployments.gateway.alpaca.schemas import NewOrder, Replacement
from deployments.gateway.backend.accounts import AccountDoor, Accounts
from deployments.gateway.middleware.known_query import KNOWN_QUERY
from deployments.gateway.security import ReadAccount, WriteAccount
from nt_ray.brokers.alpaca.shapes import UNPROCESSABLE
from nt_ray.trader.history import Family, order_id
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus

_REPLACEABLE: Final = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
_GONE: Final = (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL)

Id: TypeAlias = Annotated[str, Path(max_length=64, description="Id of the order.")]


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/orders."""
    routes = APIRouter(tags=["orders"])

    @routes.post("/v2/orders", summary="Send an order", responses=EXAMPLES["order"], dependencies=[KNOWN_QUERY])
    async def submit(body: NewOrder, name: WriteAccount) -> Response:
        """Pass an order through the gate to the venue. A denial is a 403 that names the rule."""
        door = accounts.account(name)
        reports, family = await door.place(_wanted([body], OWNER))
        await refusals.check(door, reports)
        return JSONResponse(render.order(name, _named_so(family, reports[0].request.client_order_id)))

    @routes.get("/v2/orders", summary="List orders", responses=EXAMPLES["orders"])
    async def listed(name: ReadAccount, asked: Annotated[Listing, Query()]) -> Response:
        """List orders by the time at which they were sent."""
        asked.check()
        door = accounts.account(name)
        before, after = [await _named(door, name, id_) for id_ in (asked.before_order_id, asked.after_order_id)]
        return JSONResponse([render.order(name, family) for family in await door.query(asked.query(before, after))])

    @routes.get("/v2/orders:by_client_order_id", summary="An order by its client id", responses=EXAMPLES["order"])
    async def by_client_id(
        name: ReadAccount, client_order_id: Annotated[str, Query(max_length=128)], nested: bool = False
    ) -> Response:
        """Look an order up by the id that its sender gave it."""
        found = await _found(accounts.account(name), client_order_id)
        return JSONResponse(render.order(name, _rolled(found, nested=nested)))

    @routes.get("/v2/orders/{id_}", summary="An order", responses=EXAMPLES["order"])
    async def by_id(name: ReadAccount, id_: Id, nested: bool = False) -> Response:
        """Look an order up."""
        found = await _by_id(accounts.account(name), name, id_)
        return JSONResponse(render.order(name, _rolled(found, nested=nested)))

    @routes.patch(
        "/v2/orders/{id_}", summary="Replace an order", responses=EXAMPLES["order"], dependencies=[KNOWN_QUERY]
    )
    async def replace_one(id_: Id, body: Replacement, name: WriteAccount) -> Response:
        """Put an order in the place of an open one."""
        door = accounts.account(name)
        old = (await _by_id(door, name, id_)).record
        wanted = replacement_of(body, old.order)
        if old.order.status not in _REPLACEABLE and old.replaced_by != wanted.client_order_id:
            raise UnprocessableError(f'order in "{render.STATUS[old.order.status]}" state cannot be replaced')
        await refusals.check(door, [await door.replace(wanted)])
        return JSONResponse(render.order(name, await _found(door, wanted.client_order_id)))

    @routes.delete("/v2/orders/{id_}", summary="Cancel an order", status_code=204, dependencies=[KNOWN_QUERY])
    async def cancel(id_: Id, name: WriteAccount) -> Response:
        """Ask the venue to cancel what is left of an order."""
        door = accounts.account(name)
        order = (await _by_id(door, name, id_)).record.order
        if not order.status.is_open:
            raise UnprocessableError(_ended(order.status))
        report = await door.cancel(order.request.client_order_id)
        if report.status not in _GONE:
            raise UnprocessableError(_ended(report.status))
        return Response(status_code=204)

    @routes.delete(
        "/v2/orders",
        summary="Cancel all orders",
        status_code=207,
        responses=EXAMPLES["canceled"],
        dependencies=[KNOWN_QUERY],
    )
    async def cancel_all(name: WriteAccount) -> Response:
        """Ask the venue to cancel every open order; one answer for each."""
        return JSONResponse(await cancel_every(accounts.account(name), name), 207)

    return routes


async def sent(door: AccountDoor, bodies: Sequence[NewOrder], owner: str = OWNER) -> list[OrderReport]:
    """Pass orders with their legs through the gate to the venue, as those of a strategy; one report for each."""
    return await door.submit(_wanted(bodies, owner))


def _wanted(bodies: Sequence[NewOrder], owner: str) -> list[OrderRequest]:
    return [replace(order, strategy=owner) for body in bodies for order in orders_of(body)]


async def cancel_every(door: AccountDoor, name: str) -> list[dict[str, Any]]:
    """Cancel all open orders; say of each what came of it."""
    return [_canceled(name, report) for report in await door.cancel_all()]


def _canceled(name: str, report: OrderReport) -> dict[str, Any]:
    id_ = order_id(name, report.request.client_order_id)
    if report.status in _GONE:
        return {"id": id_, "status": 200}
    why = {"code": UNPROCESSABLE, "message": _ended(report.status)}
    return {"id": id_, "status": UnprocessableError.status, "body": why}


def _ended(status: OrderStatus) -> str:
    """Why there is nothing to cancel; an order that is told as open has ended at the venue, which tells how next."""
    return "order is not cancelable" if status.is_open else f'order is already in "{render.STATUS[status]}" state'


def _rolled(family: Family, *, nested: bool) -> Family:
    return family if nested else replace(family, legs=())


async def _found(door: AccountDoor, client_order_id: str) -> Family:
    return _named_so(await door.look_up(client_order_id), client_order_id)


def _named_so(family: Family | None, client_order_id: str) -> Family:
    if family is None or family.record.name != client_order_id:
        raise MissingError(f"order not found for {client_order_id}")
    return family


async def _named(door: AccountDoor, account: str, id_: str | None) -> str:
    return "" if id_ is None else (await _by_id(door, account, id_)).record.name


async def _by_id(door: AccountDoor, account: str, id_: str) -> Family:
    family = await door.look_up(id_)
    if family is None or order_id(account, family.record.name) != id_:
        raise MissingError(f"order not found for {id_}")
    return family
