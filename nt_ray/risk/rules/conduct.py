"""Rules about how an account behaves over time, for every order: message rate, executions, trades with itself."""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.base import Denial, Question
from nt_ray.trading.orders import BUY, LIMIT, MARKET, SELL, OrderRequest, OrderStatus, Side


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
    """No order may meet an order of the same account; the newer one is refused."""

    name: ClassVar[str] = "self_trade"

    def check(self, q: Question) -> Denial | None:
        """Look for a resting order of the other side at a price that would trade."""
        request = q.request
        sign = q.sign
        resting = q.view.resting(request.symbol, SELL if sign > 0 else BUY)
        own = _price(request, q.mark) if resting else None
        if own is None:
            return None
        for order in resting:
            other = order.request
            if other.client_order_id == request.replaces or _waits(q, other):
                continue
            price = _price(other, q.mark)
            if price is not None and sign * own >= sign * price and order.status is not OrderStatus.PENDING_CANCEL:
                sentence = (
                    f"{request.client_order_id}: {request.side} at {own} would meet this account's own order "
                    f"{other.client_order_id} at {price}. Cancel that one first."
                )
                return Denial(self.name, str(price), str(own), sentence)
        return None


def _price(request: OrderRequest, mark: Decimal) -> Decimal | None:
    """Price at which an order would trade now; None for one that waits for its stop."""
    if request.type is MARKET:
        return mark
    return request.limit_price if request.type is LIMIT else None


def _waits(q: Question, other: OrderRequest) -> bool:
    """Whether an order does not work yet, because its parent has not filled."""
    if not other.parent:
        return False
    orders = (order for side in Side for order in q.view.resting(other.symbol, side))
    return any(o.request.client_order_id == other.parent and not o.filled_quantity for o in orders)
