"""The platform's orders, positions and accounts in Alpaca's shapes and words.

Ids are derived from names, so every replica writes the same. What is not known here is null or left out: the exchange
of an asset, the price of the day before.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid5

from nt_ray.brokers.alpaca.shapes import ORDER_TIMES, asset_shape, order_shape, position_shape, text, update_shape
from nt_ray.brokers.alpaca.wire import Json, stamp
from nt_ray.market.bars import AssetClass, Instrument
from nt_ray.trader.history import Booking, Change, Execution, Family, order_id
from nt_ray.trader.live_readings import Activity
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trading.orders import OrderStatus

_NAMES: Final = UUID("5b0a6c39-8f0e-4b7c-8a6d-2f4e1c9d7a10")
_ZERO: Final = Decimal(0)
_PRICE_PLACES: Final = 6
_CRYPTO: Final = "crypto"

STATUS: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.SUBMITTED: "pending_new",
    OrderStatus.ACCEPTED: "new",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.PENDING_CANCEL: "pending_cancel",
    OrderStatus.PENDING_REPLACE: "pending_replace",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REPLACED: "replaced",
}
EVENTS: Final[Mapping[str, str]] = {
    "OrderSubmitted": "pending_new",
    "OrderAccepted": "new",
    "OrderRejected": "rejected",
    "OrderFilled": "fill",
    "PendingCancel": "pending_cancel",
    "CancelRejected": "order_cancel_rejected",
    "OrderCanceled": "canceled",
    "PendingReplace": "pending_replace",
    "ReplaceRejected": "order_replace_rejected",
    "OrderReplaced": "replaced",
    "OrderExpired": "expired",
}
"""By event of the account, the word of the stream; others are not told."""

ACTIVITIES: Final[Mapping[str, str]] = {
    "fill": "FILL",
    "deposit": "CSD",
    "withdrawal": "CSW",
    "dividend": "DIV",
    "fees": "FEE",
    "interest": "INT",
    "borrow": "INT",
}


@lru_cache(maxsize=4096)
def asset_id(symbol: str) -> str:
    """Id of an asset."""
    return str(uuid5(_NAMES, f"asset/{symbol}"))


@lru_cache(maxsize=4096)
def account_id(name: str) -> str:
    """Id of an account."""
    return str(uuid5(_NAMES, f"account/{name}"))


def order(account: str, family: Family) -> Json:
    """Write an order with its legs."""
    record, request = family.record, family.record.order.request
    held = family.waits and record.order.status in (OrderStatus.ACCEPTED, OrderStatus.SUBMITTED)
    average = record.order.average_price
    times = {name: time for name in ORDER_TIMES if (time := getattr(record, name)) is not None}
    return order_shape(
        ids={
            "id": record.id,
            "client_order_id": request.client_order_id,
            "asset_id": asset_id(request.symbol),
            "replaces": order_id(account, request.replaces) if request.replaces else None,
            "replaced_by": order_id(account, record.replaced_by) if record.replaced_by else None,
        },
        terms={
            "symbol": request.symbol,
            "asset_class": "us_equity",
            "order_class": family.order_class,
            "type": request.type.value,
            "side": request.side.value,
            "time_in_force": request.time_in_force.value,
            "status": "held" if held else STATUS[record.order.status],
        },
        numbers={
            "qty": None if request.notional is not None else request.quantity,
            "notional": request.notional,
            "filled_qty": record.order.filled_quantity,
            "filled_avg_price": None if average is None else round(average, _PRICE_PLACES),
            "limit_price": request.limit_price,
            "stop_price": request.stop_price,
            "trail_price": request.trail_amount,
            "trail_percent": request.trail_percent,
        },
        created_at=record.created_at,
        updated_at=record.updated_at,
        times=times,
        extended_hours=request.extended_hours,
        legs=[order(account, leg) for leg in family.legs],
    )


def update(account: str, change: Change) -> Json | None:
    """Write a change of an order as a message of the stream; None where the stream has no word for it."""
    event = EVENTS.get(change.event)
    if event is None:
        return None
    execution: dict[str, str] = {}
    if change.fill is not None:
        is_whole = change.family.record.order.status is OrderStatus.FILLED
        event = "fill" if is_whole else "partial_fill"
        told = {"price": change.fill.price, "qty": change.fill.quantity, "position_qty": change.position}
        execution = {name: str(text(value)) for name, value in told.items()}
        execution["execution_id"] = str(uuid5(_NAMES, f"{account}/{change.fill.execution_id}"))
    return update_shape(event, change.time, order(account, change.family), execution)


def account(overview: Overview) -> Json:
    """Write an account."""
    long = sum((h.value for h in overview.holdings if h.quantity > 0), _ZERO)
    short = sum((h.value for h in overview.holdings if h.quantity < 0), _ZERO)
    worth, power = text(overview.equity), text(overview.buying_power)
    halted = "account" in overview.halts
    found = {
        "id": account_id(overview.name),
        "account_number": overview.name,
        "status": "ACTIVE",
        "currency": overview.currency,
        "cash": text(overview.cash),
        "equity": worth,
        "last_equity": text(overview.day_start_equity),
        "portfolio_value": worth,
        "buying_power": power,
        "regt_buying_power": power,
        "daytrading_buying_power": "0",
        "non_marginable_buying_power": text(max(overview.cash - overview.reserved, _ZERO)),
        "long_market_value": text(long),
        "short_market_value": text(short),
        "multiplier": text(overview.leverage),
        "pattern_day_trader": False,
        "trading_blocked": halted or bool(overview.breaker),
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": halted,
        "shorting_enabled": True,
        "daytrade_count": 0,
    }
    return found | ({} if overview.began_at is None else {"created_at": stamp(overview.began_at)})


def configuration(overview: Overview) -> Json:
    """Write the configuration of an account, as far as it has Alpaca's switches."""
    return {
        "dtbp_check": "entry",
        "fractional_trading": any(i.quantity_increment < 1 for i in overview.instruments),
        "max_margin_multiplier": text(overview.leverage),
        "no_shorting": False,
        "pdt_check": "entry",
        "suspend_trade": "account" in overview.halts,
        "trade_confirm_email": "none",
        "ptp_no_exception_entry": False,
        "max_options_trading_level": 0,
    }


