"""A panel as the sweep's kernels read it: each group of symbols in one piece, prices in ticks, volatility known.

Plain arrays and numbers only, so that it lies in shared memory once and every worker reads it without a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.simulator import Tape
from nt_ray.backtest.sweep import crossing
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams, volatility_path
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.inputs import input_values
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SweepTape:
    """Bars of G groups of `width` symbols, T bars each."""

    values: FloatArray
    """(G, T, width, F) what the step sees."""
    ticks: IntArray
    """(G, T, width, 4); -1 unknown."""
    marks: IntArray
    """(G, T, width) last known close in ticks."""
    closes: FloatArray
    """(G, T, width); NaN unknown."""
    volatility: FloatArray
    """(G, T, width) annualised; empty where sizing asks for none."""
    facts: IntArray
    """(G, width, 2): money quanta of one tick times one lot; 1 for close-only."""
    lot_sizes: FloatArray
    """(G, width)."""
    costs: IntArray
    """(G, width, 5)."""
    sizing: FloatArray
    cash: int
    """Quanta each account starts with."""
    sums: IntArray
    """(G, T + 1) of `crossing.prefix_sums`; empty where the strategy has no use for them."""
    counts: IntArray
    """(G, T)."""

    @classmethod
    def of(
        cls,
        panel: BarPanel,
        strategy: Strategy,
        groups: IntArray,
        sizing: SizingParams,
        costs: Costs,
        cash: int,
        *,
        share: bool = True,
    ) -> "SweepTape":
        """Lay out the columns that `groups` (G, width) names; `share` prepares work combinations have in common."""
        tape = Tape.of(panel, costs)
        closes = by_group(tape.closes, groups)
        volatility = np.zeros((len(groups), 0, groups.shape[1]))
        if np.isfinite(sizing.target_volatility):
            path = volatility_path(tape.closes, panel.periods_per_year, sizing.volatility_halflife)
            volatility = by_group(path, groups)
        sums = counts = np.zeros((len(groups), 0), dtype=np.int64)
        if share and crossing.applies(strategy):
            sums, counts = crossing.prefix_sums(closes)
        facts = np.column_stack([tape.units, tape.close_only.astype(np.int64)])
        return cls(
            by_group(input_values(strategy, panel), groups), by_group(tape.ticks, groups),
            by_group(tape.marks(), groups), closes, volatility, facts[groups], tape.lot_sizes[groups],
            tape.costs[groups], sizing.vector(), cash, sums, counts,
        )  # fmt: skip

    def inputs(self) -> Sequence[object]:
        """Arguments of a kernel from `values` to `counts`; small arrays are writable copies, as it asks."""
        return (
            self.values, self.ticks, self.marks, self.closes, self.volatility, self.facts.copy(),
            self.lot_sizes.copy(), self.costs.copy(), self.sizing.copy(), self.cash, self.sums, self.counts,
        )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.values, self.ticks, self.marks, self.closes, self.volatility, self.sums, self.counts)
        return sum(a.nbytes for a in arrays)


def by_group(array: np.ndarray, groups: IntArray) -> np.ndarray:
    """(T, N, ...) as (G, T, width, ...), contiguous."""
    return np.ascontiguousarray(np.moveaxis(array[:, groups], 1, 0))
