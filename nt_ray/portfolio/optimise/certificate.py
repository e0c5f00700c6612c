"""The proof of an optimum: how far a point is from the optimality conditions, in units of the problem's own scale.

The residual is the largest of
- for each weight, |w - prox(w - t g)| / size: the length of a proximal gradient step on its bounds and costs;
- for each row and each cap, its distance from where the row and its multiplier agree, with rows scaled to
  a largest loading of 1 and multipliers to the gradient;
where g is the whole gradient, size = max |w|, force = max(|Pw|, |c|, mean variance * reach / 10,000), t = size / force,
and reach is the largest finite limit, or size where that is less.
It does not change when objective, weights or a row are multiplied by a number. It is zero at an optimum and nowhere
else, since the problem is convex.
"""

import numpy as np
from numba import float64, njit, types

from nt_ray.portfolio.optimise.point import Point
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import FloatArray

PROVEN = 1e-8
"""A residual up to here counts as an optimum."""

_LEAST_FORCE = 1e-4
"""A gradient this much smaller than the mean variance is rounding's own size: weights without variance have none."""


def residual(problem: Problem, point: Point) -> float:
    """Return how far weights and multipliers are from optimal, relative to the problem's scale."""
    weights = point.weights
    if not (np.isfinite(weights).all() and np.isfinite(point.rows).all() and np.isfinite(point.caps).all()):
        return float("inf")
    product = problem.curvature.product(weights)
    size, force = scales(problem, weights, product)
    gradient = problem.linear + product
    if point.rows.size:
        gradient = gradient + point.rows @ problem.rows
    slopes = problem.slopes[0] + point.caps[0] * problem.slopes[1] + point.caps[1] * problem.slopes[2]
    worst = _proximal(problem.breaks, slopes, weights, gradient, size / force) / size
    if problem.low.size:
        worst = max(worst, _row_residual(problem, point, size, force))
    spent = problem.spent(weights) if not problem.uncapped else (0.0, 0.0)
    for cap, limit in enumerate(problem.caps):
        if limit < np.inf:
            room = limit - spent[cap]
            worst = max(worst, abs(min(room / size, point.caps[cap] / force)))
    return worst


def scales(problem: Problem, weights: FloatArray, product: FloatArray) -> tuple[float, float]:
    """Return the size of weights and the size of gradients of a problem, given the form's product with the weights."""
    size = float(np.abs(weights).max())
    size = size if size > 0.0 else 1.0
    force = max(float(np.abs(problem.linear).max()), float(np.abs(product).max()))
    unit = _LEAST_FORCE * problem.curvature.scale
    if force < unit * size:
        # Not the weights' own size alone: they may be on their way to infinity.
        force = max(force, unit * min(size, problem.reach))
    return size, force if force > 0.0 else 1.0


def _row_residual(problem: Problem, point: Point, size: float, force: float) -> float:
    unit = np.abs(problem.rows).max(axis=1)
    unit = np.where(unit > 0.0, unit, 1.0)
    sums = (problem.rows @ point.weights) / (unit * size)
    pull = point.rows * unit / force
    low, high = problem.low / (unit * size), problem.high / (unit * size)
    return float(np.abs(sums - np.clip(sums + pull, low, high)).max())


_MATRIX = types.Array(float64, 2, "C", readonly=True)
_VECTOR = types.Array(float64, 1, "C", readonly=True)


@njit(float64(_MATRIX, _MATRIX, _VECTOR, _VECTOR, float64), cache=True, nogil=True)
def _proximal(breaks: FloatArray, slopes: FloatArray, weights: FloatArray, gradient: FloatArray, step: float) -> float:
    """Return the longest proximal gradient step over all weights."""
    worst = 0.0
    last = breaks.shape[1] - 1
    for i in range(weights.size):
        ahead = weights[i] - step * gradient[i]
        target = breaks[i, last]
        for j in range(last):
            aim = ahead - step * slopes[i, j]
            if aim <= breaks[i, j]:
                target = breaks[i, j]
                break
            if aim <= breaks[i, j + 1]:
                target = aim
                break
        worst = max(worst, abs(weights[i] - target))
    return worst
