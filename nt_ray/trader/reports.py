"""What an account tells: a report on each order, and its state at a moment. Frozen, made to be sent away."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from nt_ray.risk.rules.base import Denial
from nt_ray.trader.books import Books
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus, from_wire
from nt_ray.trading.verdict import Verdict


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as it stands. `rule` names what denied it.

    `not_sent` says that it certainly never reached the venue, so the same intent may go another way. A report
    with the status SUBMITTED is in doubt: the venue may hold the order, and it must not go another way. `verdict` is
    what the venue said where it refused.
    """

    request: OrderRequest
    status: OrderStatus
    filled_quantity: Decimal = Decimal(0)
    venue_order_id: str = ""
    rule: str = ""
    reason: str = ""
    not_sent: bool = False
    verdict: Verdict | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        told = (self.venue_order_id, self.rule, self.reason, self.not_sent, self.verdict)
        return _report_from_wire, (str(self.status), str(self.filled_quantity), *told, *self.request.wire())


def _report_from_wire(status: str, filled: str, *values: Any) -> OrderReport:
    told, request = values[:5], values[5:]
    return OrderReport(from_wire(*request), _STATUSES[status], Decimal(filled), *told)


_STATUSES: Final = {str(status): status for status in OrderStatus}


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at the time of its last event.

    `equity` is cash plus positions at the last marks; `fills` are those that the last sync took in; `denials`
    counts refusals by rule; `breaker` names the loss rules that have tripped; `halts` the scopes of kill
    switches, each with who set it and why. Money is in the account's currency.
    """

    name: str
    time: datetime
    cash: Decimal
    equity: Decimal
    capital: Decimal
    realised: Decimal
    commission: Decimal
    positions: dict[str, Decimal]
    open_orders: int
    fills: tuple[Fill, ...]
    order_count: int
    fill_count: int
    denials: dict[str, int]
    breaker: tuple[str, ...]
    halts: dict[str, str]
    day_start_equity: Decimal
    high_water: Decimal


def report(order: Order) -> OrderReport:
    """Report on an order."""
    return OrderReport(
        order.request,
        order.status,
        order.filled_quantity,
        order.venue_order_id,
        order.rule,
        order.reason,
        order.not_sent,
        order.verdict,
    )


def duplicate_report(request: OrderRequest) -> OrderReport:
    """Report on a request whose client id belongs to a different order."""
    reason = f"{request.client_order_id} is taken by a different order. Use a new client_order_id."
    return OrderReport(request, OrderStatus.DENIED, rule="duplicate", reason=reason)


def capability_denial(request: OrderRequest, cannot: str) -> Denial:
    """Denial of an order that the venue cannot work."""
    reason = f"{request.client_order_id}: the venue does not take {cannot}. Use another venue or order."
    return Denial("capability", "supported", cannot, reason)


def state_of(name: str, books: Books) -> AccountState:
    """State of an account from its books."""
    ledger = books.ledger
    return AccountState(
        name=name,
        time=books.time,
        cash=ledger.cash,
        equity=ledger.equity(books.marks),
        capital=ledger.capital,
        realised=ledger.realised,
        commission=ledger.commission,
        positions={symbol: p.quantity for symbol, p in ledger.positions().items()},
        open_orders=len(books.open),
        fills=books.recent,
        order_count=len(books.orders),
        fill_count=len(books.fills),
        denials=dict(books.denials),
        breaker=tuple(sorted(books.tripped)),
        halts=dict(books.halts),
        day_start_equity=books.breaker.day_start_equity,
        high_water=books.breaker.high_water,
    )
