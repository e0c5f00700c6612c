"""Hierarchical risk parity: weights from a tree of correlations, without inverting a matrix.

Lopez de Prado (2016), Building diversified portfolios that outperform out of sample: assets are put into the order of
the tree's leaves, and that list is halved again and again, each half getting weight in inverse proportion to the
variance of its inverse-variance portfolio. It is a rule, not an optimisation, so its residual is NaN.

Bounds of the weights move each split no further than both halves can bear. Other constraints are refused by name.
"""

import math
import time

import numpy as np
import numpy.typing as npt
from numba import float64, int64, njit, void

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.moments.sample import sample
from nt_ray.portfolio.optimise.conflicts import conflicts
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import Covariance, Dense
from nt_ray.portfolio.optimise.hierarchy import Hierarchy, Linkage
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution
from nt_ray.types import FloatArray, IntArray

_LONG_ONLY = Constraints()


def hrp(
    covariance: Covariance | None = None,
    *,
    returns: npt.ArrayLike | None = None,
    linkage: Linkage = "single",
    ordered: bool = False,
    constraints: Constraints = _LONG_ONLY,
) -> Solution:
    """Weigh assets by hierarchical risk parity.

    Parameters
    ----------
    covariance
        (N, N) with positive variances, or a `FactorCovariance`; NaN is an error.
    returns
        (T, N) simple returns in place of a covariance, of which the sample covariance is taken; NaN is an error.
    linkage
        How far apart clusters are: single (the paper's), complete, average, weighted, ward.
    ordered
        Turn the branches of the tree so that neighbours are closest, before the list is halved.
    constraints
        A positive budget (1 where it is None), and bounds from 0 on that leave it room.

    Returns
    -------
    Solution
        Its objective is the standard deviation of the portfolio.
    """
    began = time.perf_counter()
    form = dense_of(covariance, returns)
    lower, upper, total = bounds_of(form, constraints)
    weights = np.ones(form.assets)
    if form.assets > 1:
        order = Hierarchy.of(form.matrix, linkage, ordered=ordered).order
        _bisect(form.matrix, order, lower / total, upper / total, weights)
    return solution(form, weights * total, "recursive_bisection", began)


def dense_of(covariance: Covariance | None, returns: npt.ArrayLike | None) -> Dense:
    """Check a covariance with positive variances, or take the sample covariance of returns."""
    if (covariance is None) == (returns is None):
        raise RiskError("A covariance or returns are needed, one of them. Give either.")
    given = returns is None and not isinstance(covariance, FactorCovariance)
    if returns is not None:
        covariance = sample(returns, singular=True)
    elif isinstance(covariance, FactorCovariance):
        covariance = covariance.dense()
    form = Dense(np.asarray(covariance))
    if given:
        form.prove()
    variances = form.matrix.diagonal()
    if not (variances > 0.0).all():
        raise RiskError(f"Asset {int(np.argmin(variances))} has no variance, so no correlation. Leave it out.")
    return form


def bounds_of(form: Dense, constraints: Constraints) -> tuple[FloatArray, FloatArray, float]:
    """Return (N,) bounds and the sum of the weights; refuse what a rule of splits cannot keep."""
    given = {
        "linear": bool(constraints.linear),
        "max_turnover": constraints.max_turnover is not None,
        "max_gross": constraints.max_gross is not None,
        "max_names": constraints.max_names is not None,
        "min_position": constraints.min_position != 0.0,
        "cost": bool(np.any(constraints.cost)),
    }
    for name in (name for name, stated in given.items() if stated):
        raise RiskError(f"{name} cannot be kept by splitting a tree. Drop it, or use an optimiser.")
    total = 1.0 if constraints.budget is None else constraints.budget
    lower, upper = constraints.bounds(form.assets)
    if not 0.0 < total < np.inf or (lower < 0.0).any():
        raise RiskError(f"budget={total} or a lower bound is below 0. Give splits of a tree positive weights to share.")
    if lower.sum() > total * (1 + 1e-12) or upper.sum() < total * (1 - 1e-12):
        raise InfeasibleError(conflicts(Problem.of(form, np.zeros(form.assets), constraints)))
    return lower, upper, total


def solution(form: Dense, weights: FloatArray, solver: str, began: float) -> Solution:
    """State weights that follow from a rule."""
    return Solution(
        weights=weights,
        objective=math.sqrt(max(0.0, float(weights @ form.product(weights)))),
        solver=solver,
        residual=float("nan"),
        iterations=0,
        seconds=time.perf_counter() - began,
    )


@njit(float64(float64[:, ::1], int64[::1], int64, int64), cache=True, nogil=True)
def _variance(covariance: FloatArray, order: IntArray, first: int, end: int) -> float:
    """Variance of the inverse-variance portfolio of order[first:end]."""
    total, squares = 0.0, 0.0
    for i in range(first, end):
        total += 1.0 / covariance[order[i], order[i]]
    for i in range(first, end):
        row = order[i]
        across = 0.0
        for j in range(first, i):
            across += covariance[row, order[j]] / covariance[order[j], order[j]]
        squares += (2.0 * across + 1.0) / covariance[row, row]
    return squares / (total * total)


@njit(void(float64[:, ::1], int64[::1], float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _bisect(covariance: FloatArray, order: IntArray, lower: FloatArray, upper: FloatArray, weights: FloatArray) -> None:
    """Halve the list until single assets are left; weights (N,) come in as ones."""
    n = len(order)
    firsts, ends = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    firsts[0], ends[0] = 0, n
    waiting = 1
    while waiting:
        waiting -= 1
        first, end = firsts[waiting], ends[waiting]
        if end - first < 2:
            continue
        middle = first + (end - first) // 2
        one, other = _variance(covariance, order, first, middle), _variance(covariance, order, middle, end)
        share = 1.0 - one / (one + other)
        have = weights[order[first]]
        least, most, least_other, most_other = 0.0, 0.0, 0.0, 0.0
        for i in range(first, middle):
            least += lower[order[i]]
            most += upper[order[i]]
        for i in range(middle, end):
            least_other += lower[order[i]]
            most_other += upper[order[i]]
        share = max(min(share, most / have), least / have)
        share = 1.0 - max(min(1.0 - share, most_other / have), least_other / have)
        for i in range(first, middle):
            weights[order[i]] *= share
        for i in range(middle, end):
            weights[order[i]] *= 1.0 - share
        firsts[waiting], ends[waiting] = first, middle
        firsts[waiting + 1], ends[waiting + 1] = middle, end
        waiting += 2
