"""What a candidate is worth: one compiled backtest, measured on the rows that a search may see.

A backtest is causal, so its equity on the first rows does not depend on how many follow: a candidate on a share of
the training rows, on all of them and on the held-out rest are stretches of one and the same account. It does not
know how candidates are chosen.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import numpy as np

from nt_ray.backtest.metrics import measure
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.types import QUANTA_PER_UNIT, FloatArray

GOALS: Final = ("sharpe", "sortino", "calmar", "cagr", "total_return", "max_drawdown")
"""Metrics that can be searched for; more is better in each (a drawdown is zero or negative)."""

KEPT: Final = (*GOALS, "volatility", "skew", "excess_kurtosis")
"""Metrics that a search keeps of each candidate."""

UNDEFINED_SCORE: Final = -1e9
"""Score of a candidate whose metric is undefined (it never traded, it was ruined, or the strategy refused it)."""

TRAINING_SHARE: Final = 0.7
"""Share of the rows to train on where no day is named."""

Metrics = dict[str, float | None]


class SearchError(BadInputError):
    """A search that cannot be made."""

    code = "search"


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """One strategy on one panel with one account."""

    panel: BarPanel
    strategy: Strategy
    sizing: SizingParams
    costs: Costs
    initial_cash: Decimal

    def equity(self, values: Mapping[str, float], rows: int) -> FloatArray:
        """Equity over the first `rows` bars in units of currency, the initial cash first, (rows + 1,)."""
        width = self.strategy.width
        columns = range(len(self.panel.instruments) // width * width)
        result = backtest(
            head(self.panel, rows),
            self.strategy,
            self.strategy.vector(values),
            symbols=columns,
            sizing=self.sizing,
            costs=self.costs,
            initial_cash=self.initial_cash,
        )
        return np.concatenate(([float(self.initial_cash)], result.equity_quanta / QUANTA_PER_UNIT))

    def measured(self, values: Mapping[str, float], first: int, after: int) -> Metrics:
        """Metrics of a candidate over bars `first` to `after` (not included), with all bars before as its past."""
        curve = self.equity(values, after)[first:]
        metrics = dataclasses.asdict(measure(curve, self.panel.periods_per_year))
        return {name: metrics[name] for name in KEPT}


def head(panel: BarPanel, rows: int) -> BarPanel:
    """First rows of a panel, without a copy."""
    if rows == len(panel):
        return panel
    return dataclasses.replace(panel, timestamps=panel.timestamps[:rows], values=panel.values[:rows])


def score(metrics: Mapping[str, float | None], goal: str) -> float:
    """Number to be maximised."""
    value = metrics.get(goal)
    return UNDEFINED_SCORE if value is None or not math.isfinite(value) else value


def check_goal(goal: str) -> str:
    """Return the metric's name; raise where it cannot be searched for."""
    if goal not in GOALS:
        raise SearchError(f"Metric {goal!r} cannot be searched for. Use one of {', '.join(GOALS)}.")
    return goal


def training_rows(panel: BarPanel, until: datetime | None) -> int:
    """Rows to train on: those up to `until`, included, or the first 70 %; at least two bars stay on each side."""
    bars = len(panel)
    if until is None:
        rows = round(bars * TRAINING_SHARE)
    else:
        rows = int(np.searchsorted(panel.timestamps, int(until.timestamp() * 1_000_000_000), side="right"))
    if rows < 2 or bars - rows < 2:
        raise SearchError(
            f"Training until {until or f'{TRAINING_SHARE:.0%} of the bars'} leaves {rows} bars to train on and "
            f"{bars - rows} held out, of {bars} from {panel.time(0):%Y-%m-%d} to {panel.time(-1):%Y-%m-%d}. "
            "Choose a day that leaves at least two bars on each side."
        )
    return rows
