"""Probability of backtest overfitting: how often the best in sample is below the median out of sample.

Combinatorially symmetric cross-validation: rows are cut into an even number S of equal groups; every half of the
groups is in-sample once and the other half out-of-sample. For the candidate with the best in-sample Sharpe ratio,
w is its relative out-of-sample rank, rank / (K + 1), and its logit ln(w / (1 - w)). The probability of
overfitting is the share of logits at or below zero: near 0.5 where selection is worthless.

Source: Bailey, Borwein, López de Prado and Zhu (2017), The probability of backtest overfitting, Journal of
Computational Finance 20.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.splits import group_bounds
from nt_ray.types import BoolArray, FloatArray

GROUPS = 16
MAX_GROUPS = 20
_CHUNK = 512
CONSTANT = 1e-12
"""Returns that vary less than this are rounding of a constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What cross-validation says of a search; C combinations."""

    probability: float
    """Share of combinations whose winner ranks at or below the median out of sample."""
    loss_probability: float
    """Share of combinations whose winner has a negative Sharpe ratio out of sample."""
    slope: float | None
    """Slope of the winner's out-of-sample on its in-sample Sharpe ratio; None where the latter never varies."""
    logits: FloatArray
    """(C,)."""
    in_sample: FloatArray
    """(C,) Sharpe ratio per period of the winner on its in-sample half."""
    out_of_sample: FloatArray
    """(C,) its Sharpe ratio on the other half."""
    candidates: int
    """Candidates compared; those without deviation are left out."""


def overfitting(returns: FloatArray, groups: int = GROUPS) -> Overfitting:
    """Cross-validate a search.

    Parameters
    ----------
    returns
        (T, K) returns of K candidates on the same rows; NaN is an error. Candidates that do not vary in more than
        half of the groups are left out: on some half they would have no Sharpe ratio.
    groups
        S, even, from 2 to 20; group sizes differ by one row at most.
    """
    returns = _checked(returns, groups)
    bounds = group_bounds(len(returns), groups)
    # Sums of squares about a candidate's own mean keep their digits.
    base = returns.mean(axis=0)
    sums = np.add.reduceat(returns - base, bounds[:-1], axis=0)
    squares = np.add.reduceat((returns - base) ** 2, bounds[:-1], axis=0)
    sizes = np.diff(bounds).astype(np.float64)
    parts = [_judge(chosen, sums, squares, sizes, base) for chosen in _halves(groups)]
    logits, inside, outside = (np.concatenate(part) for part in zip(*parts, strict=True))
    spread = inside - inside.mean()
    square = float(spread @ spread)
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        loss_probability=float(np.mean(outside < 0.0)),
        slope=float(spread @ outside) / square if square > 0.0 else None,
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        candidates=returns.shape[1],
    )


def _halves(groups: int) -> Iterator[BoolArray]:
    """Chunks of in-sample choices, each (at most _CHUNK, groups)."""
    every = combinations(range(groups), groups // 2)
    for _ in range(0, comb(groups, groups // 2), _CHUNK):
        rows = np.array(list(islice(every, _CHUNK)), dtype=np.int64)
        chosen = np.zeros((len(rows), groups), dtype=np.bool_)
        np.put_along_axis(chosen, rows, values=True, axis=1)
        yield chosen


def _judge(
    chosen: BoolArray, sums: FloatArray, squares: FloatArray, sizes: FloatArray, base: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    inside = _sharpes(chosen.astype(np.float64), sums, squares, sizes, base)
    outside = _sharpes((~chosen).astype(np.float64), sums, squares, sizes, base)
    best = np.argmax(inside, axis=1)[:, None]
    of_best = np.take_along_axis(outside, best, axis=1)
    below = np.sum(outside < of_best, axis=1)
    ties = np.sum(outside == of_best, axis=1)
    # Equal values share the mean of their ranks.
    relative = (below + (ties + 1.0) / 2.0) / (outside.shape[1] + 1.0)
    return np.log(relative / (1.0 - relative)), np.take_along_axis(inside, best, axis=1)[:, 0], of_best[:, 0]


def _sharpes(
    weights: FloatArray, sums: FloatArray, squares: FloatArray, sizes: FloatArray, base: FloatArray
) -> FloatArray:
    count = (weights @ sizes)[:, None]
    mean = weights @ sums / count
    variance = (weights @ squares / count - mean**2) * count / (count - 1.0)
    result: FloatArray = (base + mean) / np.sqrt(np.maximum(variance, CONSTANT**2))
    return result


def _checked(returns: FloatArray, groups: int) -> FloatArray:
    if groups % 2 or not 2 <= groups <= MAX_GROUPS:
        raise ResearchError(f"groups={groups} cannot be halved. Use an even number from 2 to {MAX_GROUPS}.")
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 2 or not np.isfinite(returns).all():
        raise ResearchError(f"Trial returns of shape {returns.shape} cannot be compared. Give a finite (T, K) table.")
    if len(returns) < 2 * groups:
        raise ResearchError(f"{len(returns)} rows are too few for {groups} groups. Use fewer groups or more rows.")
    bounds = group_bounds(len(returns), groups)
    spans = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    alive = np.sum([np.ptp(returns[a:b], axis=0) > CONSTANT for a, b in spans], axis=0) > groups // 2
    if int(alive.sum()) < 2:
        raise ResearchError(f"{int(alive.sum())} candidates have returns that vary. Compare at least 2.")
    return returns[:, alive]
