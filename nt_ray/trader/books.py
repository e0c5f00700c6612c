"""The state of one account: a fold over the events of its journal, and nothing else.

Orders, ledger, exposure, marks, breaker, kill switches and counters change only through `apply`, so an
account built from its journal is equal to the one that wrote it. The one thing that is not an event is `now`,
the time of the call. It satisfies `nt_ray.risk.rules.AccountView` and knows neither broker nor file.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from nt_ray.errors import TradingError
from nt_ray.risk.breaker import Breaker
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.rules import Content, content
from nt_ray.trading import events as e
from nt_ray.trading.ledger import Ledger
from nt_ray.trading.lifecycle import apply, open_order
from nt_ray.trading.orders import Fill, Order, OrderRequest

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownOrderError(TradingError):
    """An event or a call that names an order this account does not have."""

    def __init__(self, client_order_id: str) -> None:
        super().__init__(
            f"This account has no order {client_order_id!r}. Check the client id; orders at the venue that "
            "did not pass through this account must be closed there."
        )


class Books:
    """State of one account."""

    def __init__(self, currency: str = "USD") -> None:
        self.now = _BEGINNING
        self.time = _BEGINNING
        self.marked_at: datetime | None = None
        self.ledger = Ledger(currency)
        self.exposure = Exposure()
        self.breaker = Breaker()
        self.orders: dict[str, Order] = {}
        self.open: dict[str, None] = {}
        """Ids of orders the venue may hold, in order of entry."""
        self.fills: list[Fill] = []
        self.recent: tuple[Fill, ...] = ()
        """Fills taken in by the last sync."""
        self.marks: dict[str, Decimal] = {}
        self.equity = Decimal(0)
        self.deposits: dict[str, Decimal] = {}
        self.halts: dict[str, str] = {}
        self.denials: Counter[str] = Counter()
        self._since_mark = 0
        self._sent: dict[Content, datetime] = {}
        self._reserved: dict[Content, datetime] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            e.OrderInitialized: self._initialized,
            e.OrderDenied: self._denied,
            e.OrderSubmitted: self._submitted,
            e.OrderFilled: self._filled,
            e.RequestRefused: self._refused,
            e.EpochStarted: self._nothing,
            e.Deposited: self._deposited,
            e.Marked: self._marked,
            e.BreakerTripped: self._tripped,
            e.BreakerReset: self._reset,
            e.KillSwitchSet: self._halted,
            e.KillSwitchCleared: self._resumed,
        }

    @property
    def tripped(self) -> frozenset[str]:
        """Breaker rules that have tripped."""
        return self.breaker.tripped

    @property
    def halted(self) -> frozenset[str]:
        """Scopes whose kill switch is set."""
        return frozenset(self.halts)

    def knows(self, client_order_id: str) -> bool:
        """Whether an order with this id exists."""
        return client_order_id in self.orders

    def last_sent(self, what: Content) -> datetime | None:
        """When an equal order was last let through."""
        return self._reserved.get(what) or self._sent.get(what)

    def order(self, client_order_id: str) -> Order:
        """Order under an id; `UnknownOrderError` where there is none."""
        order = self.orders.get(client_order_id)
        if order is None:
            raise UnknownOrderError(client_order_id)
        return order

    def reserve(self, request: OrderRequest) -> None:
        """Count a request as open and sent before it is journalled, until `release`."""
        self.exposure.open(request.symbol, request.side.sign, request.quantity)
        self._reserved[content(request)] = self.now

    def release(self, requests: Iterable[OrderRequest]) -> None:
        """Take reservations back."""
        for request in requests:
            self.exposure.open(request.symbol, request.side.sign, -request.quantity)
        self._reserved.clear()

    def apply(self, event: e.Event) -> None:
        """Fold one event in; raises where it contradicts the state."""
        self._handlers.get(type(event), self._changed)(event)
        if event.time > self.time:
            self.time = event.time

    def _initialized(self, event: e.OrderInitialized) -> None:
        if event.client_order_id in self.orders:
            raise TradingError(f"Order {event.client_order_id} begins twice. Restore the journal from a copy.")
        self.orders[event.client_order_id] = open_order(event)

    def _denied(self, event: e.OrderDenied) -> None:
        self._step(event)
        self.denials[event.rule] += 1

    def _submitted(self, event: e.OrderSubmitted) -> None:
        order = self._step(event)
        request = order.request
        self.open[event.client_order_id] = None
        self.exposure.open(request.symbol, request.side.sign, request.quantity)
        self._sent[content(request)] = event.time

    def _changed(self, event: e.OrderEvent) -> None:
        before = self.order(event.client_order_id)
        after = self._step(event)
        if after.status.is_final:
            self._close(after, before.remaining)

    def _filled(self, event: e.OrderFilled) -> None:
        fill = event.fill
        before = self.order(fill.client_order_id)
        after = apply(before, event)
        if after is before:
            return
        self.ledger.fill(fill)
        self.orders[fill.client_order_id] = after
        self.fills.append(fill)
        self.marks.setdefault(fill.symbol, fill.price)
        self.exposure.move(fill.symbol, self.ledger.position(fill.symbol).quantity)
        if not before.status.is_final:
            self.exposure.open(fill.symbol, fill.side.sign, -fill.quantity)
            if after.status.is_final:
                self._close(after, after.request.quantity - after.filled_quantity)

    def _step(self, event: e.OrderEvent) -> Order:
        order = apply(self.order(event.client_order_id), event)
        self.orders[event.client_order_id] = order
        return order

    def _close(self, order: Order, left: Decimal) -> None:
        """Release the exposure that an order no longer holds."""
        del self.open[order.request.client_order_id]
        if left:
            self.exposure.open(order.request.symbol, order.request.side.sign, -left)

    def _refused(self, event: e.RequestRefused) -> None:
        self.denials[event.rule] += 1

    def _deposited(self, event: e.Deposited) -> None:
        self.ledger.deposit(event.deposit_id, event.amount)
        self.deposits[event.deposit_id] = event.amount
        self.equity += event.amount
        self.breaker = self.breaker.deposit(event.amount)

    def _marked(self, event: e.Marked) -> None:
        self.breaker = self.breaker.begin_day(event.time, self.equity)
        self.exposure.mark(event.marks)
        # A price that is not usable closes the gate for its symbol; equity keeps the last one that was.
        self.marks.update({s: price for s, price in event.marks.items() if price.is_finite() and price > 0})
        self.equity = self.ledger.equity(self.marks)
        self.breaker = self.breaker.mark(self.equity)
        self.marked_at = event.time
        self.recent = tuple(self.fills[self._since_mark :])
        self._since_mark = len(self.fills)

    def _tripped(self, event: e.BreakerTripped) -> None:
        self.breaker = self.breaker.trip(event.rule)

    def _reset(self, _: e.BreakerReset) -> None:
        self.breaker = self.breaker.reset(self.equity)

    def _halted(self, event: e.KillSwitchSet) -> None:
        self.halts[event.scope] = f"{event.who}: {event.reason}"

    def _resumed(self, event: e.KillSwitchCleared) -> None:
        self.halts.pop(event.scope, None)

    def _nothing(self, event: e.EpochStarted) -> None:
        """An epoch changes who writes, not what is."""
