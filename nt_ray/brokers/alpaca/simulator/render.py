"""The venue's JSON: orders, account, positions, clock and messages of the stream, as the documentation shows them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from nt_ray.brokers.alpaca.simulator.model import ZERO, Listing, Order, Session, State
from nt_ray.brokers.alpaca.simulator.money import buying_power, equity, market_value
from nt_ray.brokers.alpaca.wire import Json, plain, stamp

_ASSETS: Final = UUID("b0b6dd9d-8b9b-48a9-ba46-b9d54906e415")
_TIMES: Final = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")
_NEW_YORK: Final = ZoneInfo("America/New_York")
_OPENS: Final = (9, 30)
_CLOSES: Final = (16, 0)
_SATURDAY: Final = 5


def text(value: Decimal | None) -> str | None:
    """Write a number as the venue does: a string without superfluous zeros, or null."""
    return None if value is None else plain(value.normalize() if value else ZERO)


def order_json(state: State, order: Order, *, nested: bool = False) -> Json:
    """Write an order, with its legs where `nested`."""
    legs = [order_json(state, leg) for leg in state.legs(order.id)] if nested else []
    average = order.filled_value / order.filled if order.filled else None
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.created_at),
        "updated_at": stamp(state.now),
        "submitted_at": stamp(order.created_at),
        **{name: stamp(order.times[name]) if name in order.times else None for name in _TIMES},
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces or None,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": text(order.notional),
        "qty": None if order.notional is not None else text(order.qty),
        "filled_qty": text(order.filled),
        "filled_avg_price": text(None if average is None else round(average, 6)),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": text(order.limit_price),
        "stop_price": text(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": legs or None,
        "trail_percent": text(order.trail_percent),
        "trail_price": text(order.trail_price),
        "hwm": text(order.best),
    }


def update_json(state: State, event: str, order: Order, **execution: str) -> Json:
    """Write a message of the stream."""
    data = {"event": event, "timestamp": stamp(state.now), "order": order_json(state, order), **execution}
    return {"stream": "trade_updates", "data": data}


def asset_id(symbol: str) -> str:
    """Id of an asset."""
    return str(uuid5(_ASSETS, symbol))


def asset_json(listing: Listing) -> Json:
    """Write an asset."""
    return {
        "id": asset_id(listing.symbol),
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": listing.symbol,
        "name": f"{listing.symbol} Common Stock",
        "status": "active",
        "tradable": listing.tradable,
        "marginable": True,
        "shortable": listing.shortable,
        "easy_to_borrow": listing.shortable,
        "fractionable": listing.fractionable,
        "attributes": [],
    }


def account_json(state: State) -> Json:
    """Write the account."""
    long, short = market_value(state, 1), market_value(state, -1)
    power, worth = text(buying_power(state)), text(equity(state))
    return {
        "id": asset_id(state.key),
        "account_number": "PA0SIMULATED",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": text(state.cash),
        "equity": worth,
        "last_equity": worth,
        "portfolio_value": worth,
        "buying_power": power,
        "regt_buying_power": power,
        "daytrading_buying_power": "0",
        "non_marginable_buying_power": text(max(state.cash, ZERO)),
        "long_market_value": text(long),
        "short_market_value": text(short),
        "multiplier": "2",
        "pattern_day_trader": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": True,
        "daytrade_count": 0,
        "created_at": "2020-01-01T00:00:00Z",
    }


def position_json(state: State, symbol: str) -> Json:
    """Write a position."""
    position = state.positions[symbol]
    price = state.quotes[symbol].last
    value, cost = position.quantity * price, position.quantity * position.average
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "avg_entry_price": text(round(position.average, 6)),
        "qty": text(position.quantity),
        "qty_available": text(position.quantity),
        "side": "long" if position.quantity > 0 else "short",
        "market_value": text(value),
        "cost_basis": text(round(cost, 6)),
        "unrealized_pl": text(round(value - cost, 6)),
        "unrealized_plpc": text(round((value - cost) / abs(cost), 6)) if cost else "0",
        "current_price": text(price),
        "lastday_price": text(price),
        "change_today": "0",
    }


def clock_json(state: State) -> Json:
    """Write the clock, as New York reads it; the session is open or closed as it was switched."""
    local = state.now.astimezone(_NEW_YORK)
    opens, closes = _next(local, _OPENS), _next(local, _CLOSES)
    return {
        "timestamp": local.isoformat(),
        "is_open": state.session is Session.OPEN,
        "next_open": opens.isoformat(),
        "next_close": closes.isoformat(),
    }


def _next(local: datetime, at: tuple[int, int]) -> datetime:
    found = local.replace(hour=at[0], minute=at[1], second=0, microsecond=0)
    while found <= local or found.weekday() >= _SATURDAY:
        found += timedelta(days=1)
    return found


def calendar_json(first: datetime, last: datetime) -> list[Json]:
    """Write the calendar: every weekday is a full trading day."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    times = {"open": "09:30", "close": "16:00", "session_open": "0400", "session_close": "2000"}
    return [{"date": day.date().isoformat(), **times} for day in days if day.weekday() < _SATURDAY]
