"""Rules about how an account behaves over time, for every order: message rate, executions, trades with itself."""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Final

from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.base import Denial, Question
from nt_ray.trading.orders import BUY, SELL, OrderRequest, OrderType, Side

_TRAILING_STOP: Final = OrderType.TRAILING_STOP
_LOWEST, _HIGHEST = Decimal("-Infinity"), Decimal("Infinity")


class MessageRate:
    """Messages of the account, and of one strategy, within a sliding window; whatever was sent counts."""

    name: ClassVar[str] = "message_rate"

    def __init__(self, limits: RiskLimits) -> None:
        self._window = timedelta(seconds=float(limits.exact("message_window_s")))
        self._most = limits.max_messages
        self._most_of_strategy = limits.max_strategy_messages

    def check(self, q: Question) -> Denial | None:
        """Count messages back from now."""
        flow, strategy, now, window = q.view.flow, q.request.strategy, q.view.now, self._window
        if self._most is not None and flow.is_busy("", self._most, now, window):
            return self._denial(q, self._most, "the account")
        if self._most_of_strategy is not None and flow.is_busy(strategy, self._most_of_strategy, now, window):
            return self._denial(q, self._most_of_strategy, strategy)
        return None

    def _denial(self, q: Question, most: int, who: str) -> Denial:
        seconds = f"{self._window.total_seconds():g}"
        sentence = f"{q.request.client_order_id}: {who} has sent {most} messages within {seconds} s. Wait."
        return Denial(self.name, str(most), str(most + 1), sentence)


class SelfTrade:
    """No order may meet an order of the same account; the newer one is refused.

    A market order meets whatever limit order rests, at any price: how far it will have to go is not known before. A
    stop meets those from its trigger on. What the venue is asked to cancel rests until it says that it is cancelled.
    """

    name: ClassVar[str] = "self_trade"

    def check(self, q: Question) -> Denial | None:
        """Look for a resting order of the other side that this one could trade with."""
        request, mark = q.request, q.mark
        resting = q.view.resting(request.symbol, SELL if q.sign > 0 else BUY)
        if not resting:
            return None
        own = Reach(request, mark)
        parent = _parent(q)
        for order in resting:
            other = order.request
            if other.client_order_id in (request.replaces, parent) or _waits(q, other):
                continue
            theirs = Reach(other, mark)
            if own.meets(theirs):
                price = f"at {theirs}" if theirs.rests_at is not None else f"({theirs})"
                sentence = (
                    f"{request.client_order_id}: {request.side} {own} could meet this account's own order "
                    f"{other.client_order_id} {price}. Cancel that one first."
                )
                return Denial(self.name, str(theirs), str(own), sentence)
        return None


class Reach:
    """Prices at which an order may trade with orders that rest, and the one at which it rests itself.

    low, high  bounds of those prices, times the order's sign: a buy takes what is offered up to `high`.
    rests_at   None where it does not rest: it trades at once, or waits for its stop.
    is_taking  whether it trades at once, at any price.
    """

    __slots__ = ("high", "is_taking", "low", "request", "rests_at", "sign")

    def __init__(self, request: OrderRequest, mark: Decimal) -> None:
        self.request = request
        self.sign = sign = request.side.sign
        stop, limit = request.stop_price, request.limit_price
        waits = stop is not None and sign * mark < sign * stop
        # A stop waits for a price beyond which nothing of the other side rests any more; a trailing one for any.
        self.low = sign * stop if stop is not None and waits else _LOWEST
        self.high = _HIGHEST if limit is None else sign * limit
        self.rests_at = None if waits else limit
        self.is_taking = limit is None and not waits and request.type is not _TRAILING_STOP

    def meets(self, other: "Reach") -> bool:
        """Whether the two, of opposite sides, could trade with each other."""
        return self._takes(other) or other._takes(self) or (self.is_taking and other.is_taking)

    def _takes(self, other: "Reach") -> bool:
        return other.rests_at is not None and self.low <= self.sign * other.rests_at <= self.high

    def __str__(self) -> str:
        request = self.request
        return str(request.limit_price or request.stop_price or request.type)


def _parent(q: Question) -> str:
    """Client id of the order whose fills set this one, or the one that it replaces, to work."""
    request = q.request
    if request.parent or not request.replaces:
        return request.parent
    own = (order.request for order in q.view.resting(request.symbol, request.side))
    return next((r.parent for r in own if r.client_order_id == request.replaces), "")


def _waits(q: Question, other: OrderRequest) -> bool:
    """Whether an order does not work yet, because its parent has not filled."""
    if not other.parent:
        return False
    orders = (order for side in Side for order in q.view.resting(other.symbol, side))
    return any(o.request.client_order_id == other.parent and not o.filled_quantity for o in orders)
