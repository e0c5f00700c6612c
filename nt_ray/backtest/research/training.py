"""Scores of all candidates on the train rows of a window, by the kernels of the sweep.

A sweep's account holds one group of symbols, so they serve a study whose panel is one group; a study of several groups
on one account has no such kernel and is answered by the schedule. The strategy sees the rows before the window, but no
price of them: an order has nothing to be filled at, so the account stays flat until the window begins. Totals are the
schedule's own up to the rounding of sums; the score of the candidate that is chosen is computed anew from its curve.
"""

from dataclasses import dataclass, replace

import numpy as np

from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.chunk import ChunkWork, run_chunk
from nt_ray.backtest.sweep.kernels import Kind
from nt_ray.backtest.sweep.measures import measures
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A panel of one group of symbols made ready once; safe to use from several threads."""

    strategy: Strategy
    tape: SweepTape
    periods_per_year: float

    @classmethod
    def of(
        cls, panel: BarPanel, strategy: Strategy, groups: IntArray, sizing: SizingParams, costs: Costs, cash: int
    ) -> "Training | None":
        """Make a panel ready; None where the account holds more than one group."""
        if len(groups) != 1:
            return None
        tape = SweepTape.of(panel, strategy, groups, sizing, costs, cash, share=False)
        return cls(strategy, tape, panel.periods_per_year)

    def scores(
        self, candidates: FloatArray, metric: str, first: int, after: int, warm: int
    ) -> tuple[FloatArray, BoolArray]:
        """Scores of candidates (K, parameters) on rows first..after-1, and which of them failed.

        Parameters
        ----------
        metric
            A name of `scores.SCORES`.
        warm
            Rows before the first decision that the strategy sees without trading, as far as there are any.

        Returns
        -------
        (K,) scores, NaN where undefined or failed; (K,) whether the step raised or gave no vote.
        """
        work = ChunkWork(0, candidates, {})
        found = run_chunk(self.strategy, self._window(first, after, warm), work, Kind.GENERIC)
        named = measures(found.whole[:, 0], found.real[:, 0], self.tape.cash, after - first, self.periods_per_year)
        values = _calmar(named) if metric == "calmar" else named[metric]
        return values, found.whole[:, 0, totals.STATUS] != totals.FINE

    def _window(self, first: int, after: int, warm: int) -> SweepTape:
        """Rows that the window needs; no price before its first."""
        tape, begin = self.tape, max(first - 1 - warm, 0)
        rows = slice(begin, after)
        entries = tape.entries[:, rows].copy()
        entries[:, : first - begin] = UNKNOWN_PRICE
        return replace(
            tape,
            values=tape.values[:, rows],
            entries=entries,
            most=tape.most[:, rows],
            marks=tape.marks[:, rows],
            closes=tape.closes[:, rows],
            volatility=tape.volatility[:, rows],
        )


def _calmar(named: dict[str, FloatArray]) -> FloatArray:
    depth = -named["max_drawdown"]
    result: FloatArray = np.where(depth > 0.0, named["cagr"] / np.where(depth > 0.0, depth, 1.0), np.nan)
    return result
