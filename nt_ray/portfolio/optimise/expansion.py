"""A problem written out for solvers that know neither absolute values nor factors: more variables, sparse matrices.

    minimise x'Hx / 2 + h'x  subject to  E x = e,  f_low <= F x <= f_high,  x_low <= x <= x_high

Variables are the weights, then |w - previous| and |w| where they matter (from above), then the factors. The form is
divided by its mean variance, so that solvers with absolute tolerances see numbers near one.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nt_ray.portfolio.optimise.curvature import Factor
from nt_ray.portfolio.optimise.point import Point
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True)
class Expansion:
    """A quadratic program in standard form, and the way back."""

    problem: Problem
    unit: float
    """What the objective was divided by."""
    quadratic: sparse.csc_matrix
    linear: FloatArray
    equal: sparse.csc_matrix
    equal_to: FloatArray
    between: sparse.csc_matrix
    low: FloatArray
    high: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def plain(self) -> bool:
        """Tell whether the variables are the weights alone."""
        return self.linear.size == self.problem.assets

    def point(self, variables: FloatArray, equal: FloatArray, between: FloatArray) -> Point:
        """Return weights and multipliers from a solver's variables and its multipliers, positive at the upper side."""
        problem = self.problem
        fixed = problem.low == problem.high
        rows = np.zeros(problem.low.size)
        rows[fixed] = equal[: int(fixed.sum())] * self.unit
        rows[~fixed] = between[: int((~fixed).sum())] * self.unit
        caps = np.zeros(2)
        capped = np.isfinite(problem.caps)
        if capped.any():
            caps[capped] = between[-int(capped.sum()) :] * self.unit
        return Point(np.ascontiguousarray(variables[: problem.assets]), rows, caps)


def expand(problem: Problem) -> Expansion:
    """Write a problem out in standard form."""
    n = problem.assets
    unit = problem.curvature.scale if problem.curvature.scale > 0.0 else 1.0
    turnover = problem.max_turnover is not None or bool(problem.cost.any())
    kinks = [problem.previous] if turnover else []
    if problem.max_gross is not None:
        kinks.append(np.zeros(n))
    factor = problem.curvature if isinstance(problem.curvature, Factor) else None
    factors = factor.loadings.shape[1] if factor is not None else 0
    size = n * (1 + len(kinks)) + factors
    linear = np.zeros(size)
    linear[:n] = problem.linear
    if turnover:
        linear[n : 2 * n] = problem.cost
    equal, equal_to = _equalities(problem, factor, size)
    between, low, high = _inequalities(problem, kinks, size)
    lower = np.concatenate([problem.lower, np.zeros(n * len(kinks)), np.full(factors, -np.inf)])
    upper = np.concatenate([problem.upper, np.full(size - n, np.inf)])
    return Expansion(
        problem,
        unit,
        _form(problem, factor, size, unit),
        linear / unit,
        equal,
        equal_to,
        between,
        low,
        high,
        lower,
        upper,
    )


def _form(problem: Problem, factor: Factor | None, size: int, unit: float) -> sparse.csc_matrix:
    n = problem.assets
    if factor is None:
        weights = sparse.csc_matrix(problem.curvature.dense() / unit)
        rest = sparse.csc_matrix((size - n, size - n))
    else:
        weights = sparse.diags_array(factor.specific / unit)
        factors = factor.loadings.shape[1]
        rest = sparse.block_diag([sparse.csc_matrix((size - n - factors,) * 2), sparse.identity(factors)])
    return sparse.csc_matrix(sparse.block_diag([weights, rest]))


def _equalities(problem: Problem, factor: Factor | None, size: int) -> tuple[sparse.csc_matrix, FloatArray]:
    fixed = problem.low == problem.high
    matrix = sparse.csc_matrix(problem.rows[fixed])
    blocks, targets = [_wide(matrix, size)], [problem.low[fixed]]
    if factor is not None:
        factors = factor.loadings.shape[1]
        root = np.sqrt(problem.curvature.scale) if problem.curvature.scale > 0.0 else 1.0
        middle = sparse.csc_matrix((factors, size - problem.assets - factors))
        blocks.append(sparse.hstack([sparse.csc_matrix(factor.loadings.T / root), middle, -sparse.identity(factors)]))
        targets.append(np.zeros(factors))
    return sparse.csc_matrix(sparse.vstack(blocks)), np.concatenate(targets)


def _inequalities(
    problem: Problem, kinks: list[FloatArray], size: int
) -> tuple[sparse.csc_matrix, FloatArray, FloatArray]:
    n = problem.assets
    ranged = problem.low != problem.high
    blocks = [_wide(sparse.csc_matrix(problem.rows[ranged]), size)]
    low, high = [problem.low[ranged]], [problem.high[ranged]]
    one = sparse.identity(n)
    for at, kink in enumerate(kinks):
        before = sparse.csc_matrix((n, n * at))
        for sign in (1.0, -1.0):
            blocks.append(_wide(sparse.hstack([sign * one, before, -one]), size))
            low.append(np.full(n, -np.inf))
            high.append(sign * kink)
    starts = {0: n, 1: n * len(kinks)}
    for cap, limit in enumerate(problem.caps):
        if limit < np.inf:
            row = np.zeros((1, size))
            row[0, starts[cap] : starts[cap] + n] = 1.0
            blocks.append(sparse.csc_matrix(row))
            low.append(np.array([-np.inf]))
            high.append(np.array([limit]))
    return sparse.csc_matrix(sparse.vstack(blocks)), np.concatenate(low), np.concatenate(high)


def _wide(matrix: sparse.spmatrix, size: int) -> sparse.csc_matrix:
    return sparse.csc_matrix(sparse.hstack([matrix, sparse.csc_matrix((matrix.shape[0], size - matrix.shape[1]))]))
