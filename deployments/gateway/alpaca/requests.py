"""From the bodies of Alpaca's routes to orders of the platform.

Linked orders get the names that `nt_ray.brokers.alpaca.links` gives legs, so that they can go to any venue. Orders
without a client id get one. Every order is owned by the strategy `OWNER`.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Final

from deployments.gateway.alpaca.refusals import InvalidError, UnprocessableError
from deployments.gateway.alpaca.schemas import Intent, NewOrder, Replacement
from deployments.gateway.names import next_name
from nt_ray.brokers.alpaca.links import Leg, head_of, leg_id
from nt_ray.errors import BadInputError
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trading.orders import Order, OrderRequest, OrderType, PositionEffect, Side, TimeInForce

OWNER: Final = "api"
"""Strategy that owns orders from outside."""

_HUNDRED: Final = Decimal(100)
_GROUP: Final = "group"
_EFFECTS: Final[Mapping[Intent | None, PositionEffect]] = {
    None: "",
    "buy_to_open": "open",
    "sell_to_open": "open",
    "buy_to_close": "close",
    "sell_to_close": "close",
}


def orders_of(body: NewOrder) -> list[OrderRequest]:
    """Read a body as an order and its legs; raise `InvalidError` where it makes none."""
    try:
        return _orders_of(body)
    except BadInputError as error:
        raise InvalidError(str(error)) from error


def replacement_of(body: Replacement, order: Order) -> OrderRequest:
    """Read a body as the order that comes in the place of another: of the same size less what that one has filled."""
    old = order.request
    if old.notional is not None:
        raise UnprocessableError("notional orders cannot be replaced")
    by_amount = old.trail_amount is not None
    if body.trail is not None and old.type is not OrderType.TRAILING_STOP:
        raise InvalidError(f"{old.type} orders must not have trail")
    left = old.quantity - order.filled_quantity
    terms = replace(old, quantity=left) if left > 0 else old
    try:
        wanted = replace(
            terms,
            quantity=body.qty or terms.quantity,
            time_in_force=TimeInForce(body.time_in_force) if body.time_in_force else old.time_in_force,
            limit_price=body.limit_price or old.limit_price,
            stop_price=body.stop_price or old.stop_price,
            trail_amount=(body.trail or old.trail_amount) if by_amount else None,
            trail_percent=None if by_amount else (body.trail or old.trail_percent),
        )
        if wanted == terms:
            raise UnprocessableError("order parameters are not changed")
        name = body.client_order_id or next_name()
        return replace(wanted, client_order_id=name, replaces=old.client_order_id, parent="", oco_group="")
    except BadInputError as error:
        raise InvalidError(str(error)) from error


def closing(held: Holding, overview: Overview, quantity: Decimal | None, percentage: Decimal | None) -> OrderRequest:
    """The order that closes a position, or a part of it; the gate refuses it where other orders have closed it."""
    size = abs(held.quantity)
    if quantity is not None and percentage is not None:
        raise InvalidError("qty and percentage exclude each other")
    if percentage is not None:
        if percentage > _HUNDRED:
            raise InvalidError("percentage must be at most 100")
        step = next((i.quantity_increment for i in overview.instruments if i.symbol == held.symbol), Decimal(1))
        quantity = (size * percentage / _HUNDRED / step).to_integral_value(ROUND_DOWN) * step
        if not quantity:
            raise UnprocessableError(f"{percentage}% of {size} is less than the least quantity, {step}")
    side = Side.SELL if held.quantity > 0 else Side.BUY
    return OrderRequest(next_name(), held.symbol, side, quantity or size, OWNER, position_effect="close")


def _orders_of(body: NewOrder) -> list[OrderRequest]:
    name = body.client_order_id or next_name()
    linked = body.order_class not in ("", "simple")
    if (body.qty is None) == (body.notional is None):
        raise InvalidError("one of qty and notional is required")
    if not linked:
        if body.take_profit is not None or body.stop_loss is not None:
            raise InvalidError("take_profit and stop_loss need an order_class of bracket, oco or oto")
        return [_single(body, name)]
    if head_of(name) is not None:
        raise InvalidError(f"client_order_id {name} ends like the name of a leg")
    return _pair(body, name) if body.order_class == "oco" else _with_legs(body, name)


def _side(body: NewOrder) -> Side:
    """The side, which the intent may stand for."""
    implied = body.side if body.position_intent is None else body.position_intent.partition("_")[0]
    if implied is None:
        raise InvalidError("one of side and position_intent is required")
    if body.side not in (None, implied):
        raise InvalidError(f"side {body.side} and position_intent {body.position_intent} contradict each other")
    return Side(implied)


def _single(body: NewOrder, name: str) -> OrderRequest:
    return OrderRequest(
        name,
        body.symbol,
        _side(body),
        body.qty or Decimal(0),
        OWNER,
        OrderType(body.type),
        body.limit_price,
        TimeInForce(body.time_in_force),
        body.stop_price,
        body.trail_price,
        body.trail_percent,
        notional=body.notional,
        extended_hours=body.extended_hours,
        position_effect=_EFFECTS[body.position_intent],
    )


def _with_legs(body: NewOrder, name: str) -> list[OrderRequest]:
    """A bracket, or an entry with one leg."""
    wanted = [leg for leg in (body.take_profit, body.stop_loss) if leg is not None]
    if body.order_class == "bracket" and len(wanted) != len(Leg):
        raise InvalidError("bracket orders require take_profit.limit_price and stop_loss.stop_price")
    if body.order_class == "oto" and len(wanted) != 1:
        raise InvalidError("oto orders require one of take_profit and stop_loss")
    entry = _single(body, name)
    exits = Side.SELL if entry.side is Side.BUY else Side.BUY
    group = f"{name}.{_GROUP}" if len(wanted) > 1 else ""
    found = [entry]
    if body.take_profit is not None:
        found.append(_leg(entry, Leg.TAKE_PROFIT, exits, group, limit=body.take_profit.limit_price))
    if body.stop_loss is not None:
        found.append(_leg(entry, Leg.STOP_LOSS, exits, group, body.stop_loss.stop_price, body.stop_loss.limit_price))
    return found


def _pair(body: NewOrder, name: str) -> list[OrderRequest]:
    """Two orders of which one cancels the other."""
    if body.type != "limit" or body.stop_loss is None:
        raise InvalidError("oco orders are limit orders with take_profit.limit_price and stop_loss.stop_price")
    limit = body.limit_price if body.take_profit is None else body.take_profit.limit_price
    group = f"{name}.{_GROUP}"
    first = replace(_single(body.model_copy(update={"limit_price": limit}), name), oco_group=group)
    stop = body.stop_loss
    return [first, _leg(first, Leg.STOP_LOSS, first.side, group, stop.stop_price, stop.limit_price, child=False)]


def _leg(
    head: OrderRequest,
    leg: Leg,
    side: Side,
    group: str,
    stop: Decimal | None = None,
    limit: Decimal | None = None,
    *,
    child: bool = True,
) -> OrderRequest:
    kind = OrderType.LIMIT if stop is None else OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return OrderRequest(
        leg_id(head.client_order_id, leg),
        head.symbol,
        side,
        head.quantity,
        OWNER,
        kind,
        limit,
        head.time_in_force,
        stop,
        parent=head.client_order_id if child else "",
        oco_group=group,
    )
