"""How far the limits on a whole account are used, and what it may lose in a period.

Limits are compared as the gate compares them: open orders at their worst, shares of the equity at the last mark. A
share is NaN where there is no equity.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.trader.books import Books


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used, as fractions of equity; no limit: none is set."""

    name: str
    value: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Tail:
    """Value at risk and expected shortfall of one period at a confidence: fractions of equity, a loss is positive."""

    var: float
    shortfall: float
    confidence: float


def usage(books: Books, limits: RiskLimits, var: float | None) -> tuple[Usage, ...]:
    """How far the limits on the whole account are used; `var` is its value at risk, None where it is not known."""
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
        Usage("max_var", math.nan if var is None else var, None if limits.max_var is None else float(limits.max_var)),
    )


def value_at_risk(books: Books, table: ScenarioTable | None) -> float | None:
    """Value at risk of what is held over one period, as a fraction of equity; None where a holding has no scenarios."""
    found = tail_of(books, table, math.nan)
    return None if found is None else found.var


def tail_of(books: Books, table: ScenarioTable | None, confidence: float) -> Tail | None:
    """Tail of what is held over one period; None where a holding has no scenarios. `confidence` where nothing is held.

    The table's own confidence holds otherwise. A tail that gains counts as no loss.
    """
    held = {symbol: line.position * (line.mark or 0) for symbol, line in books.exposure.lines.items() if line.position}
    if books.equity <= 0:
        return None
    if not held:
        return Tail(0.0, 0.0, confidence)
    if table is None or any(symbol not in table.columns for symbol in held):
        return None
    values = np.zeros((1, len(table.columns)))
    for symbol, value in held.items():
        values[0, table.columns[symbol]] = float(value)
    equity = float(books.equity)
    var, shortfall = float(table.var(values)[0]), float(table.shortfall(values)[0])
    return Tail(max(var, 0.0) / equity, max(shortfall, 0.0) / equity, table.confidence)


def _usage(name: str, amount: Decimal, whole: Decimal, limits: RiskLimits) -> Usage:
    limit = getattr(limits, name)
    share = float(amount / whole) if whole > 0 else math.nan
    return Usage(name, share, None if limit is None else float(limit))
