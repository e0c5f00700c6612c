"""The venue's JSON: orders, account, positions, clock and messages of the stream, as the documentation shows them."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from nt_ray.brokers.alpaca.shapes import (
    asset_shape,
    calendar_day,
    clock_shape,
    order_shape,
    position_shape,
    text,
    update_shape,
)
from nt_ray.brokers.alpaca.simulator.model import ZERO, Listing, Order, Session, State
from nt_ray.brokers.alpaca.simulator.money import buying_power, equity, market_value
from nt_ray.brokers.alpaca.wire import Json

_ASSETS: Final = UUID("b0b6dd9d-8b9b-48a9-ba46-b9d54906e415")
_NEW_YORK: Final = ZoneInfo("America/New_York")
_OPENS: Final = (9, 30)
_CLOSES: Final = (16, 0)
_SATURDAY: Final = 5


def order_json(state: State, order: Order, *, nested: bool = False) -> Json:
    """Write an order, with its legs where `nested`."""
    legs = [order_json(state, leg) for leg in state.legs(order.id)] if nested else []
    average = order.filled_value / order.filled if order.filled else None
    return order_shape(
        ids={
            "id": order.id,
            "client_order_id": order.client_order_id,
            "asset_id": asset_id(order.symbol),
            "replaces": order.replaces,
            "replaced_by": order.replaced_by,
        },
        terms={
            "symbol": order.symbol,
            "asset_class": "us_equity",
            "order_class": order.order_class,
            "type": order.type,
            "side": order.side,
            "time_in_force": order.time_in_force,
            "status": order.status,
        },
        numbers={
            "notional": order.notional,
            "qty": None if order.notional is not None else order.qty,
            "filled_qty": order.filled,
            "filled_avg_price": None if average is None else round(average, 6),
            "limit_price": order.limit_price,
            "stop_price": order.stop_price,
            "trail_percent": order.trail_percent,
            "trail_price": order.trail_price,
            "hwm": order.best,
        },
        created_at=order.created_at,
        updated_at=state.now,
        times=order.times,
        extended_hours=order.extended_hours,
        legs=legs,
    )


def update_json(state: State, event: str, order: Order, **execution: str) -> Json:
    """Write a message of the stream."""
    return update_shape(event, state.now, order_json(state, order), execution)


def asset_id(symbol: str) -> str:
    """Id of an asset."""
    return str(uuid5(_ASSETS, symbol))


def asset_json(listing: Listing) -> Json:
    """Write an asset."""
    return asset_shape(
        asset_id=asset_id(listing.symbol),
        symbol=listing.symbol,
        asset_class="us_equity",
        exchange="NASDAQ",
        name=f"{listing.symbol} Common Stock",
        tradable=listing.tradable,
        shortable=listing.shortable,
        fractionable=listing.fractionable,
    )


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
    position, price = state.positions[symbol], state.quotes[symbol].last
    return position_shape(
        asset_id=asset_id(symbol),
        symbol=symbol,
        exchange="NASDAQ",
        asset_class="us_equity",
        quantity=position.quantity,
        available=position.quantity,
        cost=position.quantity * position.average,
        price=price,
        last_day=price,
    )


def clock_json(state: State) -> Json:
    """Write the clock, as New York reads it; the session is open or closed as it was switched."""
    local = state.now.astimezone(_NEW_YORK)
    return clock_shape(local, state.session is Session.OPEN, _next(local, _OPENS), _next(local, _CLOSES))


def _next(local: datetime, at: tuple[int, int]) -> datetime:
    found = local.replace(hour=at[0], minute=at[1], second=0, microsecond=0)
    while found <= local or found.weekday() >= _SATURDAY:
        found += timedelta(days=1)
    return found


def calendar_json(first: datetime, last: datetime) -> list[Json]:
    """Write the calendar: every weekday is a full trading day."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    return [calendar_day(day.date(), "09:30", "16:00") for day in days if day.weekday() < _SATURDAY]
