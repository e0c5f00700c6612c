"""Targets: from what is decided at a bar to the differences in whole lots that are wanted.

A replayed session and one at a live account size by this object alone, so equal bars, positions and equity give equal
orders. It sees closes up to its bar and sends nothing.
"""

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.allocation import Allocator
from nt_ray.portfolio.sizing import SizingParams, as_weights, target_lots, volatility_path
from nt_ray.types import FloatArray, IntArray


class Targets:
    """Sizing over one panel, bar by bar in any order; `closes` is (T, N), `lot_sizes` (N,)."""

    def __init__(self, panel: BarPanel, sizing: SizingParams, allocator: Allocator | None = None) -> None:
        self.closes = np.ascontiguousarray(panel.closes)
        self.lot_sizes = np.array([float(i.quantity_increment) for i in panel.instruments])
        self._allocator = allocator
        self._sizing = (sizing if allocator is None else as_weights(sizing)).vector()
        self._volatility = volatility_path(self.closes, panel.periods_per_year, sizing.volatility_halflife)

    def differences(self, row: int, exposures: FloatArray, lots: IntArray, equity_quanta: int) -> dict[int, int]:
        """Signed lots wanted by column, columns without any left out.

        Parameters
        ----------
        row
            Bar of the panel that was decided.
        exposures
            (N,) decided exposures in [-1, 1]; NaN holds.
        lots
            (N,) present positions in lots, signed.
        equity_quanta
            Equity in money quanta.
        """
        if self._allocator is not None:
            exposures = self._allocator.weights(row, exposures)
        targets = target_lots(
            np.ascontiguousarray(exposures),
            self.closes[row],
            self._volatility[row],
            lots,
            self.lot_sizes,
            equity_quanta,
            self._sizing,
        )
        return {int(column): int(targets[column] - lots[column]) for column in np.flatnonzero(targets != lots)}
