"""The state of one account: a fold over the events of its journal, and nothing else.

Orders, ledger, exposure, marks, breaker, kill switches and counters change only through `apply`, so an
account built from its journal is equal to the one that wrote it. The one thing that is not an event is `now`,
the time of the call. It satisfies `nt_ray.risk.rules.AccountView` and knows neither broker nor file.
"""

from collections import ChainMap, Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any, Final, get_args

from nt_ray.errors import TradingError
from nt_ray.risk.breaker import Breaker, BreakerState
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.flow import Flow
from nt_ray.risk.heat import protection
from nt_ray.risk.references import References
from nt_ray.risk.rules.base import Content, content
from nt_ray.trader.claims import Claims
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.ledger import Ledger
from nt_ray.trading.lifecycle import apply, open_order
from nt_ray.trading.lots import QUANTUM, ZERO, LotMethod
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus, Side

_BY_HAND: Final = "daily_loss_by_hand"
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(days=1)
"""More than the clock of a venue may differ from this one."""


class UnknownOrderError(TradingError):
    """An event or a call that names an order this account does not have."""

    def __init__(self, client_order_id: str) -> None:
        super().__init__(
            f"This account has no order {client_order_id!r}. Check the client id; orders at the venue that "
            "did not pass through this account must be closed there."
        )


