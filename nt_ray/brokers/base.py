"""The one interface behind which every venue stands.

A venue adapter turns these calls into the venue's wire protocol. Outcomes of a submission are three, never
guessed: an acknowledgement, `OrderRejectedError` (the venue said no), or `AmbiguousError` (it may or may not
have the order); `NotSentError` says that the venue certainly did not take it. An order in doubt is looked up by its
client id. What a venue pushes and what it answers may come late, twice or in any order: executions carry ids that are
applied once, so whoever asks again converges.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from nt_ray.errors import BrokerError
from nt_ray.risk.standing import Standing
from nt_ray.trading.orders import LONGEST_CLIENT_ID, Fill, OrderRequest, OrderStatus, OrderType, TimeInForce
from nt_ray.trading.verdict import Verdict


class NotSentError(BrokerError):
    """The order is certainly not at the venue: nothing left this machine, or the venue turned it away unread."""

    code = "not_sent"


class OrderRejectedError(BrokerError):
    """The venue answered no; `verdict` is how, where it says more than the sentence."""

    code = "order_rejected"
    status = 422
    verdict: Verdict | None = None


class AmbiguousError(BrokerError):
    """The outcome is unknown: the venue may hold the order."""

    code = "ambiguous"


class VenueDownError(NotSentError):
    """The venue cannot be reached."""

    code = "venue_down"


class RateLimitedError(NotSentError):
    """The venue, or our own budget for it, allows no further request now."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which to ask again, where the venue says."""


class AuthenticationError(NotSentError):
    """The venue does not accept the keys."""

    code = "authentication"
    status = 401


class ReplaceKind(StrEnum):
    """How a venue replaces a working order."""

    NONE = "none"
    NATIVE = "native"
    """In one request; the replacement is an order with an id of its own."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do; what it cannot is refused before anything is sent."""

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    short_selling: bool
    fractional: bool
    lookup_proves_absence: bool
    """Whether a lookup by client id that finds nothing proves that the venue never had the order."""
    arrives_late: bool = False
    """Whether an order that such a lookup did not find may arrive after all."""
    notional: bool = False
    extended_hours: bool = False
    post_only: bool = False
    reduce_only: bool = False
    linked: bool = False
    """Whether orders may have a `parent` or an `oco_group`."""
    replace: ReplaceKind = ReplaceKind.NONE
    cancels_all: bool = False
    """Whether one request, `cancel_all`, cancels every order of the account."""
    longest_client_id: int = LONGEST_CLIENT_ID
    client_id: re.Pattern[str] | None = None
    """What a client id must look like as a whole, beyond what `OrderRequest` asks of it."""
    concurrency: int = 1
    """Orders of one batch that may be on their way at once, from several threads."""


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue reports it."""

    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    filled_quantity: Decimal
    replaced_by: str = ""
    """Client id of the order that has taken its place."""


@dataclass(frozen=True, slots=True)
class VenueUpdate:
    """What a venue pushes about one order: where it stands, and the execution that brought it there."""

    order: VenueOrder
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """Money as the venue sees it, in units of `currency`."""

    currency: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    blocked: bool = False
    """Whether the venue refuses orders of this account."""


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

    def submit_linked(self, requests: Sequence[OrderRequest]) -> list[VenueOrder]:
        """Send orders that are linked to each other, all or none, in order; raises as `submit_order` does."""
        ...

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        """Put an order in the place of the one it `replaces`; the answer is the new order. Raises as `submit_order`."""
        ...

    def cancel_order(self, client_order_id: str) -> VenueOrder | None:
        """Ask the venue to cancel; the answer is the order as it then stands, None where it is yet to be learnt."""
        ...

    def cancel_all(self) -> None:
        """Ask the venue to cancel every order of the account, whoever sent it, where it `cancels_all`."""
        ...

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up by client id; None where the venue does not know it."""
        ...

    def orders(self, client_order_ids: Sequence[str], *, urgent: bool = False) -> dict[str, VenueOrder]:
        """Look several orders up at the cost of few requests; one that is left out has to be looked up by itself.

        `urgent`: a cancel waits for it, so it may take what is kept for cancels.
        """
        ...

    def open_orders(self) -> list[VenueOrder]:
        """All orders that work at the venue."""
        ...

    def fills(self, since: datetime | None) -> list[Fill]:
        """Executions at or after a time, oldest first; all of them where None."""
        ...

    def updates(self) -> list[VenueUpdate]:
        """What the venue has pushed since the last call, in order of arrival; empty where it pushes nothing."""
        ...

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol, as the venue sees it; zero positions are left out."""
        ...

    def account(self) -> VenueAccount | None:
        """Money at the venue; None where it keeps none."""
        ...

    def standing(self, symbols: Sequence[str]) -> Standing:
        """Say what the venue does not let the account trade now, of these symbols; may be some minutes old."""
        ...

    def warnings(self) -> tuple[str, ...]:
        """Say what is not as it should be and stops nothing by itself, a sentence each; asks nobody."""
        ...

    def ping(self) -> None:
        """Raise `VenueDownError` where the venue cannot be reached."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
