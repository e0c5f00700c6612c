"""The past of an account: when each order changed, what it is linked to, what was booked, what the account was worth.

A fold over the events of the journal beside the books, made when somebody first asks. Changes of orders are numbered as
the journal numbers their events, so whoever has seen one knows where to go on; the newest of them are kept. It decides
nothing, and the way of an order does not pass here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID, uuid5

from nt_ray.market.bars import AssetClass
from nt_ray.trader.basket import Basket
from nt_ray.trader.books import Books
from nt_ray.trader.signed import Signed
from nt_ray.trader.worth import Worth
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, Order, OrderStatus

KEPT: Final = 10_000
"""Changes of orders that are kept for those who follow."""

_ORDERS: Final = UUID("0f5b2c2e-5d0b-4c7e-9f07-3f1d9a6b8f52")
_UNSEEN: Final = (OrderStatus.INITIALIZED, OrderStatus.DENIED)


def order_id(account: str, client_order_id: str) -> str:
    """Id of an order in the platform: of account and client id alone, so every process knows it."""
    return str(uuid5(_ORDERS, f"{account}/{client_order_id}"))


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order and when it changed; `replaced_by` is the client id of the order in its place."""

    id: str
    order: Order
    created_at: datetime
    updated_at: datetime
    filled_at: datetime | None = None
    canceled_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str = ""
    asset_class: AssetClass = AssetClass.EQUITY

    @property
    def name(self) -> str:
        """Client id."""
        return self.order.request.client_order_id


@dataclass(frozen=True, slots=True)
class Family:
    """An order with those that wait for it or exclude it; `waits`: its parent has not been filled yet."""

    record: OrderRecord
    order_class: str
    """simple, bracket, oto or oco."""
    legs: "tuple[Family, ...]" = ()
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One event of an order, the order after it, and the execution with the position it led to."""

    number: int
    event: str
    """Name of the event's class."""
    time: datetime
    family: Family
    fill: Fill | None = None
    position: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes after a number; `last` is the number to ask with next, `lost` how many before them are not kept."""

    changes: tuple[Change, ...]
    last: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill as it was booked: what its order had filled by then, and what was left."""

    fill: Fill
    cumulative: Decimal
    leaves: Decimal
    status: OrderStatus
    opens_short: bool


@dataclass(frozen=True, slots=True)
class Booking:
    """Money that moved without an order."""

    time: datetime
    id: str
    kind: str
    """deposit, withdrawal, transfer (of units), dividend, or the charge's own word."""
    amount: Decimal
    symbol: str = ""


