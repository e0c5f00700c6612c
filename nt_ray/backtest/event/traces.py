"""What a strategy that asks for orders does bar by bar, for `backtest.look_ahead` to compare.

Row t of a trace is what was asked on bar t and what the account was after it: both may depend on bars up to t alone.
What becomes of an order later is no part of row t.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import numpy as np

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.runnable import Runnable
from nt_ray.backtest.look_ahead import Outputs
from nt_ray.brokers.simulated import tables
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies import order_step
from nt_ray.types import FloatArray

CASH: Final = Decimal(1_000_000)

_ASKED: Final = (
    order_step.COLUMN, order_step.SIDE, order_step.TYPE, order_step.LIMIT, order_step.STOP, order_step.TRAIL,
    order_step.TIF, order_step.GOOD_TILL, order_step.FLAGS, order_step.TAG,
)  # fmt: skip
"""Columns of an order that stay as they were asked for. LOTS do not: a child's shrink with its parent's fills."""


@dataclass(slots=True)
class Tracer:
    """Makes traces of one strategy on one panel after another; call it with a panel.

    The first panel must run. A later one, whose future was changed, may end in an error of the strategy: nothing can
    be said of it then, so it counts as `unusable` and shows no difference.
    """

    strategy: Runnable
    prepare: Callable[[BarPanel], BarPanel]
    """Makes the panel that the strategy sees from the one that is changed."""
    first: Outputs | None = None
    asked: int = 0
    """Orders on the first panel."""
    unusable: int = 0
    _market: Market = field(default_factory=Market)

    def __call__(self, panel: BarPanel) -> Outputs:
        """Run over a panel."""
        if self.first is None:
            result = self._run(panel)
            self.asked = len(result.orders)
            self.first = trace(result, self._market)
            return self.first
        try:
            return trace(self._run(panel), self._market)
        except StrategyError:
            self.unusable += 1
            return self.first

    def repeats(self, panel: BarPanel) -> bool:
        """Whether the same bars give the same trace once more."""
        once, again = self(panel), trace(self._run(panel), self._market)
        return all(np.array_equal(values, again[name], equal_nan=True) for name, values in once.items())

    def _run(self, panel: BarPanel) -> EventResult:
        return self.strategy.run(
            self.prepare(panel), sizing=SizingParams(), market=self._market, initial_cash=CASH
        )  # fmt: skip


def trace(result: EventResult, market: Market) -> dict[str, FloatArray]:
    """Orders and cancellations asked for, positions, cash and equity, by row.

    Asked orders are (T, 2 + fields): their number, then for lots and each field the sum over the row's orders, each
    times its place among them, so that another order of asking is another row.
    """
    bars = len(result.panel)
    orders, asked = result.orders, np.zeros((bars, 2 + len(_ASKED)))
    rows = orders[:, order_step.ENTRY_ROW]
    place = 1.0 + np.arange(len(orders)) - np.searchsorted(rows, rows)
    np.add.at(asked[:, 0], rows, 1.0)
    alone = orders[:, tables.PARENT_ORDER] < 0
    np.add.at(asked[:, 1], rows[alone], (place * orders[:, order_step.LOTS])[alone])
    for column, name in enumerate(_ASKED, 2):
        np.add.at(asked[:, column], rows, place * orders[:, name])
    cancels = np.zeros(bars)
    when = orders[:, tables.CANCEL_ROW] - 1 - market.latency
    known = when < bars
    np.add.at(cancels, when[known], 1.0 + orders[known, order_step.ID])
    held = {
        f"position in {symbol}": result.positions[:, c].astype(np.float64)
        for c, symbol in enumerate(result.panel.symbols)
    }
    return {
        "orders asked for": asked,
        "cancellations asked for": cancels,
        **held,
        "cash": result.cash_quanta.astype(np.float64),
        "equity": result.equity_quanta.astype(np.float64),
    }
