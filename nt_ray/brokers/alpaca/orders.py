"""Single orders: what Alpaca takes, how a request is written, and whether an order there is the one that was asked for.

What Alpaca cannot do is refused before anything is sent. It knows no links.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from nt_ray.brokers.alpaca.reference import Asset
from nt_ray.brokers.alpaca.refusals import RefusedError
from nt_ray.brokers.alpaca.wire import Json, optional, plain, word
from nt_ray.brokers.base import Capabilities, ReplaceKind
from nt_ray.trading.orders import OrderRequest, OrderType, TimeInForce

_MOST_DECIMALS: Final = 9
"""Decimals of a quantity or an amount of money."""

_DOLLAR: Final = Decimal(1)
_DECIMALS_FROM_A_DOLLAR: Final = 2
_DECIMALS_BELOW: Final = 4

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce) - {TimeInForce.GTD},
    short_selling=True,
    fractional=True,
    # Ids are unique for ever, so to send an order again under its id cannot make a second one.
    lookup_proves_absence=True,
    # A request that was held up on its way is taken whenever it comes.
    arrives_late=True,
    notional=True,
    extended_hours=True,
    linked=True,
    replace=ReplaceKind.NATIVE,
    cancels_all=True,
    longest_client_id=128,
    concurrency=8,
)


def check(request: OrderRequest, asset: Asset) -> None:
    """Raise `RefusedError` for a request that Alpaca cannot do."""
    fault = _fault(request, asset) or _price_fault(request)
    if fault:
        raise RefusedError(f"alpaca, {request.client_order_id}: {fault}")


def _fault(request: OrderRequest, asset: Asset) -> str:
    tif = request.time_in_force
    if not asset.tradable:
        return f"{asset.symbol} is not tradable at Alpaca. Trade another symbol."
    if tif not in CAPABILITIES.times_in_force:
        return f"time in force {tif} does not exist there. Use day or gtc."
    if request.post_only or request.reduce_only:
        return "post_only and reduce_only do not exist there. Leave them out."
    if request.extended_hours and tif is not TimeInForce.DAY:
        return f"a {tif} order cannot trade in extended hours. Use day."
    amount = request.quantity if request.notional is None else request.notional
    if _decimals(amount) > _MOST_DECIMALS:
        return f"{amount} has more than {_MOST_DECIMALS} decimals. Round it."
    fractional = request.notional is not None or amount != amount.to_integral_value()
    if fractional and not asset.fractionable:
        return f"{asset.symbol} is not fractionable and {amount} is no whole quantity. Give whole shares."
    if fractional and (tif is not TimeInForce.DAY or request.type is OrderType.TRAILING_STOP):
        return f"a {request.type} {tif} order of the fraction {amount}. Use a day order, or whole shares."
    return ""


def _price_fault(request: OrderRequest) -> str:
    """Prices from a dollar on have two decimals, those below four (Alpaca, sub-penny increments)."""
    for price in (request.limit_price, request.stop_price, request.trail_amount):
        if price is None:
            continue
        most = _DECIMALS_FROM_A_DOLLAR if price >= _DOLLAR or price is request.trail_amount else _DECIMALS_BELOW
        if _decimals(price) > most:
            return f"price {price} has more than {most} decimals. Round it to the venue's increment."
    return ""


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def body(request: OrderRequest) -> Json:
    """Write a request as the body of a POST."""
    written: Json = {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        **prices(request),
    }
    if request.notional is None:
        written["qty"] = plain(request.quantity)
    else:
        written["notional"] = plain(request.notional)
    if request.extended_hours:
        written["extended_hours"] = True
    return written


def prices(request: OrderRequest) -> dict[str, str]:
    """Prices of a request under the venue's names."""
    return {name: plain(price) for name, price in _prices(request).items() if price is not None}


def _prices(request: OrderRequest) -> Mapping[str, Decimal | None]:
    return {
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "trail_price": request.trail_amount,
        "trail_percent": request.trail_percent,
    }


def is_same(request: OrderRequest, order: Json) -> bool:
    """Whether an order at the venue is the one that was asked for."""
    words: dict[str, Any] = {
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
    }
    if any(word(order, key) != value for key, value in words.items()):
        return False
    if bool(order.get("extended_hours")) != request.extended_hours:
        return False
    if request.notional is None:
        amounts = optional(order, "qty") == request.quantity and optional(order, "notional") is None
    else:
        # The venue fills in the quantity of an order by notional as it learns it.
        amounts = optional(order, "notional") == request.notional
    # A trailing stop shows the stop that its trail has reached.
    own_stop = request.type is not OrderType.TRAILING_STOP
    return amounts and all(
        optional(order, name) == price for name, price in _prices(request).items() if own_stop or name != "stop_price"
    )


def replacement(request: OrderRequest, old: Json) -> Json:
    """Write the body of a PATCH that puts `request` in the place of `old`; raise `RefusedError` where none can.

    The new order trades its whole quantity, whatever the old one has filled (Alpaca-API, issue 165: a replacement that
    names none trades the old quantity once more). So where a part is filled the quantity is always named.
    """
    fault = _replacement_fault(request, old)
    if fault:
        raise RefusedError(
            f"alpaca, {request.client_order_id}: {fault} Cancel {request.replaces} and send a new order."
        )
    changes: Json = {"client_order_id": request.client_order_id, "time_in_force": request.time_in_force.value}
    if request.quantity != optional(old, "qty") or optional(old, "filled_qty"):
        changes["qty"] = plain(request.quantity)
    written = prices(request)
    trail = written.pop("trail_price", None) or written.pop("trail_percent", None)
    return {**changes, **written, **({"trail": trail} if trail else {})}


def _replacement_fault(request: OrderRequest, old: Json) -> str:
    for key, wanted in (("symbol", request.symbol), ("side", request.side), ("type", request.type)):
        if old.get(key) != wanted:
            return f"a replacement keeps {key}, and {old.get(key)} is not {wanted}."
    if bool(old.get("extended_hours")) != request.extended_hours:
        return "a replacement keeps extended_hours."
    if (optional(old, "trail_price") is None) != (request.trail_amount is None):
        return "a replacement keeps how a stop trails, by an amount or in percent."
    if optional(old, "notional") is not None or request.notional is not None:
        return "an order by notional cannot be replaced."
    both = (request.quantity, optional(old, "qty"))
    if both[0] != both[1] and any(q is None or q != q.to_integral_value() for q in both):
        return f"quantity {both[1]} cannot become {both[0]}; only whole shares can."
    return ""
