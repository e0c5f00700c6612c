"""Reconciliation of an account with its venue: every difference by name.

It looks and changes nothing. What the venue knows and the books do not, or the other way round, is a difference: an
order that works on one side only, a state, a filled quantity, an execution, a position, cash. RTS 6 Article 17 wants
this daily; `Account.reconcile` first takes in all news, so what is left is not a matter of time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from nt_ray.brokers.base import AmbiguousError, Broker, VenueOrder
from nt_ray.trader.books import Books
from nt_ray.trading.orders import Fill, Order, OrderStatus

CENT: Final = Decimal("0.01")
"""Cash that differs by less differs by how a venue rounds what a fraction of a share costs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which books and venue disagree."""

    kind: str
    """`dispute`, `order`, `filled`, `execution`, `position` or `cash`."""
    key: str
    """Client order id, execution id, symbol, currency, or name of what is disputed."""
    ours: str
    venue: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was compared at a time, and where both sides differ."""

    account: str
    time: datetime
    orders: int
    executions: int
    positions: int
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether both sides say the same."""
        return not self.differences


def reconcile(account: str, books: Books, broker: Broker, time: datetime) -> Reconciliation:
    """Compare books with the venue; raises what the venue's calls raise."""
    working = {order.client_order_id: order for order in broker.open_orders()}
    executions = executions_at(broker, books)
    found = (
        *_disputes(books),
        *_orders(books, broker, working),
        *_executions(books, executions),
        *_positions(books, broker.positions()),
        *_cash(books, broker),
    )
    return Reconciliation(account, time, len(books.orders), len(books.fills), len(books.ledger.positions()), found)


def _disputes(books: Books) -> Iterator[Difference]:
    for fact, dispute in books.disputes.items():
        status = books.order(dispute.client_order_id).status
        remedy = "Ask the venue what became of this order, adopt what it holds, then resume the symbol."
        yield Difference("dispute", fact, f"{dispute.client_order_id} is {status}", dispute.reason, remedy)


def _orders(books: Books, broker: Broker, working: dict[str, VenueOrder]) -> Iterator[Difference]:
    for client_order_id in working:
        ours = books.orders.get(client_order_id)
        if ours is None:
            remedy = "This order did not pass through the account. Cancel it at the venue."
            yield Difference("order", client_order_id, "unknown", "working", remedy)
        elif ours.status.is_final:
            remedy = "It should have ended. Cancel it at the venue."
            yield Difference("order", client_order_id, ours.status, "working", remedy)
    for client_order_id in books.open:
        order = books.orders[client_order_id]
        try:
            at_venue = working.get(client_order_id) or broker.order(client_order_id)
        except AmbiguousError as error:
            yield Difference("order", client_order_id, order.status, "in doubt", str(error))
        else:
            yield from _one_order(order, at_venue)


def _one_order(order: Order, at_venue: VenueOrder | None) -> Iterator[Difference]:
    client_order_id = order.request.client_order_id
    if at_venue is None:
        remedy = "The venue does not know it. Ask the venue, then cancel it here."
        yield Difference("order", client_order_id, order.status, "unknown", remedy)
        return
    if at_venue.status.is_final or order.status is OrderStatus.SUBMITTED:
        remedy = "Sync again; if it stays, ask the venue."
        yield Difference("order", client_order_id, order.status, at_venue.status, remedy)
    if at_venue.filled_quantity != order.filled_quantity:
        ours, theirs = str(order.filled_quantity), str(at_venue.filled_quantity)
        yield Difference("filled", client_order_id, ours, theirs, "Look for the executions that one side lacks.")


def executions_at(broker: Broker, books: Books) -> list[Fill]:
    """Executions at the venue that are to be compared: all, or those since the books took over what was before."""
    return broker.fills(books.oldest_execution)


def missing_executions(books: Books, at_venue: Iterable[Fill]) -> list[str]:
    """Ids of executions that the books lack, but those before they began and those that a person has adopted."""
    ours = {fill.execution_id for fill in books.fills}
    since = books.began if books.follows else None
    found = {fill.execution_id for fill in at_venue if since is None or fill.time >= since}
    return sorted(found - ours - books.passed.keys() - books.settled.keys())


def _executions(books: Books, fills: Sequence[Fill]) -> Iterator[Difference]:
    for execution_id in missing_executions(books, fills):
        remedy = "Sync again; if it stays, its order did not pass through the account."
        yield Difference("execution", execution_id, "missing", "booked", remedy)
    ours, at_venue = ({fill.execution_id for fill in booked} for booked in (books.fills, fills))
    for execution_id in sorted(ours - at_venue):
        yield Difference("execution", execution_id, "booked", "missing", "The venue may have busted it. Ask the venue.")


def _positions(books: Books, at_venue: dict[str, Decimal]) -> Iterator[Difference]:
    ours = {symbol: position.quantity for symbol, position in books.ledger.positions().items() if position.quantity}
    for symbol in sorted({*ours, *at_venue}):
        here, there = ours.get(symbol, Decimal(0)), at_venue.get(symbol, Decimal(0))
        if here != there:
            remedy = "Look for missing executions, corporate actions or trades outside this account."
            yield Difference("position", symbol, str(here), str(there), remedy)


def _cash(books: Books, broker: Broker) -> Iterator[Difference]:
    money = broker.account()
    if money is not None and abs(money.cash - books.ledger.cash) >= CENT:
        remedy = "Look for fees, interest, dividends or transfers that are not booked."
        yield Difference("cash", money.currency, str(books.ledger.cash), str(money.cash), remedy)
