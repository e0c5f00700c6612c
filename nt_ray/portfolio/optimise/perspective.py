"""A tighter bound where at most so many names may be held: the perspective of part of the diagonal.

Take d (N,) so that P - diag(d) is still positive semi-definite. With z_i = 1 where asset i is held and 0 where not,
d_i w_i^2 equals d_i w_i^2 / z_i, which is convex in both, so that letting z take fractions gives a relaxation

    g(z) = min over w of  w'(P - diag(d))w / 2 + sum d_i w_i^2 / (2 z_i) + the rest of the problem

whose optimum over sum z <= names lies far above that of the problem without the limit. For a given z it is a problem
of the same kind with a larger diagonal. g is convex, so from any z the slope there bounds it from below everywhere:

    g >= g(z) + min over the z' allowed of slope'(z' - z),    slope_i = -d_i w_i^2 / (2 z_i^2)

The bound holds wherever the search for z stops. Sources: Frangioni and Gentile (2006), Perspective cuts for a class of
convex 0-1 mixed integer programs, Mathematical Programming 106; Frank and Wolfe (1956) for the bound.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import eigh

from nt_ray.portfolio.optimise.curvature import Curvature, Factor
from nt_ray.portfolio.optimise.point import ActiveSet
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import solve_if_feasible
from nt_ray.types import BoolArray, FloatArray

_KEPT: Final = 1e-6
"""Share of the spare diagonal that stays in the form, against rounding in its smallest eigenvalue."""
_LEAST: Final = 1e-5
"""Smallest z: what an asset without weight keeps, so that its slope is known."""
_SETTLED: Final = 1e-4
"""Share of the value that may be left to gain where the search stops."""


@dataclass(frozen=True, slots=True)
class Tightened:
    """The best bound found, and where."""

    bound: float
    weights: FloatArray
    """(N,)"""
    shares: FloatArray
    """(N,) z"""
    steps: int
    """Problems solved."""


def spare_diagonal(form: Curvature) -> FloatArray:
    """Return d (N,), not negative, with P - diag(d) positive semi-definite; zeros where nothing can be spared."""
    if isinstance(form, Factor):
        return np.asarray((1.0 - _KEPT) * form.specific)
    matrix = form.dense()
    variances = matrix.diagonal()
    if not (variances > 0.0).all():
        return np.zeros(form.assets)
    unit = 1.0 / np.sqrt(variances)
    smallest = float(eigh(matrix * np.outer(unit, unit), eigvals_only=True, subset_by_index=(0, 0))[0])
    return np.asarray(max(0.0, smallest - _KEPT) * variances)


def tighten(
    problem: Problem,
    spare: FloatArray,
    undecided: BoolArray,
    names: int,
    shares: FloatArray,
    *,
    enough: float,
    steps: int,
) -> Tightened | None:
    """Search for the largest bound of a problem in which at most `names` of the undecided assets may be held.

    Parameters
    ----------
    problem
        The relaxation without the limit; other assets are held, or out, by its bounds.
    spare
        (N,) d of `spare_diagonal` of its form.
    shares
        (N,) z to start from.
    enough
        A bound from which the search may stop.
    steps
        Most problems to solve.

    Returns
    -------
    None where the problem cannot be met.
    """
    best: Tightened | None = None
    warm: ActiveSet | None = None
    z = np.where(undecided, np.maximum(shares, _LEAST), 1.0)
    for step in range(1, steps + 1):
        larger = problem.with_curvature(problem.curvature.shifted(spare * (1.0 / z - 1.0)))
        answer = solve_if_feasible(larger, warm)
        if answer is None:
            return None
        weights, warm = answer.point.weights, answer.active
        value = larger.value(weights)
        slopes = np.where(undecided, -0.5 * spare * (weights / z) ** 2, 0.0)
        steepest = np.sort(slopes)[:names].sum()
        bound = value + float(steepest - slopes @ z)
        if best is None or bound > best.bound:
            best = Tightened(bound, weights, z, step)
        if best.bound >= enough or value - best.bound <= _SETTLED * abs(value):
            break
        z = np.where(undecided, _filled(np.abs(weights) * np.sqrt(spare), undecided, names), 1.0)
    return best


def _filled(sizes: FloatArray, undecided: BoolArray, names: int) -> FloatArray:
    """Return z (N,) in proportion to sizes, at most 1, that sum to the names over the undecided assets."""
    z = np.ones_like(sizes)
    loose = np.flatnonzero(undecided & (sizes > 0.0))
    left = float(names)
    while loose.size > left > 0.0:
        z[loose] = left * sizes[loose] / sizes[loose].sum()
        full = loose[z[loose] >= 1.0]
        if not full.size:
            break
        z[full] = 1.0
        left -= full.size
        loose = loose[z[loose] < 1.0]
    z[undecided & (sizes <= 0.0)] = _LEAST
    return np.maximum(z, _LEAST)
