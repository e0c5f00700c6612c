"""What the simulated venue knows: assets, quotes, orders, positions, cash, history. Plain state without rules."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from nt_ray.brokers.alpaca.wire import Json

ZERO: Final = Decimal(0)
WORKING: Final = frozenset({"accepted", "pending_new", "new", "partially_filled", "held"})
"""States in which an order may still trade."""

_NAMES: Final = UUID("6b7f6f0e-6a0b-4f5e-9f0c-1d3c5a7e9b21")


class Session(StrEnum):
    """Which orders may trade."""

    OPEN = "open"
    CLOSED = "closed"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Listing:
    """An asset that the venue lists."""

    symbol: str
    fractionable: bool = True
    shortable: bool = True
    tradable: bool = True
    easy_to_borrow: bool = True

    @property
    def is_lent(self) -> bool:
        """Whether it can be sold short."""
        return self.shortable and self.easy_to_borrow


@dataclass(slots=True)
class Quote:
    """The market in one symbol; `size` is what may still trade at it, without bound where None.

    `is_standing`: it trades at this price all the time, while the session lasts, and not at its time alone.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal
    time: datetime
    size: Decimal | None = None
    is_standing: bool = False


@dataclass(slots=True)
class Order:
    """An order as the venue keeps it. `head` is the id of the order that a leg belongs to."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None
    created_at: datetime
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: str = "simple"
    head: str = ""
    role: str = ""
    status: str = "pending_new"
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    best: Decimal | None = None
    triggered: bool = False
    replaces: str = ""
    replaced_by: str = ""
    times: dict[str, datetime] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self.side == "buy" else -1

    @property
    def is_working(self) -> bool:
        """Whether the order may still trade."""
        return self.status in WORKING

    @property
    def leaves(self) -> Decimal:
        """Quantity that may still trade."""
        return (self.qty or ZERO) - self.filled


@dataclass(slots=True)
class Position:
    """A signed position at its average entry price."""

    quantity: Decimal = ZERO
    average: Decimal = ZERO


@dataclass(slots=True)
class State:
    """Everything the venue knows of one account."""

    key: str
    secret: str
    cash: Decimal
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    skew_s: float = 0.0
    blocked: bool = False
    """Whether the account may not trade."""
    session: Session = Session.OPEN
    listings: dict[str, Listing] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    prints: dict[str, list[tuple[datetime, Decimal, Decimal]]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, str] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    activities: list[Json] = field(default_factory=list)
    before_cancel: dict[str, Json] = field(default_factory=dict)
    outbox: list[Json] = field(default_factory=list)
    numbered: int = 0

    def new_id(self) -> str:
        """Make an id; the same calls in the same order give the same ids."""
        self.numbered += 1
        return str(uuid5(_NAMES, f"{self.key}-{self.numbered}"))

    def legs(self, head: str) -> list[Order]:
        """Legs of an order as they stand: a replaced leg is not among them, its replacement is."""
        return [o for o in self.orders.values() if o.head == head and not o.replaced_by]

    def siblings(self, order: Order) -> Iterator[Order]:
        """Working orders that end when this one trades."""
        head = self.orders.get(order.head)
        if head is not None:
            yield from (leg for leg in self.legs(order.head) if leg is not order and leg.is_working)
            if head.order_class == "oco" and head.is_working:
                yield head
        elif order.order_class == "oco":
            yield from (leg for leg in self.legs(order.id) if leg.is_working)