def position(held: Holding, overview: Overview) -> Json:
    """Write a position."""
    kind = next((asset_class(i) for i in overview.instruments if i.symbol == held.symbol), "us_equity")
    sign = 1 if held.quantity > 0 else -1
    return position_shape(
        asset_id=asset_id(held.symbol),
        symbol=held.symbol,
        exchange="",
        asset_class=kind,
        quantity=held.quantity,
        available=held.quantity - sign * held.held_for_orders,
        cost=held.cost,
        price=held.mark,
        last_day=None,
    )


def asset_class(instrument: Instrument) -> str:
    """Alpaca's word for the class of an instrument."""
    return _CRYPTO if instrument.asset_class is AssetClass.CRYPTO else "us_equity"


def asset(instrument: Instrument) -> Json:
    """Write an asset."""
    return asset_shape(
        asset_id=asset_id(instrument.symbol),
        symbol=instrument.symbol,
        asset_class=asset_class(instrument),
        exchange="CRYPTO" if instrument.asset_class is AssetClass.CRYPTO else "",
        name=instrument.symbol,
        tradable=True,
        shortable=True,
        fractionable=instrument.quantity_increment < 1,
        increments={
            "min_order_size": instrument.quantity_increment,
            "min_trade_increment": instrument.quantity_increment,
            "price_increment": instrument.price_increment,
        },
    )


def activity(name: str, found: Activity) -> Json:
    """Write an activity of an account."""
    common = {
        "activity_type": ACTIVITIES.get(found.kind, "MISC"),
        "id": f"{found.time:%Y%m%d%H%M%S}{found.time.microsecond // 1000:03d}::{found.number:012d}",
        "account_id": account_id(name),
    }
    if isinstance(found.what, Booking):
        return common | _booked(found.what)
    return common | _executed(name, found.what)


def number_of(activity_id: str) -> int | None:
    """Number of the activity with this id; None where it is no such id."""
    number = activity_id.rpartition("::")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) <= 18 else None


def _booked(booking: Booking) -> dict[str, Any]:
    found = {
        "date": booking.time.date().isoformat(),
        "net_amount": text(booking.amount),
        "description": booking.id,
        "status": "executed",
    }
    return found | ({"symbol": booking.symbol} if booking.symbol else {})


def _executed(name: str, done: Execution) -> dict[str, Any]:
    fill = done.fill
    return {
        "transaction_time": stamp(fill.time),
        "type": "fill" if done.status is OrderStatus.FILLED else "partial_fill",
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "side": "sell_short" if done.opens_short else fill.side.value,
        "symbol": fill.symbol,
        "leaves_qty": text(done.leaves),
        "order_id": order_id(name, fill.client_order_id),
        "cum_qty": text(done.cumulative),
        "order_status": STATUS[done.status],
    }
