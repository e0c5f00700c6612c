"""The vocabulary of the journal: everything that can happen to an order or to an account.

Events are facts, frozen and timed in UTC. The state of an order is a fold over its events
(`nt_ray.trading.lifecycle`), the state of an account a fold over all of them. This page knows neither where
events are stored nor how they are written down (`nt_ray.trading.encoding`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from nt_ray.trading.actions import Action, LotsNamed
from nt_ray.trading.orders import Fill, OrderRequest
from nt_ray.trading.verdict import Verdict


@dataclass(frozen=True, slots=True)
class OrderInitialized:
    """The account has taken a request in."""

    time: datetime
    request: OrderRequest

    @property
    def client_order_id(self) -> str:
        """Client id of the request."""
        return self.request.client_order_id


@dataclass(frozen=True, slots=True)
class OrderDenied:
    """The risk gate refused the order: the rule, its limit, the value that broke it, and a sentence."""

    time: datetime
    client_order_id: str
    rule: str
    limit: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderSubmitted:
    """The order is about to be sent; from here on the venue may hold it."""

    time: datetime
    client_order_id: str


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """The venue holds the order under its own id."""

    time: datetime
    client_order_id: str
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The venue does not hold the order: it refused, in its own words, or (`not_sent`) it never received it."""

    time: datetime
    client_order_id: str
    reason: str
    not_sent: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class OrderGivenUp:
    """The venue knows nothing of the order, which is taken as never arrived; it may appear after all."""

    time: datetime
    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderFound:
    """The venue holds an order that was taken as never arrived: it works."""

    time: datetime
    client_order_id: str
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """The venue executed a part of the order, or all of it."""

    time: datetime
    fill: Fill

    @property
    def client_order_id(self) -> str:
        """Client id of the order that filled."""
        return self.fill.client_order_id


@dataclass(frozen=True, slots=True)
class PendingCancel:
    """The venue is about to be asked to cancel the order."""

    time: datetime
    client_order_id: str


@dataclass(frozen=True, slots=True)
class CancelRejected:
    """The venue did not take the cancel request; the order works on."""

    time: datetime
    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """The venue has cancelled what was left of the order."""

    time: datetime
    client_order_id: str


@dataclass(frozen=True, slots=True)
class PendingReplace:
    """The venue is about to be asked to put the order `by` in the place of this one."""

    time: datetime
    client_order_id: str
    by: str


@dataclass(frozen=True, slots=True)
class ReplaceRejected:
    """The venue did not take the replacement; the order works on."""

    time: datetime
    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderReplaced:
    """The venue works the order `by` in the place of this one."""

    time: datetime
    client_order_id: str
    by: str


@dataclass(frozen=True, slots=True)
class OrderExpired:
    """The order's time has run out at the venue."""

    time: datetime
    client_order_id: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A second, different request came under a client id that is already taken; the first order stands."""

    time: datetime
    client_order_id: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class FactDisputed:
    """The venue told of an order what cannot be; it is set aside, by name, until it fits or a person has looked."""

    time: datetime
    client_order_id: str
    fact: str
    reason: str


@dataclass(frozen=True, slots=True)
class DisputesSettled:
    """A person has looked at what the venue told and is not of these orders: it is never booked, and named no more."""

    time: datetime
    facts: Sequence[str]
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActivitiesPassed:
    """What the venue has booked without an order and these books never will: it came before them, or cannot be."""

    time: datetime
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class EpochStarted:
    """A writer has taken the journal over."""

    time: datetime
    epoch: int
    account: str


@dataclass(frozen=True, slots=True)
class Deposited:
    """Capital came in. The same `deposit_id` is the same deposit."""

    time: datetime
    deposit_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Marked:
    """The account was marked at these prices; a symbol that is not named keeps its mark."""

    time: datetime
    marks: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class BreakerTripped:
    """A loss reached its limit: only orders that reduce a position pass until it is reset."""

    time: datetime
    rule: str
    limit: str
    value: str


@dataclass(frozen=True, slots=True)
class BreakerHalfOpened:
    """After a trip no order works any more: orders that reduce a position pass."""

    time: datetime


@dataclass(frozen=True, slots=True)
class BreakerReset:
    """A person reset the breaker; losses count from the equity of this moment."""

    time: datetime
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitsChanged:
    """A person changed limits of the gate, for good or until `expires` (UTC); values as text."""

    time: datetime
    changes: Mapping[str, str]
    who: str
    reason: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class LimitsReverted:
    """Limits are again what the configuration says."""

    time: datetime
    names: Sequence[str]
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillSwitchSet:
    """Trading in a scope was stopped: `account`, `venue:NAME`, `strategy:NAME` or `symbol:SYMBOL`."""

    time: datetime
    scope: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillSwitchCleared:
    """Trading in a scope was allowed again."""

    time: datetime
    scope: str
    who: str
    reason: str


OrderEvent: TypeAlias = (
    OrderInitialized
    | OrderDenied
    | OrderSubmitted
    | OrderAccepted
    | OrderRejected
    | OrderGivenUp
    | OrderFound
    | OrderFilled
    | PendingCancel
    | CancelRejected
    | OrderCanceled
    | PendingReplace
    | ReplaceRejected
    | OrderReplaced
    | OrderExpired
)
"""What changes the state of one order."""

Event: TypeAlias = (
    OrderEvent
    | RequestRefused
    | FactDisputed
    | DisputesSettled
    | ActivitiesPassed
    | EpochStarted
    | Deposited
    | Action
    | LotsNamed
    | Marked
    | BreakerTripped
    | BreakerHalfOpened
    | BreakerReset
    | LimitsChanged
    | LimitsReverted
    | KillSwitchSet
    | KillSwitchCleared
)
"""Everything a journal can hold."""
