"""A panel as the sweep's kernels read it: each group of symbols in one piece, prices in ticks, volatility known.

Plain arrays and numbers only, so that it lies in shared memory once and every worker reads it without a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.backtest.simulator import LARGEST_QUANTA, Tape
from nt_ray.backtest.sweep import crossing
from nt_ray.brokers.simulated import matching
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import CLOSE, OPEN, BarPanel
from nt_ray.portfolio.sizing import SizingParams, volatility_path
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.inputs import input_values
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SweepTape:
    """Bars of G groups of `width` symbols, T bars each."""

    values: FloatArray
    """(G, T, width, F) what the step sees; (G, 0, width, F) where votes are told from sums."""
    entries: IntArray
    """(G, T, width) price in ticks that a market order meets: the open, or the close of a close-only instrument; -1
    unknown."""
    most: IntArray
    """(G, T, width) lots that one order fills at most."""
    least: IntArray
    """(G, width) the smallest of these: a smaller order fills on any bar."""
    marks: IntArray
    """(G, T, width) last known close in ticks."""
    closes: FloatArray
    """(G, T, width); NaN unknown."""
    volatility: FloatArray
    """(G, T, width) annualised; empty where sizing asks for none."""
    units: IntArray
    """(G, width) money quanta of one tick times one lot."""
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
    """(G, T); (G, 0) where no close is missing."""

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
        values = input_values(strategy, panel)
        if share and crossing.applies(strategy):
            sums, counts = crossing.prefix_sums(closes)
            values = values[:0]
        entries = np.where(tape.close_only, tape.ticks[:, :, CLOSE], tape.ticks[:, :, OPEN])
        most = _most(tape)
        return cls(
            by_group(values, groups), by_group(entries, groups), by_group(most, groups), most.min(axis=0)[groups],
            by_group(tape.marks(), groups), closes, volatility, tape.units[groups], tape.lot_sizes[groups],
            tape.costs[groups], sizing.vector(), cash, sums, counts,
        )  # fmt: skip

    def inputs(self) -> Sequence[object]:
        """Arguments of a kernel from `values` to `counts`; small arrays are writable copies, as it asks."""
        return (
            self.values, self.entries, self.most, self.least.copy(), self.marks, self.closes, self.volatility,
            self.units.copy(), self.lot_sizes.copy(), self.costs.copy(), self.sizing.copy(), self.cash,
            self.sums, self.counts,
        )  # fmt: skip

    def of_group(self, group: int) -> "SweepTape":
        """Return the tape of one group alone, without a copy."""
        own = {
            f.name: getattr(self, f.name)[group : group + 1] for f in fields(self) if f.name not in ("sizing", "cash")
        }
        return replace(self, **own)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        prices = (self.values, self.entries, self.most, self.marks, self.closes, self.volatility)
        return sum(a.nbytes for a in (*prices, self.sums, self.counts))


def by_group(array: np.ndarray, groups: IntArray) -> np.ndarray:
    """(T, N, ...) as (G, T, width, ...), contiguous."""
    return np.ascontiguousarray(np.moveaxis(array[:, groups], 1, 0))


def _most(tape: Tape) -> IntArray:
    """Lots that one order fills at most on each bar, (T, N)."""
    most = np.empty(tape.volumes.shape, dtype=np.int64)
    _fill_most(tape.volumes, tape.lot_sizes, tape.costs, most)
    return most


@njit(void(float64[:, ::1], float64[::1], int64[:, ::1], int64[:, ::1]), cache=True, nogil=True)
def _fill_most(volumes: FloatArray, lot_sizes: FloatArray, costs: IntArray, most: IntArray) -> None:
    for t in range(volumes.shape[0]):
        for i in range(volumes.shape[1]):
            most[t, i] = matching.fill_lots(LARGEST_QUANTA, volumes[t, i], lot_sizes[i], costs[i, 4])
