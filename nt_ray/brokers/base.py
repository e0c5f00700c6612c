"""The one interface behind which every venue stands.

A venue adapter turns these calls into the venue's wire protocol. Outcomes of a submission are three, never
guessed: an acknowledgement, `OrderRejectedError` (the venue said no), or `AmbiguousError` (it may or may not
have the order); `NotSentError` says that not one byte left. An order in doubt is looked up by its client id.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from nt_ray.errors import BrokerError
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus, OrderType, TimeInForce


class NotSentError(BrokerError):
    """Nothing left this machine: the order is certainly not at the venue."""

    code = "not_sent"


class OrderRejectedError(BrokerError):
    """The venue answered no."""

    code = "order_rejected"
    status = 422


class AmbiguousError(BrokerError):
    """The outcome is unknown: the venue may hold the order."""

    code = "ambiguous"


class VenueDownError(NotSentError):
    """The venue cannot be reached."""

    code = "venue_down"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do; what it cannot is refused before anything is sent."""

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    short_selling: bool
    fractional: bool
    lookup_proves_absence: bool
    """Whether a lookup by client id that finds nothing proves that the venue never had the order."""


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue reports it."""

    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    filled_quantity: Decimal


@runtime_checkable
class Broker(Protocol):
    """One connection to one brokerage account at one venue."""

    @property
    def name(self) -> str:
        """Name of the venue in configuration."""
        ...

    def capabilities(self) -> Capabilities:
        """Declare what the venue can do."""
        ...

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Send one order. Raises `OrderRejectedError`, `AmbiguousError` or `NotSentError`."""
        ...

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        """Ask the venue to cancel; the answer is the order as it then stands."""
        ...

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up by client id; None where the venue does not know it."""
        ...

    def open_orders(self) -> list[VenueOrder]:
        """All orders that work at the venue."""
        ...

    def fills(self, after: int) -> list[Fill]:
        """Executions after the venue's first `after` ones, oldest first."""
        ...

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol, as the venue sees it; zero positions are left out."""
        ...

    def ping(self) -> None:
        """Raise `VenueDownError` where the venue cannot be reached."""
        ...
