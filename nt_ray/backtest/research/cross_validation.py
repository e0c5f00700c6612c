"""Combinatorial purged cross-validation of a search: many out-of-sample histories instead of one.

On each split the candidate with the best Sharpe ratio on the train rows is taken, and its returns on the test
groups are kept; put together they make `splits.path_count` whole histories that were never fitted on.

Source: López de Prado (2018), Advances in Financial Machine Learning, chapter 12.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.splits import combinatorial_splits, group_bounds, paths
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Out-of-sample histories."""

    returns: FloatArray
    """(P, T) returns of each history."""
    chosen: IntArray
    """(splits,) candidate taken on each split."""
    sharpes: FloatArray
    """(P,) Sharpe ratio per period of each history; NaN where undefined."""


def cross_validate(
    returns: FloatArray, *, groups: int = 10, test_groups: int = 2, purge: int = 0, embargo: int = 0
) -> Paths:
    """Cross-validate trial returns (T, K), NaN an error; see `splits.combinatorial_splits` for the rest."""
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 2 or returns.size == 0 or not np.isfinite(returns).all():
        raise ResearchError(f"Trial returns of shape {returns.shape} cannot be used. Give a finite (T, K) table.")
    rows = len(returns)
    splits = combinatorial_splits(rows, groups, test_groups, purge=purge, embargo=embargo)
    chosen = np.array([_best(returns[s.train]) for s in splits], dtype=np.int64)
    bounds = group_bounds(rows, groups)
    table = paths(groups, test_groups)
    histories = np.empty((len(table), rows))
    for p, tests in enumerate(table):
        for g, number in enumerate(tests.tolist()):
            span = slice(int(bounds[g]), int(bounds[g + 1]))
            histories[p, span] = returns[span, chosen[number]]
    return Paths(histories, chosen, column_sharpes(histories.T))


def column_sharpes(returns: FloatArray) -> FloatArray:
    """Sharpe ratio per period (ddof 1) of each column of (T, K); NaN where a column does not vary."""
    if len(returns) < 2:
        return np.full(returns.shape[1], np.nan)
    deviation = returns.std(axis=0, ddof=1)
    alive = deviation > 1e-12
    return np.where(alive, returns.mean(axis=0) / np.where(alive, deviation, 1.0), np.nan)


def _best(returns: FloatArray) -> int:
    """First column with the highest Sharpe ratio; 0 where none has one."""
    sharpes = column_sharpes(returns)
    return 0 if bool(np.isnan(sharpes).all()) else int(np.nanargmax(sharpes))
