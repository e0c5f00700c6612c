"""Cash, positions and buying power of the simulated account: margin of two to one, orders at three percent above."""

from decimal import Decimal
from typing import Final

from nt_ray.brokers.alpaca.simulator.model import ZERO, Order, Position, State

_LEVERAGE: Final = 2
_COLLAR: Final = Decimal("1.03")
"""What a market order or a short sale may cost beyond the quote."""


def market_value(state: State, sign: int) -> Decimal:
    """Signed value of all long (+1) or all short (-1) positions."""
    held = ((symbol, p.quantity) for symbol, p in state.positions.items() if p.quantity * sign > 0)
    return sum((quantity * state.quotes[symbol].last for symbol, quantity in held), ZERO)


def equity(state: State) -> Decimal:
    """Cash and the value of all positions."""
    return state.cash + market_value(state, 1) + market_value(state, -1)


def buying_power(state: State) -> Decimal:
    """What may still be bought or sold short."""
    invested = market_value(state, 1) - market_value(state, -1)
    reserved = sum((cost(state, order) for order in state.orders.values() if _reserves(order)), ZERO)
    return max(_LEVERAGE * equity(state) - invested - reserved, ZERO)


def _reserves(order: Order) -> bool:
    """Whether an order counts: legs only close what their head opens."""
    return order.is_working and order.role not in ("take_profit", "stop_loss")


def cost(state: State, order: Order) -> Decimal:
    """What an order takes of the buying power: the part of it that opens a position."""
    quote = state.quotes[order.symbol]
    if order.notional is not None:
        return order.notional - order.filled_value if order.side == "buy" else ZERO
    held = state.positions.get(order.symbol, Position()).quantity
    opening = order.leaves if held * order.sign >= 0 else max(order.leaves - abs(held), ZERO)
    if order.side == "sell":
        return opening * max(order.limit_price or ZERO, quote.ask * _COLLAR)
    price = order.limit_price or (order.stop_price or quote.ask) * _COLLAR
    return opening * price


def held_for_orders(state: State, symbol: str) -> Decimal:
    """Quantity of a long position that working sell orders already claim; a group claims once."""
    claims = (o for o in state.orders.values() if o.symbol == symbol and o.side == "sell" and o.is_working)
    groups: dict[str, Decimal] = {}
    for order in claims:
        head = state.orders.get(order.head)
        if head is not None and head.side == "buy" and head.is_working:
            continue
        group = order.head or order.id
        groups[group] = max(groups.get(group, ZERO), order.leaves)
    return sum(groups.values(), ZERO)


def book(state: State, order: Order, quantity: Decimal, price: Decimal) -> Decimal:
    """Book an execution; return the signed position after it."""
    signed = quantity * order.sign
    position = state.positions.setdefault(order.symbol, Position())
    state.cash -= signed * price
    after = position.quantity + signed
    if position.quantity * signed >= 0:
        position.average = (position.quantity * position.average + signed * price) / after
    elif after * position.quantity < 0:
        position.average = price
    position.quantity = after
    if not after:
        del state.positions[order.symbol]
    return after
