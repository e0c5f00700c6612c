"""The constraints of a problem as columns and rows of a linear program.

An asset's weight is a base plus moves along segments. A segment moves the weight one way at one price: it ends at a
breakpoint of the problem, where the cost, the turnover or the gross exposure of moving on changes. So what bends stays
linear, and a column left out of a program means "stay at the base": what is held now where trading costs or is
limited, else zero, moved into the bounds.

Numbers of names and smallest positions are no linear programs; they are refused by name.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.curvature import Factor
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """K moves away from the base: weights = base + the sum of each asset's moves, each in its range, which has 0."""

    problem: Problem
    base: FloatArray
    """(N,)"""
    assets: IntArray
    """(K,) whose weight the segment moves."""
    lower: FloatArray
    """(K,) zero for a segment upwards, negative for one downwards."""
    upper: FloatArray
    price: FloatArray
    """(K,) cost of trading for one unit moved."""
    rows: FloatArray
    """(m, K) what a unit moved adds to each row: those of the problem, then turnover and gross sum where limited."""
    row_lower: FloatArray
    """(m,) less what the base has already."""
    row_upper: FloatArray

    @classmethod
    def of(cls, constraints: Constraints, assets: int, extra: tuple[Linear, ...] = ()) -> Self:
        """State constraints, and further linear ones, as segments and rows; refuse what is not linear."""
        for name in ("max_names", "min_position"):
            if value := getattr(constraints, name):
                raise RiskError(f"{name}={value} is no linear constraint. Drop it, or use a quadratic optimiser.")
        none = FactorCovariance(np.zeros((assets, 1)), np.zeros((1, 1)), np.zeros(assets))
        stated = replace(constraints, linear=(*constraints.linear, *extra))
        problem = Problem.of(Factor(none), np.zeros(assets), stated)
        anchored = constraints.max_turnover is not None or bool(problem.cost.any())
        base = np.clip(problem.previous if anchored else 0.0, problem.lower, problem.upper)
        return cls._around(problem, base)

    @classmethod
    def _around(cls, problem: Problem, base: FloatArray) -> Self:
        owners, pieces, lower, upper = _cut(problem.breaks, base)
        slopes = problem.slopes[:, owners, pieces]
        have, caps = problem.rows @ base, problem.caps
        traded, held = float(np.abs(base - problem.previous).sum()), float(np.abs(base).sum())
        limited = np.isfinite(caps)
        return cls(
            problem=problem,
            base=base,
            assets=owners,
            lower=lower,
            upper=upper,
            price=slopes[0],
            rows=np.vstack([problem.rows[:, owners], slopes[1:][limited]]),
            row_lower=np.concatenate([problem.low - have, np.full(int(limited.sum()), -np.inf)]),
            row_upper=np.concatenate([problem.high - have, (np.array(caps) - (traded, held))[limited]]),
        )

    @property
    def base_cost(self) -> float:
        """Cost of the trades that the bounds force."""
        return self.problem.trading_cost(self.base)

    def weights(self, moves: FloatArray) -> FloatArray:
        """Return the (N,) weights that moves (K,) lead to."""
        return self.base + np.bincount(self.assets, moves, minlength=len(self.base))


def _cut(breaks: FloatArray, base: FloatArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Owner, piece, lower and upper end of every segment with a length, from (N, b) ascending breakpoints."""
    left, right = breaks[:, :-1], breaks[:, 1:]
    inner = base[:, None]
    up, down = right - np.maximum(left, inner), np.minimum(right, inner) - left
    above, below = np.nonzero(up > 0.0), np.nonzero(down > 0.0)
    owners, pieces = (np.concatenate([one, other]) for one, other in zip(above, below, strict=True))
    flat_up, flat_down = np.zeros(len(above[0])), np.zeros(len(below[0]))
    return owners, pieces, np.concatenate([flat_up, -down[below]]), np.concatenate([up[above], flat_down])
