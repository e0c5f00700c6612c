"""The venue's JSON: orders, account, positions, clock and messages of the stream, as the documentation shows them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5

from nt_ray.brokers.alpaca.shapes import (
    account_shape,
    asset_shape,
    calendar_day,
    clock_shape,
    order_shape,
    position_shape,
    update_shape,
)
from nt_ray.brokers.alpaca.simulator.model import ZERO, Listing, Order, Session, State
from nt_ray.brokers.alpaca.simulator.money import buying_power, equity, market_value
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.market import nyse

_ASSETS: Final = UUID("b0b6dd9d-8b9b-48a9-ba46-b9d54906e415")
_MULTIPLIER: Final = Decimal(2)
_OPENED: Final = datetime(2020, 1, 1, tzinfo=UTC)


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
        easy_to_borrow=listing.easy_to_borrow,
    )


def account_json(state: State) -> Json:
    """Write the account."""
    return account_shape(
        ids={"id": asset_id(state.key), "account_number": "PA0SIMULATED", "currency": "USD"},
        money={
            "cash": state.cash,
            "equity": equity(state),
            "last_equity": equity(state),
            "buying_power": buying_power(state),
            "non_marginable_buying_power": max(state.cash, ZERO),
            "long_market_value": market_value(state, 1),
            "short_market_value": market_value(state, -1),
        },
        multiplier=_MULTIPLIER,
        created_at=_OPENED,
        blocked=state.blocked,
    )


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
    turns = (nyse.next_open(state.now), nyse.next_close(state.now))
    opens, closes = (time.astimezone(nyse.NEW_YORK) for time in turns)
    return clock_shape(state.now.astimezone(nyse.NEW_YORK), state.session is Session.OPEN, opens, closes)


def calendar_json(first: datetime, last: datetime) -> list[Json]:
    """Write the calendar: trading days of New York with their hours, holidays left out."""
    hours = "%H:%M"
    return [
        calendar_day(found.day, nyse.OPENS.strftime(hours), found.closes.strftime(hours))
        for found in nyse.sessions(first.date(), last.date())
    ]
