"""What every rule of the gate shares: the question it is put, its denial, and the view it has of the account.

A rule looks and answers; it changes nothing of the account. It says None, or a `Denial` with its name, the limit, the
value that broke it and a sentence.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import ClassVar, Final, Protocol

from nt_ray.market.bars import Instrument
from nt_ray.risk.breaker import BreakerState
from nt_ray.risk.exposure import Exposure, Line
from nt_ray.risk.flow import Flow
from nt_ray.risk.references import References
from nt_ray.trading.orders import BUY, Order, OrderRequest, Side

Content = tuple[str, str, bool, Decimal, Decimal | None, Decimal | None, Decimal | None, Decimal | None]
"""What makes two orders equal but for their ids: its prices tell its type."""

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order must not be sent."""

    rule: str
    limit: str
    value: str
    reason: str


class AccountView(Protocol):
    """What the gate sees of an account."""

    @property
    def now(self) -> datetime:
        """Time of the check."""
        ...

    @property
    def equity(self) -> Decimal:
        """Equity at the last mark."""
        ...

    @property
    def exposure(self) -> Exposure:
        """Positions, open orders and marks."""
        ...

    @property
    def flow(self) -> Flow:
        """Messages and executions of late."""
        ...

    @property
    def references(self) -> References:
        """Ages of prices, and average volumes."""
        ...

    @property
    def breaker_state(self) -> BreakerState:
        """State of the loss breaker."""
        ...

    @property
    def tripped(self) -> frozenset[str]:
        """Breaker rules that have tripped."""
        ...

    @property
    def halted(self) -> Collection[str]:
        """Scopes whose kill switch is set."""
        ...

    def knows(self, client_order_id: str) -> bool:
        """Whether an order with this id exists."""
        ...

    def last_sent(self, content: Content) -> datetime | None:
        """When an equal order was last let through."""
        ...

    def resting(self, symbol: str, side: Side) -> Sequence[Order]:
        """Orders in a symbol, of one side, that the venue may hold."""
        ...


class Question:
    """One order with everything the rules share, worked out once.

    instrument, mark  None and 0 where not known; rules after `instrument` and `reference_price` may rely on them.
    quantity          what the order may trade; of an order by notional at the mark, rounded up to a whole lot.
    notional          quantity at the worst of mark, limit and stop price.
    sign              +1 buys, -1 sells.
    worst, equity     largest value of the position with this order included; only for orders that
                      open one.
    buys, sells       open quantity in the symbol with this order included.
    exits             orders sent with this one that wait for its fills.
    tripped           breaker rules that have tripped.
    """

    __slots__ = (
        "buys", "equity", "exits", "exposure", "instrument", "line", "mark", "notional", "quantity", "request", "sells",
        "sign", "tripped", "view", "worst",
    )  # fmt: skip

    def __init__(
        self, request: OrderRequest, view: AccountView, instrument: Instrument | None, exits: Sequence[OrderRequest]
    ) -> None:
        self.request = request
        self.view = view
        self.instrument = instrument
        self.exits = exits
        self.tripped = view.tripped
        self.exposure = exposure = view.exposure
        self.line: Line = exposure.peek(request.symbol)
        self.mark = self.line.mark or ZERO
        self.quantity = self.notional = self.buys = self.sells = self.worst = self.equity = ZERO
        self.sign = 1 if request.side is BUY else -1

    def weigh(self) -> None:
        """Work out sizes; only once instrument and mark are known."""
        request, line, price = self.request, self.line, self.mark
        quantity = request.quantity
        if request.notional is not None:
            quantity = traded_quantity(request, price, self.instrument)
        self.quantity = quantity
        if request.limit_price is not None and request.limit_price > price:
            price = request.limit_price
        if request.stop_price is not None and request.stop_price > price:
            price = request.stop_price
        self.notional = price * quantity
        if self.sign > 0:
            self.buys, self.sells = line.buys + quantity, line.sells
        else:
            self.buys, self.sells = line.buys, line.sells + quantity

    def reduces(self) -> bool:
        """Whether the order can only reduce the position, all open orders of its side filled first."""
        if self.request.reduce_only:
            return True
        position = self.line.position
        return self.buys <= -position if self.sign > 0 else self.sells <= position

    def weigh_worst(self) -> None:
        """Work out the worst case of the position, and equity."""
        self.worst = self.line.worst(self.buys, self.sells) * self.mark
        self.equity = self.view.equity


class Rule(Protocol):
    """One rule of the gate."""

    name: ClassVar[str]

    def check(self, q: Question) -> Denial | None:
        """Answer whether the order breaks the rule."""
        ...


def traded_quantity(request: OrderRequest, mark: Decimal, instrument: Instrument | None) -> Decimal:
    """Quantity an order may trade; one by notional at this mark, rounded up to a whole lot."""
    if request.notional is None or instrument is None or not mark:
        return request.quantity
    lots = (request.notional / (mark * instrument.quantity_increment)).to_integral_value(ROUND_CEILING)
    return lots * instrument.quantity_increment


def content(request: OrderRequest) -> Content:
    """Content of an order without its id."""
    return (
        request.strategy,
        request.symbol,
        request.side is BUY,
        request.quantity,
        request.notional,
        request.limit_price,
        request.stop_price,
        request.trail_amount or request.trail_percent,
    )


def denial(rule: str, limit: Decimal, value: Decimal, request: OrderRequest, what: str) -> Denial:
    """Denial of an order whose `what` is above its limit."""
    shown, most = plain(value), plain(limit)
    return Denial(rule, most, shown, f"{request.client_order_id}: {what} {shown} is above {most}.")


def plain(value: Decimal) -> str:
    """Shortest plain text of a number, at most six decimals."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
