"""Running paper results of agents: what each would have earned by its own targets, before costs.

A target said at bar t earns the simple return from close t to close t + 1; it is booked when bar t + 1 is
seen, so nothing looks ahead. An unknown close gives no return at that bar; the next return spans the gap.
"""

import numpy as np
from numba import boolean, float64, int64, njit, types, void

from nt_ray.market.bars import CLOSE
from nt_ray.swarm.lanes import BARS
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, Opinions, Report
from nt_ray.swarm.tally import MATRIX
from nt_ray.swarm.voices import Layout
from nt_ray.types import BoolArray, FloatArray, IntArray


class Results:
    """Contributions and mean confidences of a host's agents, one column for each (agent, symbol)."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        columns = len(layout.symbols)
        self._targets = np.zeros(columns)
        self._prices = np.full(columns, np.nan)
        self._earned = np.zeros(columns)
        self._weights = np.zeros(columns, dtype=np.int64)
        self._bars = 0

    def settle(self, opinions: Opinions, values: FloatArray, start: int) -> None:
        """Book a block of opinions that begins at bar `start` of `values`; the silent hold nothing."""
        heard: BoolArray = np.isin(self._layout.owners, opinions.agents)
        _settle(
            opinions.targets,
            opinions.weights,
            heard,
            self._layout.symbols,
            values,
            start,
            self._targets,
            self._prices,
            self._earned,
            self._weights,
        )
        self._bars += len(opinions.targets)

    def report(self) -> Report:
        """Results so far, averaged over the symbols of each agent."""
        starts, sizes = self._layout.starts[:-1], np.diff(self._layout.starts)
        contributions = np.add.reduceat(self._earned, starts) / sizes
        weights = np.add.reduceat(self._weights, starts) / (sizes * max(self._bars, 1) * WEIGHT_ONE)
        return Report(self._layout.agents, contributions, weights)


@njit(
    void(
        MATRIX,
        MATRIX,
        types.Array(boolean, 1, "C", readonly=True),
        int64[::1],
        BARS,
        int64,
        float64[::1],
        float64[::1],
        float64[::1],
        int64[::1],
    ),
    cache=True,
    nogil=True,
)
def _settle(
    targets: IntArray,
    weights: IntArray,
    heard: BoolArray,
    symbols: IntArray,
    values: FloatArray,
    start: int,
    last_targets: FloatArray,
    last_prices: FloatArray,
    earned: FloatArray,
    total_weights: IntArray,
) -> None:
    bars = targets.shape[0]
    spoken = 0
    for v in range(symbols.shape[0]):
        for k in range(bars):
            price = values[start + k, symbols[v], CLOSE]
            if not np.isnan(price):
                if not np.isnan(last_prices[v]):
                    earned[v] += last_targets[v] * (price / last_prices[v] - 1.0)
                last_prices[v] = price
            last_targets[v] = 0.0
            if heard[v]:
                if weights[k, spoken] > 0:
                    last_targets[v] = targets[k, spoken] / TARGET_ONE
                total_weights[v] += weights[k, spoken]
        if heard[v]:
            spoken += 1
