"""What the simulated venue takes: orders and replacements, checked by the documented rules, with its codes."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from nt_ray.brokers.alpaca.shapes import FORBIDDEN, INVALID, UNPROCESSABLE, text
from nt_ray.brokers.alpaca.simulator.model import ZERO, Order, Position, State
from nt_ray.brokers.alpaca.simulator.money import buying_power, cost, held_for_orders
from nt_ray.brokers.alpaca.wire import Json

_LONGEST_ID: Final = 128
_MOST_DECIMALS: Final = 9
_PRICES: Final = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": ("trail_price", "trail_percent"),
}
_TIMES_IN_FORCE: Final = ("day", "gtc", "opg", "cls", "ioc", "fok")
_CLASSES: Final = ("simple", "bracket", "oco", "oto")
_REPLACEABLE: Final = ("new", "partially_filled", "held")


class Refusal(Exception):  # noqa: N818  an answer of the venue, not a failure of this program
    """The venue says no."""

    def __init__(self, status: int, code: int, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message, **details}


def invalid(message: str) -> Refusal:
    """The input makes no sense."""
    return Refusal(422, INVALID, message)


def order_from(state: State, body: Mapping[str, Any]) -> tuple[Order, list[Order]]:
    """Read the body of a POST as an order and its legs."""
    if state.blocked:
        raise Refusal(403, FORBIDDEN, "trading is blocked for this account")
    order_class = str(body.get("order_class") or "simple")
    if order_class not in _CLASSES:
        raise invalid(f"invalid order_class {order_class}")
    order = _order(state, body, order_class)
    legs = _legs(state, body, order) if order_class != "simple" else []
    if order_class == "oco":
        order.role = "take_profit"
        order.limit_price = _positive(body.get("take_profit") or {}, "limit_price") or order.limit_price
    _check_prices(order)
    for leg in legs:
        _check_prices(leg)
    _check_quantity(state, order, legs)
    _check_money(state, order)
    return order, legs


def replacement_of(state: State, old: Order, body: Mapping[str, Any]) -> Order:
    """Read the body of a PATCH as the order that comes in the place of `old`."""
    if old.status not in _REPLACEABLE:
        raise Refusal(422, UNPROCESSABLE, f'order in "{old.status}" state cannot be replaced')
    if old.notional is not None:
        raise Refusal(422, UNPROCESSABLE, "notional orders cannot be replaced")
    new = Order(
        state.new_id(),
        _client_order_id(state, body),
        old.symbol,
        old.side,
        old.type,
        str(body.get("time_in_force") or old.time_in_force),
        _positive(body, "qty") or old.qty,
        state.now,
        extended_hours=old.extended_hours,
        order_class=old.order_class,
        head=old.head,
        role=old.role,
        replaces=old.id,
        best=old.best,
    )
    whole = all(q is not None and q == q.to_integral_value() for q in (new.qty, old.qty))
    if new.qty != old.qty and not whole:
        raise invalid("only full shares can be replaced")
    for name in ("limit_price", "stop_price"):
        given = _positive(body, name)
        if given is not None and name not in _PRICES[old.type]:
            raise invalid(f"{old.type} orders must not have {name}")
        setattr(new, name, given or getattr(old, name))
    trail = _positive(body, "trail")
    new.trail_price = old.trail_price and (trail or old.trail_price)
    new.trail_percent = old.trail_percent and (trail or old.trail_percent)
    _check_prices(new)
    return new


def _order(state: State, body: Mapping[str, Any], order_class: str) -> Order:
    symbol = str(body.get("symbol") or "")
    if symbol not in state.listings:
        raise Refusal(422, UNPROCESSABLE, f'asset "{symbol}" not found')
    if not state.listings[symbol].tradable:
        raise Refusal(422, UNPROCESSABLE, f'asset "{symbol}" is not tradable')
    side, kind, tif = (str(body.get(key) or "") for key in ("side", "type", "time_in_force"))
    for name, value, known in (("side", side, ("buy", "sell")), ("type", kind, _PRICES), ("tif", tif, _TIMES_IN_FORCE)):
        if value not in known:
            raise invalid(f"invalid {name} {value!r}")
    qty, notional = _positive(body, "qty"), _positive(body, "notional")
    if (qty is None) == (notional is None):
        raise invalid("one of qty and notional is required")
    order = Order(state.new_id(), _client_order_id(state, body), symbol, side, kind, tif, qty, state.now, notional)
    order.order_class = order_class
    order.extended_hours = body.get("extended_hours") is True
    for name in ("limit_price", "stop_price", "trail_price", "trail_percent"):
        given = _positive(body, name)
        if given is not None and name not in _PRICES[kind]:
            raise invalid(f"{kind} orders must not have {name}")
        setattr(order, name, given)
    return order


def _client_order_id(state: State, body: Mapping[str, Any]) -> str:
    given = body.get("client_order_id")
    if given is None or given == "":
        return state.new_id()
    if not isinstance(given, str) or len(given) > _LONGEST_ID:
        raise invalid(f"client_order_id must be at most {_LONGEST_ID} characters")
    if given in state.by_client_id:
        raise invalid("client_order_id must be unique")
    return given


def _legs(state: State, body: Mapping[str, Any], head: Order) -> list[Order]:
    take, stop = body.get("take_profit") or {}, body.get("stop_loss") or {}
    target, trigger = _positive(take, "limit_price"), _positive(stop, "stop_price")
    if head.order_class in ("bracket", "oco") and (target is None or trigger is None):
        raise invalid(f"{head.order_class} orders require take_profit.limit_price and stop_loss.stop_price")
    if target is None and trigger is None:
        raise invalid("oto orders require take_profit or stop_loss")
    if head.time_in_force not in ("day", "gtc") or head.extended_hours or head.notional is not None:
        raise invalid(f"{head.order_class} orders must be day or gtc, by qty and in regular hours")
    # A position that was bought is left above the market with a profit, and below it with a loss.
    sign = -head.sign if head.order_class == "oco" else head.sign
    if target is not None and trigger is not None and sign * trigger >= sign * target:
        raise invalid("take_profit.limit_price must be better than stop_loss.stop_price")
    if head.order_class == "oco" and head.type != "limit":
        raise invalid("oco orders must be limit orders")
    legs = []
    if target is not None and head.order_class != "oco":
        legs.append(_leg(state, head, "take_profit", "limit", limit_price=target))
    if trigger is not None:
        limit = _positive(stop, "limit_price")
        kind = "stop" if limit is None else "stop_limit"
        legs.append(_leg(state, head, "stop_loss", kind, stop_price=trigger, limit_price=limit))
    return legs


def _leg(state: State, head: Order, role: str, kind: str, **prices: Decimal | None) -> Order:
    side = head.side if head.order_class == "oco" else ("sell" if head.side == "buy" else "buy")
    leg = Order(state.new_id(), state.new_id(), head.symbol, side, kind, head.time_in_force, head.qty, state.now)
    leg.order_class, leg.head, leg.role, leg.status = head.order_class, head.id, role, "held"
    leg.limit_price, leg.stop_price = prices.get("limit_price"), prices.get("stop_price")
    return leg


def _check_prices(order: Order) -> None:
    missing = [name for name in _PRICES[order.type] if getattr(order, name) is None]
    if order.type == "trailing_stop":
        if len(missing) != 1:
            raise invalid("trailing_stop orders require one of trail_price and trail_percent")
    elif missing:
        raise invalid(f"{order.type} orders require {missing[0]}")
    for name in ("limit_price", "stop_price"):
        price = getattr(order, name)
        if price is not None and _decimals(price) > (2 if price >= 1 else 4) and order.type != "trailing_stop":
            raise Refusal(422, UNPROCESSABLE, f"invalid {name} {price}. sub-penny increment is not allowed")
    if order.extended_hours and (order.type, order.time_in_force) != ("limit", "day"):
        raise Refusal(422, UNPROCESSABLE, "extended hours order must be DAY limit orders")
    if order.time_in_force in ("opg", "cls", "ioc", "fok") and order.type not in ("market", "limit"):
        raise invalid(f"{order.type} orders cannot be {order.time_in_force}")


def _check_quantity(state: State, order: Order, legs: list[Order]) -> None:
    amount = order.qty if order.notional is None else order.notional
    if amount is not None and _decimals(amount) > _MOST_DECIMALS:
        raise invalid("qty and notional are limited to 9 decimal places")
    fractional = order.notional is not None or (order.qty is not None and order.qty != order.qty.to_integral_value())
    if not fractional:
        return
    if not state.listings[order.symbol].fractionable:
        raise Refusal(403, FORBIDDEN, f'asset "{order.symbol}" is not fractionable')
    if order.time_in_force != "day" or order.type == "trailing_stop" or legs:
        raise Refusal(422, UNPROCESSABLE, "fractional orders must be DAY orders")
    if order.side == "sell" and state.positions.get(order.symbol, Position()).quantity <= 0:
        raise Refusal(422, UNPROCESSABLE, "fractional orders cannot be sold short")


def _check_money(state: State, order: Order) -> None:
    held = state.positions.get(order.symbol, Position()).quantity
    if order.symbol not in state.quotes:
        raise Refusal(422, UNPROCESSABLE, f"no market in {order.symbol}")
    if order.side == "sell" and held > 0 and order.notional is None:
        available = held - held_for_orders(state, order.symbol)
        if order.leaves > available:
            asked = f"requested: {text(order.qty)}, available: {text(max(available, ZERO))}"
            raise Refusal(403, FORBIDDEN, f"insufficient qty available for order ({asked})", symbol=order.symbol)
    elif order.side == "sell" and held <= 0 and not state.listings[order.symbol].is_lent:
        raise Refusal(422, UNPROCESSABLE, f'asset "{order.symbol}" cannot be sold short')
    power, needed = buying_power(state), cost(state, order)
    if needed > power:
        details = {"buying_power": text(power) or "", "cost_basis": text(needed) or ""}
        raise Refusal(403, FORBIDDEN, "insufficient buying power", **details)


def _positive(body: Mapping[str, Any], key: str) -> Decimal | None:
    value = body.get(key)
    if value is None:
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise invalid(f"invalid {key} {value!r}") from None
    if not (number.is_finite() and number > 0):
        raise invalid(f"{key} must be > 0")
    return number


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
