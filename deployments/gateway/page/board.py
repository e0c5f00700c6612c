"""`/dashboard/accounts`: an account as a person watches it, and its kill switch. Money and quantity are exact text."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.platform.accounts import AccountPath
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.board import Board, BoardOrder
from nt_ray.trader.live_readings import EquityCurve

MOST_POINTS: Final = 1500
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
    """An order; `rule` and `reason` say why it was denied or rejected."""

    client_order_id: str
    time: str
    changed: str
    symbol: str
    side: str
    type: str
    quantity: str
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


class CurveView(Body):
    """Equity over time."""

    times: list[str]
    equity: list[float]


class BoardView(Body):
    """An account to be watched; orders newest first."""

    account: str
    currency: str
    time: str
    equity: str
    cash: str
    day_start_equity: str
    buying_power: str
    positions: list[PositionView]
    orders: list[OrderView]
    limits: list[LimitView]
    var: float | None = Field(description="Value at risk of what is held, as a fraction of equity.")
    var_confidence: float
    halts: dict[str, str]
    breaker: list[str]
    curve: CurveView


class Halting(Body):
    """Which scope to stop or to let go on, and why."""

    scope: Annotated[str, Field(pattern=_SCOPE, examples=["account"])] = "account"
    reason: Annotated[str, Field(min_length=1, max_length=200, examples=["Prices look wrong."])]


class Halts(Body):
    """Kill switches that are set: who and why."""

    halts: dict[str, str]


def router(accounts: Accounts) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/dashboard/accounts", tags=["dashboard"])

    @routes.get("/{account}", response_model=BoardView, responses=problems(404), summary="Watch an account")
    async def board(
        request: Request,
        principal: Annotated[Principal, needs(Scope.TRADING_READ)],
        account: AccountPath,
        orders: Annotated[int, Query(ge=1, le=500)] = 50,
        days: Annotated[int, Query(ge=1, le=366, description="Days of equity; up to 5 by minute.")] = 2,
    ) -> Response:
        principal.require(Scope.TRADING_READ, account)
        await _check_runs(accounts, account)
        door = accounts.account(account)
        found: Board = await door.call("board", orders)
        end = max(found.overview.time, datetime.now(UTC))
        curve = await door.worth(end - timedelta(days=days), end, by_day=days > 5)
        return replied(request, _view(found, curve))

    @routes.post("/{account}/halt", response_model=Halts, responses=problems(404), summary="Set a kill switch")
    async def halt(principal: Annotated[Principal, needs(Scope.KILL)], account: AccountPath, body: Halting) -> Halts:
        return await _turn(accounts, principal, account, "halt", body)

    @routes.post("/{account}/resume", response_model=Halts, responses=problems(404), summary="Lift a kill switch")
    async def resume(principal: Annotated[Principal, needs(Scope.KILL)], account: AccountPath, body: Halting) -> Halts:
        return await _turn(accounts, principal, account, "resume", body)

    return routes


async def _turn(accounts: Accounts, principal: Principal, account: str, method: str, body: Halting) -> Halts:
    principal.require(Scope.KILL, account)
    await _check_runs(accounts, account)
    door = accounts.account(account)
    await door.call(method, body.scope, principal.id, body.reason)
    return Halts(halts=(await door.overview()).halts)


async def _check_runs(accounts: Accounts, account: str) -> None:
    if account not in await accounts.names():
        raise NotFoundError(f"There is no running account {account}. List the accounts to see which there are.")


def _view(found: Board, curve: EquityCurve) -> BoardView:
    whole = found.overview
    step = -(-len(curve.samples) // MOST_POINTS) or 1
    # Counted from the end, so that the newest value stays.
    samples = curve.samples[::-1][::step][::-1]
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
        limits=[_limit(u.name, u.value, u.limit) for u in found.limits],
        var=found.var,
        var_confidence=found.var_confidence,
        halts=whole.halts,
        breaker=list(whole.breaker),
        curve=CurveView(times=[t.isoformat() for t, _ in samples], equity=[float(v) for _, v in samples]),
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
        quantity=_text(request.quantity) if request.notional is None else f"{_text(request.notional)} of money",
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
