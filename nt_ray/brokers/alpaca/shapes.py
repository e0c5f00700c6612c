"""Alpaca's JSON, written: account, orders, positions, assets, clock, calendar, messages, and the codes of its refusals.

The shapes that the documentation shows, from plain values, for whoever speaks as Alpaca does. It knows no account.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from nt_ray.brokers.alpaca.wire import Json, plain, stamp

INVALID: Final = 40010001
UNPROCESSABLE: Final = 42210000
FORBIDDEN: Final = 40310000
NOT_FOUND: Final = 40410000
UNAUTHORIZED: Final = 40110000
TOO_MANY: Final = 42910000

ORDER_TIMES: Final = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")

_ZERO: Final = Decimal(0)
_PLACES: Final = 6


def text(value: Decimal | None) -> str | None:
    """Write a number as the venue does: a string without superfluous zeros, or null."""
    return None if value is None else plain(value.normalize() if value else _ZERO)


def order_shape(
    *,
    ids: Mapping[str, str | None],
    terms: Mapping[str, str],
    numbers: Mapping[str, Decimal | None],
    created_at: datetime,
    updated_at: datetime,
    times: Mapping[str, datetime],
    extended_hours: bool,
    legs: Sequence[Json] = (),
) -> Json:
    """Write an order.

    `ids`: id, client_order_id, asset_id, replaces, replaced_by. `terms`: symbol, asset_class, order_class, type, side,
    time_in_force, status, and position_intent where it was said. `numbers`: qty, notional, filled_qty,
    filled_avg_price, limit_price, stop_price, trail_price, trail_percent, hwm; those that are not given are null.
    """
    number = {name: text(numbers.get(name)) for name in _NUMBERS}
    return {
        "id": ids["id"],
        "client_order_id": ids["client_order_id"],
        "created_at": stamp(created_at),
        "updated_at": stamp(updated_at),
        "submitted_at": stamp(created_at),
        **{name: stamp(times[name]) if name in times else None for name in ORDER_TIMES},
        "expires_at": None,
        "replaced_by": ids.get("replaced_by") or None,
        "replaces": ids.get("replaces") or None,
        "asset_id": ids["asset_id"],
        "position_intent": None,
        **terms,
        "order_type": terms["type"],
        **number,
        "extended_hours": extended_hours,
        "legs": list(legs) or None,
    }


_NUMBERS: Final = (
    "notional", "qty", "filled_qty", "filled_avg_price", "limit_price", "stop_price", "trail_percent", "trail_price",
    "hwm",
)  # fmt: skip


def account_shape(
    *,
    ids: Mapping[str, str],
    money: Mapping[str, Decimal],
    multiplier: Decimal,
    created_at: datetime | None,
    blocked: bool = False,
    suspended: bool = False,
    shorting: bool = True,
) -> Json:
    """Write an account.

    `ids`: id, account_number, currency. `money`: cash, equity, last_equity, buying_power, non_marginable_buying_power,
    long_market_value, short_market_value. Margins are not known and null.
    """
    number = {name: text(money[name]) for name in _MONEY}
    return {
        **ids,
        "status": "ACTIVE",
        **number,
        "portfolio_value": number["equity"],
        "position_market_value": text(money["long_market_value"] + money["short_market_value"]),
        "regt_buying_power": number["buying_power"],
        **dict.fromkeys(_MARGINS),
        "multiplier": text(multiplier),
        "trading_blocked": blocked,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": suspended,
        "shorting_enabled": shorting,
        "created_at": None if created_at is None else stamp(created_at),
    }


_MONEY: Final = (
    "cash", "equity", "last_equity", "buying_power", "non_marginable_buying_power", "long_market_value",
    "short_market_value",
)  # fmt: skip
_MARGINS: Final = ("accrued_fees", "initial_margin", "maintenance_margin", "last_maintenance_margin", "sma")


def position_shape(
    *,
    asset_id: str,
    symbol: str,
    exchange: str,
    asset_class: str,
    quantity: Decimal,
    available: Decimal,
    cost: Decimal,
    price: Decimal | None,
    last_day: Decimal | None,
) -> Json:
    """Write a position: signed quantity and cost; prices that are not known are null."""
    value = None if price is None else quantity * price
    gain = None if value is None else value - cost
    return {
        "asset_id": asset_id,
        "symbol": symbol,
        "exchange": exchange,
        "asset_class": asset_class,
        "asset_marginable": True,
        "avg_entry_price": text(round(cost / quantity, _PLACES)) if quantity else "0",
        "qty": text(quantity),
        "qty_available": text(available),
        "side": "long" if quantity > 0 else "short",
        "market_value": text(value),
        "cost_basis": text(round(cost, _PLACES)),
        "unrealized_pl": None if gain is None else text(round(gain, _PLACES)),
        "unrealized_plpc": None if gain is None else text(round(gain / abs(cost), _PLACES)) if cost else "0",
        "unrealized_intraday_pl": None,
        "unrealized_intraday_plpc": None,
        "current_price": text(price),
        "lastday_price": text(last_day),
        "change_today": None if price is None or not last_day else text(round(price / last_day - 1, _PLACES)),
    }


def asset_shape(
    *,
    asset_id: str,
    symbol: str,
    asset_class: str,
    exchange: str,
    name: str,
    tradable: bool,
    shortable: bool,
    fractionable: bool,
    easy_to_borrow: bool | None = None,
    increments: Mapping[str, Decimal] | None = None,
) -> Json:
    """Write an asset; `increments`: min_order_size, min_trade_increment, price_increment, where they are known."""
    return {
        "id": asset_id,
        "class": asset_class,
        "exchange": exchange,
        "symbol": symbol,
        "name": name,
        "status": "active",
        "tradable": tradable,
        "marginable": True,
        "shortable": shortable,
        "easy_to_borrow": shortable if easy_to_borrow is None else easy_to_borrow,
        "fractionable": fractionable,
        "attributes": [],
        **{key: text(value) for key, value in (increments or {}).items()},
    }


def clock_shape(now: datetime, is_open: bool, next_open: datetime, next_close: datetime) -> Json:
    """Write the clock; all times in New York's."""
    return {
        "timestamp": now.isoformat(),
        "is_open": is_open,
        "next_open": next_open.isoformat(),
        "next_close": next_close.isoformat(),
    }


def calendar_day(day: date, opens: str, closes: str) -> Json:
    """Write a trading day; times as 09:30."""
    hours = {"open": opens, "close": closes, "session_open": "0400", "session_close": "2000"}
    return {"date": day.isoformat(), **hours}


def update_shape(event: str, time: datetime, order: Json, execution: Mapping[str, str]) -> Json:
    """Write a message of the stream of orders."""
    return {"stream": "trade_updates", "data": {"event": event, "timestamp": stamp(time), "order": order, **execution}}
