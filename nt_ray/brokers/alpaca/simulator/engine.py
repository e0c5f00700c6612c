"""The simulated venue's matching: a quote moves, and orders trade at it in the order in which they came.

Deterministic: what happens follows from the state and the call alone. A buy trades at the ask, a sale at the bid,
never beyond its limit; a quote's size is shared in order of entry. Stops are triggered by the last price, trailing
stops follow it. The first execution of one order of a group ends the others; the legs of an entry begin to work when
it is filled: the one that takes the profit at once, the one that stops the loss, held until then, at its trigger.
"""

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from nt_ray.brokers.alpaca.shapes import text
from nt_ray.brokers.alpaca.simulator.model import ZERO, Order, Quote, Session, State
from nt_ray.brokers.alpaca.simulator.money import book
from nt_ray.brokers.alpaca.simulator.render import asset_id, update_json
from nt_ray.brokers.alpaca.wire import stamp

_SMALLEST: Final = Decimal("1e-9")
_PERCENT: Final = Decimal(100)
_NEW_YORK: Final = ZoneInfo("America/New_York")
_IMMEDIATE: Final = ("ioc", "fok")
_AUCTIONS: Final = ("opg", "cls")
_ENDINGS: Final = {"canceled": "canceled_at", "expired": "expired_at", "replaced": "replaced_at"}


def release(state: State, order: Order) -> None:
    """Let an order that was accepted work, where the session allows it."""
    if not _may_trade(state, order):
        return
    order.status = "new"
    emit(state, "new", order)
    work(state, order)
    if order.time_in_force in _IMMEDIATE and order.is_working:
        end(state, order, "canceled")


def quote(state: State, symbol: str, new: Quote) -> None:
    """Move the market in one symbol; orders trade in the order in which they came."""
    state.quotes[symbol] = new
    state.prints.setdefault(symbol, []).append((new.time, new.last, new.size or ZERO))
    for order in list(state.orders.values()):
        if order.symbol == symbol and order.is_working:
            work(state, order)


def switch(state: State, session: Session) -> None:
    """Begin another session: queued orders start to work, orders of the day that is over end."""
    before, state.session = state.session, session
    for order in [o for o in state.orders.values() if o.is_working]:
        if order.time_in_force in _AUCTIONS:
            due = Session.OPEN if order.time_in_force == "opg" else Session.CLOSED
            if session is due and before is not due:
                _auction(state, order)
        elif order.status == "accepted":
            release(state, order)
        elif session is not Session.OPEN and order.time_in_force == "day" and not _may_trade(state, order):
            end(state, order, "expired")


def work(state: State, order: Order) -> None:
    """Trade what an order can trade at the quote as it is."""
    if not order.is_working:
        return
    market = state.quotes[order.symbol]
    if order.status == "held":
        head = state.orders[order.head]
        starts = head.status == "filled" or (head.order_class == "oco" and head.is_working)
        if not (starts and _is_triggered(order, market)):
            return
        _end_siblings(state, order)
        order.status = "new"
        emit(state, "new", order)
    if _may_trade(state, order):
        _trade(state, order, market)


def end(state: State, order: Order, status: str) -> None:
    """End an order, and with it whatever waits for it."""
    order.status = status
    order.times[_ENDINGS[status]] = state.now
    emit(state, status, order)
    if status != "replaced":
        _end_siblings(state, order)
        for leg in state.legs(order.id):
            if leg.is_working:
                end(state, leg, status)


def emit(state: State, event: str, order: Order, **execution: str) -> None:
    """Tell the stream."""
    state.outbox.append(update_json(state, event, order, **execution))


def _may_trade(state: State, order: Order) -> bool:
    if order.time_in_force in _AUCTIONS or not state.listings[order.symbol].tradable:
        return False
    return state.session is Session.OPEN or (state.session is Session.EXTENDED and order.extended_hours)


def _auction(state: State, order: Order) -> None:
    order.status = "new"
    emit(state, "new", order)
    _trade(state, order, state.quotes[order.symbol])
    if order.is_working:
        end(state, order, "canceled")


def _end_siblings(state: State, order: Order) -> None:
    for sibling in list(state.siblings(order)):
        if sibling.is_working:
            sibling.status = "canceled"
            sibling.times["canceled_at"] = state.now
            emit(state, "canceled", sibling)


def _is_triggered(order: Order, market: Quote) -> bool:
    """Whether an order may look for a price; moves a trailing stop along with the last price."""
    last = market.last
    if order.type == "trailing_stop" and not order.triggered:
        pick: Callable[[Decimal, Decimal], Decimal] = min if order.side == "buy" else max
        order.best = last if order.best is None else pick(order.best, last)
        distance = order.trail_price or order.best * (order.trail_percent or ZERO) / _PERCENT
        order.stop_price = order.best + order.sign * distance
    if order.stop_price is not None and not order.triggered:
        order.triggered = order.sign * last >= order.sign * order.stop_price
    return order.triggered or order.stop_price is None


def _trade(state: State, order: Order, market: Quote) -> None:
    if not _is_triggered(order, market):
        return
    price = market.ask if order.side == "buy" else market.bid
    if order.limit_price is not None and order.sign * price > order.sign * order.limit_price:
        return
    if order.notional is not None and order.qty is None:
        order.qty = (order.notional / price).quantize(_SMALLEST, ROUND_DOWN)
    quantity = order.leaves if market.size is None else min(order.leaves, market.size)
    if quantity <= 0 or (order.time_in_force == "fok" and quantity < order.leaves):
        return
    if market.size is not None:
        market.size -= quantity
    _execute(state, order, quantity, price)


def _execute(state: State, order: Order, quantity: Decimal, price: Decimal) -> None:
    after = book(state, order, quantity, price)
    order.filled += quantity
    order.filled_value += quantity * price
    order.status = "partially_filled" if order.leaves else "filled"
    event = "partial_fill" if order.leaves else "fill"
    if not order.leaves:
        order.times["filled_at"] = state.now
    _record(state, order, quantity, price, event, opens_short=order.side == "sell" and after < 0)
    told = {"position_qty": after, "price": price, "qty": quantity}
    execution = {"execution_id": state.new_id()} | {name: str(text(value)) for name, value in told.items()}
    emit(state, event, order, **execution)
    _end_siblings(state, order)
    if order.status == "filled":
        for leg in state.legs(order.id):
            _begin(state, leg)


def _begin(state: State, leg: Order) -> None:
    """Let a leg work, now that its head is filled; the one that stops the loss stays held until its trigger."""
    if leg.status == "held":
        if leg.role == "take_profit":
            leg.status = "new"
            emit(state, "new", leg)
        work(state, leg)


def _record(state: State, order: Order, quantity: Decimal, price: Decimal, event: str, *, opens_short: bool) -> None:
    local = state.now.astimezone(_NEW_YORK).strftime("%Y%m%d%H%M%S%f")[:17]
    state.activities.append(
        {
            "activity_type": "FILL",
            "id": f"{local}::{state.new_id()}",
            "account_id": asset_id(state.key),
            "transaction_time": stamp(state.now),
            "type": event,
            "price": text(price),
            "qty": text(quantity),
            "side": "sell_short" if opens_short else order.side,
            "symbol": order.symbol,
            "leaves_qty": text(order.leaves),
            "order_id": order.id,
            "cum_qty": text(order.filled),
            "order_status": order.status,
        }
    )
