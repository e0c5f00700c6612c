"""The platform's orders, positions and accounts in Alpaca's shapes and words.

Ids are derived from names, so every replica writes the same. What is not known here is null or left out: the exchange
of an asset, the price of the day before.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid5

from nt_ray.brokers.alpaca.shapes import (
    ORDER_TIMES,
    account_shape,
    asset_shape,
    order_shape,
    position_shape,
    text,
    update_shape,
)
from nt_ray.brokers.alpaca.wire import Json, stamp
from nt_ray.market.bars import AssetClass, Instrument
from nt_ray.trader.history import Booking, Change, Execution, Family, order_id
from nt_ray.trader.live_readings import Activity
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trader.watchlists import Watchlist
from nt_ray.trading.orders import OrderStatus

_NAMES: Final = UUID("5b0a6c39-8f0e-4b7c-8a6d-2f4e1c9d7a10")
_ZERO: Final = Decimal(0)
_PRICE_PLACES: Final = 6
_CRYPTO: Final = "crypto"
_EQUITY: Final = "us_equity"
ASSET_CLASSES: Final[Mapping[str, frozenset[AssetClass]]] = {
    _EQUITY: frozenset(AssetClass) - {AssetClass.CRYPTO},
    _CRYPTO: frozenset({AssetClass.CRYPTO}),
    "us_option": frozenset(),
    "all": frozenset(AssetClass),
}
"""By Alpaca's word for a class, which instruments are meant; options are not traded here."""

SUSPENDED: Final = "account"
"""Scope of the kill switch that Alpaca calls suspend_trade."""

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
    "OrderGivenUp": "rejected",
    "OrderFound": "new",
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
    "transfer": "JNLS",
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
            "asset_class": _class_of(record.asset_class),
            "order_class": family.order_class,
            "type": request.type.value,
            "side": request.side.value,
            "time_in_force": request.time_in_force.value,
            "status": "held" if held else STATUS[record.order.status],
            **({"position_intent": f"{request.side}_to_{effect}"} if (effect := request.position_effect) else {}),
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
    told_of = f"{account}/{change.number}/{change.event}/{change.family.record.name}"
    execution = {"execution_id": str(uuid5(_NAMES, told_of))}
    if change.fill is not None:
        is_whole = change.family.record.order.status is OrderStatus.FILLED
        event = "fill" if is_whole else "partial_fill"
        told = {"price": change.fill.price, "qty": change.fill.quantity, "position_qty": change.position}
        execution |= {name: str(text(value)) for name, value in told.items()}
        execution["execution_id"] = str(uuid5(_NAMES, f"{account}/{change.fill.execution_id}"))
    return update_shape(event, change.time, order(account, change.family), execution)


def account(overview: Overview) -> Json:
    """Write an account."""
    long = sum((h.value for h in overview.holdings if h.quantity > 0), _ZERO)
    short = sum((h.value for h in overview.holdings if h.quantity < 0), _ZERO)
    halted = SUSPENDED in overview.halts
    return account_shape(
        ids={"id": account_id(overview.name), "account_number": overview.name, "currency": overview.currency},
        money={
            "cash": overview.cash,
            "equity": overview.equity,
            "last_equity": overview.day_start_equity,
            "buying_power": overview.buying_power,
            "non_marginable_buying_power": max(overview.cash - overview.reserved, _ZERO),
            "long_market_value": long,
            "short_market_value": short,
        },
        multiplier=overview.leverage,
        created_at=overview.began_at,
        blocked=halted or bool(overview.breaker),
        suspended=halted,
        shorting=overview.shorting,
    )


def trades_fractions(overview: Overview) -> bool:
    """Whether there is an instrument that trades in fractions."""
    return any(instrument.quantity_increment < 1 for instrument in overview.instruments)


def configuration(overview: Overview) -> Json:
    """Write the configuration of an account: what can be switched here, and what stands fixed."""
    return {
        "suspend_trade": SUSPENDED in overview.halts,
        "no_shorting": not overview.shorting,
        "fractional_trading": overview.fractions and trades_fractions(overview),
        "max_margin_multiplier": text(overview.leverage),
        "trade_confirm_email": "none",
        "ptp_no_exception_entry": False,
        "max_options_trading_level": 0,
    }


def position(held: Holding, overview: Overview) -> Json:
    """Write a position."""
    kind = next((asset_class(i) for i in overview.instruments if i.symbol == held.symbol), _EQUITY)
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
    return _class_of(instrument.asset_class)


def _class_of(kind: AssetClass) -> str:
    return _CRYPTO if kind is AssetClass.CRYPTO else _EQUITY


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


def watchlist(found: Watchlist, assets: Sequence[Json] | None = None) -> Json:
    """Write a watchlist, with its assets where they are given."""
    written = {
        "id": found.id,
        "account_id": account_id(found.account),
        "name": found.name,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
    }
    return written if assets is None else written | {"assets": list(assets)}


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