class Books:
    """State of one account."""

    def __init__(
        self, currency: str = "USD", *, daily_loss_by_hand: bool = False, lots: LotMethod = LotMethod.AVERAGE
    ) -> None:
        self._by_hand = daily_loss_by_hand
        self.now = _BEGINNING
        self.time = _BEGINNING
        self.marked_at: datetime | None = None
        self.began: datetime | None = None
        """When the journal began."""
        self.ledger = Ledger(currency, lots)
        self.exposure = Exposure()
        self.claims = Claims()
        self.breaker = Breaker()
        self.flow = Flow()
        self.references = References()
        self.orders: dict[str, Order] = {}
        self.open: dict[str, None] = {}
        """Ids of orders the venue may hold, in order of entry."""
        self.given_up: dict[str, datetime] = {}
        """Ids of orders that are taken as never arrived, and since when."""
        self.disputes: dict[str, e.FactDisputed] = {}
        """By name, what the venue told and cannot be."""
        self.settled: dict[str, None] = {}
        """Names of what was disputed and a person has looked at."""
        self.passed: dict[str, None] = {}
        """Ids of what the venue booked without an order and the books never will."""
        self.follows = False
        """Whether what the venue books without an order is booked here."""
        self.fills: list[Fill] = []
        self.recent: tuple[Fill, ...] = ()
        """Fills taken in by the last sync."""
        self.marks: dict[str, Decimal] = {}
        self.equity = Decimal(0)
        self.deposits: dict[str, Decimal] = {}
        self.actions: dict[str, a.Action] = {}
        """By id, what changed the books without an order."""
        self.halts: dict[str, str] = {}
        self.limit_changes: dict[str, e.LimitsChanged] = {}
        """By limit, the change that is in force."""
        self.denials: Counter[str] = Counter()
        self.told: Callable[[e.Event], None] | None = None
        """Is told of each event after it was folded in."""
        self._since_mark = 0
        self._resting: dict[Side, dict[str, dict[str, None]]] = {side: {} for side in Side}
        self._pending: dict[str, Order] = {}
        self._sent: dict[Content, datetime] = {}
        self._reserved: dict[Content, datetime] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            e.OrderInitialized: self._initialized,
            e.OrderDenied: self._denied,
            e.OrderSubmitted: self._submitted,
            e.OrderFilled: self._filled,
            e.OrderGivenUp: self._given_up,
            e.OrderFound: self._found,
            e.FactDisputed: self._disputed,
            e.DisputesSettled: self._settled,
            e.ActivitiesPassed: self._passed,
            e.RequestRefused: self._refused,
            e.EpochStarted: self._taken_over,
            e.Deposited: self._deposited,
            **dict.fromkeys(get_args(a.Action), self._acted),
            a.LotsNamed: self._lots_named,
            e.Marked: self._marked,
            e.BreakerTripped: self._tripped,
            e.BreakerHalfOpened: self._halved,
            e.BreakerReset: self._reset,
            e.LimitsChanged: self._limits_changed,
            e.LimitsReverted: self._limits_reverted,
            e.KillSwitchSet: self._halted,
            e.KillSwitchCleared: self._resumed,
        }

    @property
    def tripped(self) -> frozenset[str]:
        """Breaker rules that have tripped."""
        return self.breaker.tripped

    @property
    def breaker_state(self) -> BreakerState:
        """State of the loss breaker."""
        return self.breaker.state

    @property
    def oldest_execution(self) -> datetime | None:
        """No execution of this account is older at a venue that keeps books of its own, whose past may be long."""
        return self.began - _CLOCKS_DIFFER if self.follows and self.began is not None else None

    @property
    def _stays_tripped(self) -> bool:
        """Whether a daily loss stops trading until a person resets it: an audited change goes before the setting."""
        change = self.limit_changes.get(_BY_HAND)
        return self._by_hand if change is None else change.changes[_BY_HAND] == "true"

    @property
    def halted(self) -> Collection[str]:
        """Scopes whose kill switch is set."""
        return self.halts

    def knows(self, client_order_id: str) -> bool:
        """Whether an order with this id exists."""
        return client_order_id in self.orders

    def resting(self, symbol: str, side: Side) -> list[Order]:
        """Orders in a symbol, of one side, that the venue may hold, in order of entry."""
        ids = self._resting[side].get(symbol)
        return [self.orders.get(i) or self._pending[i] for i in ids] if ids else []

    def last_sent(self, what: Content) -> datetime | None:
        """When an equal order was last let through."""
        return (self._reserved.get(what) if self._reserved else None) or self._sent.get(what)

    def order(self, client_order_id: str) -> Order:
        """Order under an id; `UnknownOrderError` where there is none."""
        order = self.orders.get(client_order_id)
        if order is None:
            raise UnknownOrderError(client_order_id)
        return order

    def reserve(self, request: OrderRequest) -> None:
        """Count a request as open and sent before it is journalled, until `release`."""
        self._reserved[content(request)] = self.now
        order = self._pending[request.client_order_id] = Order(request, OrderStatus.SUBMITTED)
        self.claims.enter(request, self._known)
        self.claims.count(order, self._known, self.exposure)
        self._rest(request)
        self.flow.sent(request.strategy, self.now)

    def release(self, requests: Sequence[OrderRequest]) -> None:
        """Take reservations back."""
        for request in reversed(requests):
            self._pending[request.client_order_id] = ended = Order(request, OrderStatus.DENIED)
            self.claims.count(ended, self._known, self.exposure)
            self.claims.leave(request, self._known)
            del self._pending[request.client_order_id]
            self._reserved.pop(content(request), None)
            del self._resting[request.side][request.symbol][request.client_order_id]
            self.flow.unsent(request.strategy, 1)
        self.claims.changed.clear()

    @contextmanager
    def supposing(self, request: OrderRequest) -> Iterator[None]:
        """Show the exposure as it is when an order may trade: its reserved parent filled, what it rivals away."""
        parent = self._pending.get(request.parent)
        if parent is not None:
            self._suppose(parent.with_(status=OrderStatus.FILLED, filled_quantity=parent.request.quantity), 1)
        held = self.claims.held
        rivals = [i for i in self.claims.rivals(request, self._known) if i in held]
        for rival in rivals:
            self.exposure.open(request.symbol, request.side.sign, -held[rival])
        try:
            yield
        finally:
            for rival in rivals:
                self.exposure.open(request.symbol, request.side.sign, held[rival])
            if parent is not None:
                self._suppose(parent, -1)

    @property
    def _known(self) -> Mapping[str, Order]:
        """Orders with those that are only reserved."""
        return ChainMap(self._pending, self.orders)

    def _suppose(self, order: Order, sign: int) -> None:
        """Put a reserved order into a state, and the position to where that brings it."""
        request = order.request
        self._pending[request.client_order_id] = order
        position = self.exposure.peek(request.symbol).position
        self.exposure.move(request.symbol, position + sign * request.side.sign * request.quantity)
        self.claims.count(order, self._known, self.exposure)

    def apply(self, event: e.Event) -> None:
        """Fold one event in; raises where it contradicts the state."""
        self._handlers.get(type(event), self._changed)(event)
        if self.claims.changed:
            self._reserve_money()
        if event.time > self.time:
            self.time = event.time
        if self.told is not None:
            self.told(event)

    def _initialized(self, event: e.OrderInitialized) -> None:
        if event.client_order_id in self.orders:
            raise TradingError(f"Order {event.client_order_id} begins twice. Restore the journal from a copy.")
        self.orders[event.client_order_id] = open_order(event)

    def _denied(self, event: e.OrderDenied) -> None:
        self._step(event)
        self.denials[event.rule] += 1

    def _submitted(self, event: e.OrderSubmitted) -> None:
        order = self._step(event)
        self._enter(order)
        self.flow.sent(order.request.strategy, event.time)
        self._sent[content(order.request)] = event.time

    def _given_up(self, event: e.OrderGivenUp) -> None:
        self._changed(event)
        self.given_up[event.client_order_id] = event.time

    def _found(self, event: e.OrderFound) -> None:
        self._enter(self._step(event))
        self.given_up.pop(event.client_order_id, None)

    def _disputed(self, event: e.FactDisputed) -> None:
        self.disputes[event.fact] = event

    def _settled(self, event: e.DisputesSettled) -> None:
        for fact in event.facts:
            self.disputes.pop(fact, None)
            self.settled[fact] = None

    def _passed(self, event: e.ActivitiesPassed) -> None:
        self.follows = True
        self.passed.update(dict.fromkeys(event.ids))

    def _enter(self, order: Order) -> None:
        """Count an order that the venue may hold."""
        request = order.request
        self.open[request.client_order_id] = None
        self._rest(request)
        if request.stop_price is not None:
            self._protect(request.symbol)
        self.claims.enter(request, self.orders)
        self.claims.count(order, self.orders, self.exposure)

    def _changed(self, event: e.OrderEvent) -> None:
        after = self._step(event)
        if isinstance(event, (e.PendingCancel, e.PendingReplace)):
            self.flow.sent(after.request.strategy, event.time)
        if after.status.is_final:
            self._close(after)
        if after.request.stop_price is not None:
            self._protect(after.request.symbol)

    def _filled(self, event: e.OrderFilled) -> None:
        fill = event.fill
        before = self.order(fill.client_order_id)
        after = apply(before, event)
        if after is before:
            return
        self.ledger.fill(fill)
        self.disputes.pop(fill.execution_id, None)
        self.orders[fill.client_order_id] = after
        self.fills.append(fill)
        self.flow.filled(after.request.strategy, event.time)
        self.marks.setdefault(fill.symbol, fill.price)
        self.exposure.move(fill.symbol, self.ledger.position(fill.symbol).quantity)
        if after.status.is_final and not before.status.is_final:
            self._close(after)
        else:
            count = self.claims.close if after.status.is_final else self.claims.count
            count(after, self.orders, self.exposure)
        if after.request.stop_price is not None:
            self._protect(fill.symbol)

    def _step(self, event: e.OrderEvent) -> Order:
        order = apply(self.order(event.client_order_id), event)
        self.orders[event.client_order_id] = order
        return order

    def _close(self, order: Order) -> None:
        """Release what an order no longer holds."""
        del self.open[order.request.client_order_id]
        del self._resting[order.request.side][order.request.symbol][order.request.client_order_id]
        self.claims.close(order, self.orders, self.exposure)

    def _reserve_money(self) -> None:
        """Set in the ledger what open orders hold: what they may still trade, at their price or else the mark."""
        for client_order_id in self.claims.changed:
            request = self.orders[client_order_id].request
            price = request.limit_price or request.stop_price or self.marks.get(request.symbol, ZERO)
            money = self.claims.held.get(client_order_id, ZERO) * price
            self.ledger.reserve(client_order_id, money.quantize(QUANTUM, ROUND_UP))
        self.claims.changed.clear()

    def _protect(self, symbol: str) -> None:
        """Tell the exposure which stops work in a symbol."""
        stops = [o for side in Side for o in self.resting(symbol, side) if o.request.stop_price is not None]
        self.exposure.protect(symbol, (protection(o.request, o.remaining) for o in stops))

    def _rest(self, request: OrderRequest) -> None:
        self._resting[request.side].setdefault(request.symbol, {})[request.client_order_id] = None

    def _refused(self, event: e.RequestRefused) -> None:
        self.denials[event.rule] += 1

    def _deposited(self, event: e.Deposited) -> None:
        self.ledger.deposit(event.deposit_id, event.amount)
        self.deposits[event.deposit_id] = event.amount
        self.equity += event.amount
        self.breaker = self.breaker.deposit(event.amount)

    def _acted(self, event: a.Action) -> None:
        a.book(self.ledger, event)
        self.actions[event.action_id] = event
        moved = a.marks_after(event, self.marks)
        self.marks.update(moved)
        self.exposure.mark(moved)
        capital = a.capital_of(event)
        if capital:
            self.equity += capital
            self.breaker = self.breaker.deposit(capital)
        for symbol in a.symbols_of(event):
            self.exposure.move(symbol, self.ledger.position(symbol).quantity)

    def _lots_named(self, event: a.LotsNamed) -> None:
        a.book(self.ledger, event)

    def _marked(self, event: e.Marked) -> None:
        self.breaker = self.breaker.begin_day(event.time, self.equity, by_hand=self._stays_tripped)
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

    def _halved(self, _: e.BreakerHalfOpened) -> None:
        self.breaker = self.breaker.halve()

    def _reset(self, _: e.BreakerReset) -> None:
        self.breaker = self.breaker.reset(self.equity)

    def _halted(self, event: e.KillSwitchSet) -> None:
        self.halts[event.scope] = f"{event.who}: {event.reason}"

    def _resumed(self, event: e.KillSwitchCleared) -> None:
        self.halts.pop(event.scope, None)
        kind, _, name = event.scope.partition(":")
        if kind == "strategy":
            self.flow.restart(name)

    def _limits_changed(self, event: e.LimitsChanged) -> None:
        self.limit_changes.update(dict.fromkeys(event.changes, event))

    def _limits_reverted(self, event: e.LimitsReverted) -> None:
        for name in event.names:
            self.limit_changes.pop(name, None)

    def _taken_over(self, event: e.EpochStarted) -> None:
        """An epoch changes who writes, not what is; the first one is the beginning."""
        self.began = self.began or event.time
