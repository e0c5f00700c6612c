"""Heat: what is lost if every position is stopped out. What no stop order protects is at risk as a whole."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from nt_ray.trading.orders import OrderRequest

ZERO: Final = Decimal(0)


class Stop(NamedTuple):
    """A stop order as protection: which side it trades (+1 buys), at which price, how much."""

    sign: int
    price: Decimal
    quantity: Decimal


def protection(request: OrderRequest, quantity: Decimal | None = None) -> Stop:
    """Return the protection that an order with a stop price gives, for what is left of it."""
    price = request.stop_price if request.stop_price is not None else ZERO
    return Stop(request.side.sign, price, request.quantity if quantity is None else quantity)


def at_risk(position: Decimal, mark: Decimal, stops: Sequence[Stop]) -> Decimal:
    """Loss of a signed position at this mark once its stops have been met.

    Only stops of the other side protect it. Those farthest from the mark count first, so that a position smaller than
    its stops is not flattered.
    """
    if not stops or not position:
        return abs(position) * mark
    sign = 1 if position > 0 else -1
    left, loss = abs(position), ZERO
    for stop in sorted((s for s in stops if s.sign == -sign), key=lambda s: sign * s.price):
        covered = min(left, stop.quantity)
        loss += covered * max(sign * (mark - stop.price), ZERO)
        left -= covered
    return loss + left * mark
