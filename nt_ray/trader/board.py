"""An account as a person watches it: money, newest orders with why they were denied, and how far each limit is.

Read in one call under the account's lock, frozen, made to travel. Limits are compared as the gate compares them: open
orders at their worst, shares of the equity at the last mark. A share is NaN where there is no equity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice

import numpy as np

from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.trader.books import Books
from nt_ray.trader.history import OrderRecord
from nt_ray.trader.overview import Overview
from nt_ray.trading.orders import Fill, Order


@dataclass(frozen=True, slots=True)
class BoardOrder:
    """An order and when it was entered and changed."""

    order: Order
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used, as fractions of equity; no limit: none is set."""

    name: str
    value: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Board:
    """An account to be watched; orders and fills newest first. `var`: 1-period, None where no scenarios are known."""

    overview: Overview
    orders: tuple[BoardOrder, ...]
    fills: tuple[Fill, ...]
    limits: tuple[Usage, ...]
    var: float | None
    var_confidence: float
    epoch: int


def newest(records: Sequence[OrderRecord], count: int) -> tuple[BoardOrder, ...]:
    """Newest orders, denied ones too."""
    return tuple(BoardOrder(r.order, r.created_at, r.updated_at) for r in islice(reversed(records), count))


def usage(books: Books, limits: RiskLimits) -> tuple[Usage, ...]:
    """How far the limits on the whole account are used."""
    exposure, equity, breaker = books.exposure, books.equity, books.breaker
    largest = max((line.gross for line in exposure.lines.values()), default=Decimal(0))
    net = max(exposure.longest, -exposure.shortest, Decimal(0))
    return (
        _usage("max_gross_exposure", exposure.gross, equity, limits),
        _usage("max_net_exposure", net, equity, limits),
        _usage("max_concentration", largest, equity, limits),
        _usage("max_daily_loss", max(breaker.day_start_equity - equity, Decimal(0)), breaker.day_start_equity, limits),
        _usage("max_drawdown", max(breaker.high_water - equity, Decimal(0)), breaker.high_water, limits),
        _usage("max_heat", exposure.heat, equity, limits),
    )


def value_at_risk(books: Books, table: ScenarioTable | None) -> float | None:
    """Value at risk of what is held over one period, as a fraction of equity; None where a holding has no scenarios."""
    if table is None or books.equity <= 0:
        return None
    held = {symbol: line.position * (line.mark or 0) for symbol, line in books.exposure.lines.items() if line.position}
    if any(symbol not in table.columns for symbol in held):
        return None
    values = np.zeros((1, len(table.columns)))
    for symbol, value in held.items():
        values[0, table.columns[symbol]] = float(value)
    return max(float(table.var(values)[0]), 0.0) / float(books.equity)


def _usage(name: str, amount: Decimal, whole: Decimal, limits: RiskLimits) -> Usage:
    limit = getattr(limits, name)
    share = float(amount / whole) if whole > 0 else math.nan
    return Usage(name, share, None if limit is None else float(limit))
