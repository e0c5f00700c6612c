"""An account as a person watches it: money, newest orders with why they were denied, and how far each limit is.

Read in one call under the account's lock, frozen, made to travel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from nt_ray.trader.history import OrderRecord
from nt_ray.trader.overview import Overview
from nt_ray.trader.usage import Usage
from nt_ray.trading.orders import Fill, Order


@dataclass(frozen=True, slots=True)
class BoardOrder:
    """An order and when it was entered and changed."""

    order: Order
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """An account to be watched; orders and fills newest first. `var`: 1-period, None where no scenarios are known."""

    overview: Overview
    orders: tuple[BoardOrder, ...]
    fills: tuple[Fill, ...]
    open: int
    """Orders that are open."""
    limits: tuple[Usage, ...]
    var: float | None
    var_confidence: float
    epoch: int


def newest(records: Sequence[OrderRecord], count: int) -> tuple[BoardOrder, ...]:
    """Newest orders, denied ones too."""
    return tuple(BoardOrder(r.order, r.created_at, r.updated_at) for r in islice(reversed(records), count))
