"""A first guess of the active set: the exact optimum of a single-index model of the covariance, in microseconds.

With one factor and independent rests the problem under bounds, trading costs and a budget has a dual of two numbers:
the price of the budget and the portfolio's exposure to the index. Newton's method with halved steps finds them
(the active set of Elton, Gruber and Padberg 1976, with bounds on both sides). Rows and caps are left out: it is
a guess, and everything after it is exact.
"""

import numpy as np
from numba import boolean, float64, njit, types, void

from nt_ray.portfolio.optimise.point import ActiveSet
from nt_ray.portfolio.optimise.problem import BUDGET, Problem
from nt_ray.types import FloatArray

_LEAST_SPECIFIC = 0.05
"""Share of the mean variance below which no specific variance is taken seriously."""

_MATRIX = types.Array(float64, 2, "C", readonly=True)
_VECTOR = types.Array(float64, 1, "C", readonly=True)


def guess(problem: Problem) -> ActiveSet:
    """Return the active set of the problem's single-index model."""
    loadings, specific = problem.curvature.index_model(_LEAST_SPECIFIC)
    budgeted = BUDGET in problem.names[:1]
    budget = float(problem.low[0]) if budgeted else 0.0
    weights = np.empty(problem.assets)
    _index_optimum(loadings, specific, problem.linear, problem.breaks, problem.slopes[0], budget, budgeted, weights)
    return located(problem, weights)


def located(problem: Problem, weights: FloatArray, near: float = 0.0) -> ActiveSet:
    """Return the active set of some weights: at the breakpoints within `near` of them, free elsewhere."""
    breaks = problem.breaks
    places = 2 * (weights[:, None] >= breaks[:, 1:-1]).sum(axis=1) + 1
    for j in range(breaks.shape[1]):
        places[np.abs(weights - breaks[:, j]) <= near] = 2 * j
    places[breaks[:, 0] == breaks[:, -1]] = 0
    sides = np.zeros(problem.low.size + 2, dtype=np.int8)
    sums = problem.rows @ weights
    sides[:-2] = problem.low == problem.high
    if near > 0.0:
        sides[:-2] = np.where(sums >= problem.high - near, 1, np.where(sums <= problem.low + near, -1, 0))
    spent = problem.spent(weights)
    sides[-2:] = [near > 0.0 and used >= limit - near for used, limit in zip(spent, problem.caps, strict=True)]
    return ActiveSet(places.astype(np.int8), sides)


@njit(
    types.UniTuple(float64, 6)(  # type: ignore[no-untyped-call]
        _VECTOR, _VECTOR, _VECTOR, _MATRIX, _MATRIX, float64, float64, float64[::1]
    ),
    cache=True,
    nogil=True,
)
def _answer(
    loadings: FloatArray,
    specific: FloatArray,
    linear: FloatArray,
    breaks: FloatArray,
    slopes: FloatArray,
    price: float,
    exposure: float,
    weights: FloatArray,
) -> tuple[float, float, float, float, float, float]:
    """Write each asset's best weight at a price and an exposure; return value, sums and curvature of the dual."""
    value = total = indexed = flat = mixed = steep = 0.0
    last = breaks.shape[1] - 1
    for i in range(weights.size):
        pull = linear[i] + price + loadings[i] * exposure
        best = breaks[i, last]
        at = last - 1
        inside = False
        for j in range(last):
            aim = -(pull + slopes[i, j]) / specific[i]
            if aim <= breaks[i, j]:
                best, at = breaks[i, j], j
                break
            if aim <= breaks[i, j + 1]:
                best, at, inside = aim, j, aim < breaks[i, j + 1]
                break
        weights[i] = best
        value += 0.5 * specific[i] * best * best + (pull + slopes[i, at]) * best
        total += best
        indexed += loadings[i] * best
        if inside:
            share = 1.0 / specific[i]
            flat += share
            mixed += share * loadings[i]
            steep += share * loadings[i] * loadings[i]
    return value, total, indexed, flat, mixed, steep


@njit(
    void(
        _VECTOR,
        _VECTOR,
        _VECTOR,
        _MATRIX,
        _MATRIX,
        float64,
        boolean,
        float64[::1],
    ),
    cache=True,
    nogil=True,
)
def _index_optimum(
    loadings: FloatArray,
    specific: FloatArray,
    linear: FloatArray,
    breaks: FloatArray,
    slopes: FloatArray,
    budget: float,
    budgeted: bool,
    weights: FloatArray,
) -> None:
    """Write the optimum of the single-index model, or the best found in 25 Newton steps."""
    price = exposure = 0.0
    value, total, indexed, flat, mixed, steep = _answer(
        loadings, specific, linear, breaks, slopes, price, exposure, weights
    )
    softest = 1e-6 * (1.0 / specific).sum()
    for _ in range(25):
        short = total - budget if budgeted else 0.0
        apart = indexed - exposure
        if abs(short) <= 1e-9 * abs(budget) and abs(apart) <= 1e-9 * (abs(exposure) + 1e-300):
            return
        a = max(flat, softest)
        b = mixed if budgeted else 0.0
        d = 1.0 + steep
        determinant = a * d - b * b
        if determinant <= 0.0:
            return
        move_price = (d * short - b * apart) / determinant if budgeted else 0.0
        move_exposure = (a * apart - b * short) / determinant
        here = value - 0.5 * exposure * exposure - price * budget
        stride = 1.0
        for _ in range(30):
            new_price = price + stride * move_price
            new_exposure = exposure + stride * move_exposure
            value, total, indexed, flat, mixed, steep = _answer(
                loadings, specific, linear, breaks, slopes, new_price, new_exposure, weights
            )
            if value - 0.5 * new_exposure * new_exposure - new_price * budget > here:
                break
            stride *= 0.5
        price, exposure = new_price, new_exposure
