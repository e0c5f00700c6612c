"""Joint one-period returns of a set of symbols: the scenarios over which the gate revalues an account.

A table is made from past returns or from drawn ones (`nt_ray.risk.monte_carlo`), checked once, and never changed. It
knows no position. Shortfall here is the coherent one of `nt_ray.risk.historical`, so it never grows by netting: the
shortfall of a sum is at most the sum of the shortfalls (Acerbi and Tasche, 2002).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_returns
from nt_ray.portfolio.tail_count import check_tail, tail_size
from nt_ray.types import FloatArray


class ScenarioTable:
    """Returns (S, N) of N symbols in S equally likely scenarios."""

    def __init__(self, symbols: Sequence[str], returns: npt.ArrayLike, confidence: float) -> None:
        """Check and keep; a tail without a scenario of its own is a `RiskError`."""
        self.confidence = check_confidence(confidence)
        self.returns = check_returns(returns, names=symbols, what="Scenarios")
        scenarios, columns = self.returns.shape
        if len(symbols) != columns or len(set(symbols)) != columns:
            raise RiskError(f"{len(symbols)} symbols name {columns} columns of scenarios. Give one name for each.")
        check_tail(scenarios, confidence)
        self.columns: Mapping[str, int] = {symbol: i for i, symbol in enumerate(symbols)}
        self._tail, rank = tail_size(scenarios, confidence)
        self._place = rank - 1
        tails = np.sort(self.returns, axis=0)
        self._long: list[float] = self._shortfall(tails).tolist()
        self._short: list[float] = self._shortfall(-tails[::-1]).tolist()

    def var(self, values: FloatArray) -> FloatArray:
        """Value at risk of K books, (K,), in the unit of `values` (K, N); a loss is positive."""
        return -np.partition(values @ self.returns.T, self._place, axis=1)[:, self._place]

    def shortfall(self, values: FloatArray) -> FloatArray:
        """Expected shortfall of K books, (K,); never below their value at risk."""
        profits = np.partition(values @ self.returns.T, self._place, axis=1)[:, : self._place + 1]
        return self._shortfall(np.sort(profits, axis=1).T)

    def alone(self, symbol: str, value: float) -> float:
        """Expected shortfall of a signed value in one symbol by itself."""
        column = self.columns[symbol]
        return value * self._long[column] if value > 0.0 else -value * self._short[column]

    def _shortfall(self, lowest: FloatArray) -> FloatArray:
        """Shortfall of profits sorted from the lowest along the first axis."""
        at = lowest[self._place]
        found: FloatArray = -at - (lowest[: self._place] - at).sum(axis=0) / self._tail
        return found


def past_returns(closes: FloatArray, window: int) -> FloatArray:
    """Simple returns (S, N) of the last `window` steps of closes (T, N) at which every column has a price.

    Columns without any price within the window are the caller's to leave out: one NaN drops the whole row.
    """
    past = closes[-(window + 1) :]
    returns = past[1:] / past[:-1] - 1.0
    found: FloatArray = returns[np.isfinite(returns).all(axis=1)]
    return found