class History:
    """The past of one account, for its one writer's thread; `classes` are those of its symbols."""

    def __init__(self, account: str, books: Books, classes: Mapping[str, AssetClass]) -> None:
        self.account = account
        self._classes = classes
        self.books = books
        self.number = 0
        self.began_at: datetime | None = None
        self.records: dict[str, OrderRecord] = {}
        self.signed = Signed()
        self.activities: list[Execution | Booking] = []
        self.worth = Worth()
        self.basket = Basket()
        self.levels = Worth()
        """Levels of the basket, at the times at which the account was marked."""
        self._names: dict[str, str] = {}
        self._linked: dict[str, list[str]] = {}
        self._groups: dict[str, list[str]] = {}
        self._changes: deque[Change] = deque(maxlen=KEPT)

    @classmethod
    def of(
        cls,
        account: str,
        events: Iterable[e.Event],
        books: Books,
        like: Callable[[], Books],
        classes: Mapping[str, AssetClass],
    ) -> "History":
        """Fold all events so far, then follow `books`, which stand after the last of them; `like` makes empty ones."""
        replayed = like()
        history = cls(account, replayed, classes)
        for event in events:
            replayed.apply(event)
            history.apply(event)
        history.books = books
        books.told = history.apply
        return history

    def apply(self, event: e.Event) -> None:
        """Fold one event in, after the books have."""
        self.number += 1
        self.began_at = self.began_at or event.time
        if isinstance(event, e.OrderInitialized):
            self._begin(event)
        elif isinstance(event, e.Marked):
            self.worth.note(event.time, self.books.equity)
            self.basket.mark(event.marks)
            self.levels.note(event.time, Decimal(repr(self.basket.level)))
        elif isinstance(event, e.Deposited):
            self.worth.deposited(event.time, self.books.equity)
            kind = "deposit" if event.amount > 0 else "withdrawal"
            self.activities.append(Booking(event.time, event.deposit_id, kind, event.amount))
        elif isinstance(event, a.DividendPaid):
            self.activities.append(Booking(event.time, event.action_id, "dividend", event.amount, event.symbol))
        elif isinstance(event, a.UnitsTransferred | a.CashTransferred):
            self._transferred(event)
        elif isinstance(event, a.Charged):
            self.activities.append(Booking(event.time, event.action_id, event.charge, -event.amount))
        elif isinstance(event, a.SplitApplied):
            self.basket.split(event.symbol, event.new, event.old)
        elif isinstance(event, a.SymbolChanged):
            self.basket.rename(event.symbol, event.into)
        elif isinstance(event, get_args(e.OrderEvent)):
            self._change(event)

    def _transferred(self, event: a.UnitsTransferred | a.CashTransferred) -> None:
        """Take note of what came in or went out without an order; units at what they are worth."""
        amount = a.capital_of(event)
        self.worth.deposited(event.time, self.books.equity)
        if isinstance(event, a.UnitsTransferred):
            self.activities.append(Booking(event.time, event.action_id, "transfer", amount, event.symbol))
        else:
            kind = "deposit" if amount > 0 else "withdrawal"
            self.activities.append(Booking(event.time, event.action_id, kind, amount))

    @property
    def newest(self) -> int:
        """Number of the last change that is kept; 0 where there is none."""
        return self._changes[-1].number if self._changes else 0

    def find(self, id_or_name: str) -> OrderRecord | None:
        """Order by the platform's id or its client id; None where there is none or it was denied."""
        record = self.records.get(self._names.get(id_or_name, id_or_name))
        return None if record is None or record.order.status in _UNSEEN else record

    def listed(self) -> list[OrderRecord]:
        """Orders that were let through, in order of entry."""
        return [record for record in self.records.values() if record.order.status not in _UNSEEN]

    def family(self, record: OrderRecord, *, nested: bool = True) -> Family:
        """An order, its class, and its legs where `nested`; replaced legs are left out, their replacements are not."""
        root = self._root(record)
        request = root.order.request
        children = self._linked.get(request.client_order_id, [])
        group = self._groups.get(request.oco_group, []) if request.oco_group and not request.parent else []
        parent = self.records.get(request.parent)
        waits = parent is not None and self._newest(parent).order.status is not OrderStatus.FILLED
        if parent is not None:
            kind = _by_count(self._linked[request.parent])
        elif children:
            kind = _by_count(children)
        else:
            kind = "oco" if len(group) > 1 else "simple"
        others = children or (group[1:] if kind == "oco" and group[0] == request.client_order_id else [])
        legs = (self._newest(self.records[name]) for name in others) if nested else ()
        return Family(record, kind, tuple(self.family(leg, nested=False) for leg in legs), waits)

    def head(self, record: OrderRecord) -> OrderRecord | None:
        """The order whose leg this one is; None where it is nobody's."""
        request = self._root(record).order.request
        group = self._groups.get(request.oco_group, []) if request.oco_group else []
        first = request.parent or (group[0] if group and group[0] != request.client_order_id else "")
        return self._newest(self.records[first]) if first in self.records else None

    def after(self, number: int) -> Changes:
        """Changes after a number, oldest first."""
        found: list[Change] = []
        for change in reversed(self._changes):
            if change.number <= number:
                break
            found.append(change)
        is_cut = len(self._changes) == KEPT and len(found) == KEPT
        lost = self._changes[0].number - 1 - number if is_cut else 0
        return Changes(tuple(reversed(found)), self.number, lost)

    def _begin(self, event: e.OrderInitialized) -> None:
        request, time = event.request, event.time
        name = request.client_order_id
        kind = self._classes.get(request.symbol, AssetClass.EQUITY)
        record = OrderRecord(order_id(self.account, name), self.books.orders[name], time, time, asset_class=kind)
        self.records[name] = record
        self._names[record.id] = name
        self.signed.enter(request.strategy, time)
        self.signed.change(request.strategy, OrderStatus.INITIALIZED, record.order.status)
        if request.parent:
            self._linked.setdefault(request.parent, []).append(name)
        elif request.oco_group:
            self._groups.setdefault(request.oco_group, []).append(name)

    def _change(self, event: e.OrderEvent) -> None:
        name = event.client_order_id
        before, order = self.records[name], self.books.orders[name]
        if order == before.order and isinstance(event, e.OrderFilled):
            # An execution that was booked before.
            return
        after = replace(before, order=order, updated_at=event.time, **_times(event, order))
        self.records[name] = after
        self.signed.change(order.request.strategy, before.order.status, order.status)
        if order.status is OrderStatus.DENIED:
            return
        fill, position = None, None
        if isinstance(event, e.OrderFilled):
            fill, position = event.fill, self.books.ledger.position(event.fill.symbol).quantity
            self.activities.append(_execution(event.fill, order, position))
        told = self.family(after)
        self._changes.append(Change(self.number, type(event).__name__, event.time, told, fill, position))

    def _root(self, record: OrderRecord) -> OrderRecord:
        """The first of the orders that replaced each other up to this one: it has the links."""
        while record.order.request.replaces in self.records:
            record = self.records[record.order.request.replaces]
        return record

    def _newest(self, record: OrderRecord) -> OrderRecord:
        while record.replaced_by in self.records:
            record = self.records[record.replaced_by]
        return record


def _by_count(children: Sequence[str]) -> str:
    return "bracket" if len(children) > 1 else "oto"


def _times(event: e.OrderEvent, order: Order) -> dict[str, Any]:
    if isinstance(event, e.OrderFilled):
        return {"filled_at": event.time} if order.status is OrderStatus.FILLED else {}
    if isinstance(event, e.OrderReplaced):
        return {"replaced_at": event.time, "replaced_by": event.by}
    if isinstance(event, e.OrderFound):
        return {"failed_at": None, "canceled_at": None}
    if isinstance(event, e.OrderGivenUp):
        return {"failed_at" if order.status is OrderStatus.REJECTED else "canceled_at": event.time}
    name = _ENDINGS.get(type(event))
    return {} if name is None else {name: event.time}


_ENDINGS: Final[dict[type, str]] = {
    e.OrderCanceled: "canceled_at",
    e.OrderExpired: "expired_at",
    e.OrderRejected: "failed_at",
    e.OrderDenied: "failed_at",
}


def _execution(fill: Fill, order: Order, position: Decimal) -> Execution:
    leaves = order.remaining if fill.leaves is None else fill.leaves
    return Execution(fill, order.filled_quantity, leaves, order.status, fill.side.sign < 0 and position < 0)
