"""`/dashboard/accounts`: an account as a person watches it, and its kill switch. Money and quantity are exact text.

What changes with every order is apart from what changes with a mark (`deployments.gateway.page.curve`) and what costs a
look at all bars (`deployments.gateway.page.tails`), so that each can be asked for at its own pace.
"""

import math
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import AccountPath, running
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.board import Board, BoardOrder

_SCOPE: Final = r"^(account|(venue|strategy|symbol):[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63})$"


class PositionView(Body):
    """A position; `price` is null where none is known, and `value` then the cost."""

    symbol: str
    quantity: str
    cost: str
    price: str | None
    value: str
    gain: str | None


class OrderView(Body):
    """An order of a quantity or of money (`notional`); `rule` and `reason` say why it was denied or rejected."""

    client_order_id: str
    time: str
    changed: str
    symbol: str
    side: str
    type: str
    quantity: str
    notional: str | None
    limit_price: str | None
    stop_price: str | None
    filled: str
    status: str
    is_open: bool
    strategy: str
    rule: str
    reason: str


class LimitView(Body):
    """How much of a limit is used, as fractions of equity; null where there is no figure or no limit."""

    name: str
    value: float | None
    limit: float | None
    left: float | None = Field(description="What is left to the limit; below zero beyond it.")


class BoardView(Body):
    """An account to be watched; orders newest first, `open` of all its orders are open."""

    account: str
    currency: str
    time: str
    equity: str
    cash: str
    day_start_equity: str
    buying_power: str
    positions: list[PositionView]
    orders: list[OrderView]
    open: int
    limits: list[LimitView]
    halts: dict[str, str]
    breaker: list[str]


class Halting(Body):
    """Which scope to stop or to let go on, and why."""

    scope: Annotated[str, Field(pattern=_SCOPE, examples=["account"])] = "account"
    reason: Annotated[str, Field(min_length=1, max_length=200, examples=["Prices look wrong."])]


class Halts(Body):
    """Kill switches that are set: who and why."""

    halts: dict[str, str]


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/dashboard/accounts", tags=["dashboard"])

    @routes.get("/{account}", response_model=BoardView, responses=problems(404), summary="Watch an account")
    async def board(
        principal: Annotated[Principal, needs(Scope.TRADING_READ)],
        account: AccountPath,
        orders: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        principal.require(Scope.TRADING_READ, account)
        door = await running(platform, account)
        return replied(_view(await door.call("board", orders)))

    @routes.post("/{account}/halt", response_model=Halts, responses=problems(404), summary="Set a kill switch")
    async def halt(principal: Annotated[Principal, needs(Scope.KILL)], account: AccountPath, body: Halting) -> Halts:
        return await _turn(platform, principal, account, "halt", body)

    @routes.post("/{account}/resume", response_model=Halts, responses=problems(404), summary="Lift a kill switch")
    async def resume(principal: Annotated[Principal, needs(Scope.KILL)], account: AccountPath, body: Halting) -> Halts:
        return await _turn(platform, principal, account, "resume", body)

    return routes


async def _turn(platform: Platform, principal: Principal, account: str, method: str, body: Halting) -> Halts:
    principal.require(Scope.KILL, account)
    door = await running(platform, account)
    await door.call(method, body.scope, principal.id, body.reason)
    return Halts(halts=(await door.overview()).halts)


def _view(found: Board) -> BoardView:
    whole = found.overview
    return BoardView(
        account=whole.name,
        currency=whole.currency,
        time=whole.time.isoformat(),
        equity=_text(whole.equity),
        cash=_text(whole.cash),
        day_start_equity=_text(whole.day_start_equity),
        buying_power=_text(whole.buying_power),
        positions=[
            PositionView(
                symbol=h.symbol,
                quantity=_text(h.quantity),
                cost=_text(h.cost),
                price=None if h.mark is None else _text(h.mark),
                value=_text(h.value),
                gain=None if h.mark is None else _text(h.value - h.cost),
            )
            for h in whole.holdings
            if h.quantity
        ],
        orders=[_order(order) for order in found.orders],
        open=found.open,
        limits=[_limit(u.name, u.value, u.limit) for u in found.limits],
        halts=whole.halts,
        breaker=list(whole.breaker),
    )


def _order(found: BoardOrder) -> OrderView:
    order, request = found.order, found.order.request
    return OrderView(
        client_order_id=request.client_order_id,
        time=found.created_at.isoformat(),
        changed=found.updated_at.isoformat(),
        symbol=request.symbol,
        side=str(request.side),
        type=str(request.type),
        quantity=_text(request.quantity),
        notional=None if request.notional is None else _text(request.notional),
        limit_price=None if request.limit_price is None else _text(request.limit_price),
        stop_price=None if request.stop_price is None else _text(request.stop_price),
        filled=_text(order.filled_quantity),
        status=str(order.status),
        is_open=order.status.is_open,
        strategy=request.strategy,
        rule=order.rule,
        reason=order.reason,
    )


def _limit(name: str, value: float, limit: float | None) -> LimitView:
    known = None if math.isnan(value) else value
    left = None if known is None or limit is None else limit - known
    return LimitView(name=name, value=known, limit=limit, left=left)


def _text(number: Decimal) -> str:
    return f"{number:f}"
