"""Orders, fills and the states an order can be in, in the field's own words (FIX).

Every number is a `Decimal`. An order is a request plus the fold of its events (`nt_ray.trading.lifecycle`).
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nt_ray.errors import BadInputError

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class Side(StrEnum):
    """Side of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """How long an order works: the next bar only (DAY), or until filled or cancelled (GTC)."""

    DAY = "day"
    GTC = "gtc"


class OrderStatus(StrEnum):
    """State of an order: the fold of its events."""

    INITIALIZED = "initialized"
    DENIED = "denied"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether no further event but a late fill can follow."""
        return self in _FINAL

    @property
    def is_open(self) -> bool:
        """Whether the venue may hold the order."""
        return self not in _FINAL and self is not OrderStatus.INITIALIZED


_FINAL = frozenset(
    {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a caller asks for. The same `client_order_id` is the same order, however often it is sent.

    `strategy` names who owns the order; every order has an owner.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    strategy: str
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        if not CLIENT_ORDER_ID.fullmatch(self.client_order_id):
            raise BadInputError(
                f"client_order_id {self.client_order_id!r} is not usable. Give 1 to 64 of A-Z a-z 0-9 . _ : -"
            )
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise BadInputError(f"{self.client_order_id}: quantity {self.quantity} must be a positive number.")
        if (self.type is OrderType.LIMIT) != (self.limit_price is not None):
            raise BadInputError(
                f"{self.client_order_id}: a {self.type} order with limit_price={self.limit_price}. "
                "A limit order needs a limit_price, a market order takes none."
            )
        if self.limit_price is not None and not (self.limit_price.is_finite() and self.limit_price > 0):
            raise BadInputError(f"{self.client_order_id}: limit_price {self.limit_price} must be positive.")


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution at a venue. `execution_id` is the venue's own and is applied once."""

    execution_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    time: datetime

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity with the side's sign."""
        return self.quantity * self.side.sign

    @property
    def notional(self) -> Decimal:
        """Price times quantity, unsigned."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its events have made it. Transitions are checked in `nt_ray.trading.lifecycle`.

    `rule` names the gate's rule that denied it; `not_sent` says that it was rejected because it certainly
    never reached the venue, so that the same intent may go another way.
    """

    request: OrderRequest
    status: OrderStatus = OrderStatus.INITIALIZED
    filled_quantity: Decimal = Decimal(0)
    filled_notional: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    venue_order_id: str = ""
    reason: str = ""
    execution_ids: frozenset[str] = frozenset()
    rule: str = ""
    not_sent: bool = False

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still fill."""
        return Decimal(0) if self.status.is_final else self.request.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price, or None before the first fill."""
        return self.filled_notional / self.filled_quantity if self.filled_quantity else None

    def with_(self, **changes: object) -> "Order":
        """Return a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
