"""Where stakes may lie: bounds, linear rows and equalities, taken from the optimisers' constraints.

What Kelly's solver cannot honour is refused by name.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """lower <= x <= upper, rows x <= limits, equal x = values."""

    lower: FloatArray
    upper: FloatArray
    rows: FloatArray
    limits: FloatArray
    equal: FloatArray
    values: FloatArray
    names: tuple[str, ...] = ()

    @property
    def floors(self) -> IntArray:
        """Places of finite lower bounds."""
        return np.nonzero(np.isfinite(self.lower))[0]

    @property
    def ceilings(self) -> IntArray:
        """Places of finite upper bounds."""
        return np.nonzero(np.isfinite(self.upper))[0]

    def violations(self, x: FloatArray) -> FloatArray:
        """Left side minus right side of every inequality: ceilings, floors, rows; positive where one is broken."""
        over = x[self.ceilings] - self.upper[self.ceilings]
        under = self.lower[self.floors] - x[self.floors]
        return np.concatenate([over, under, self.rows @ x - self.limits])

    def pull(self, z: FloatArray) -> FloatArray:
        """Sum of the inequalities' gradients, weighted by z."""
        above, below = self.ceilings, self.floors
        total = self.rows.T @ z[above.size + below.size :]
        total[above] += z[: above.size]
        total[below] -= z[above.size : above.size + below.size]
        return np.asarray(total)

    def push(self, step: FloatArray) -> FloatArray:
        """Change of every inequality along a step."""
        return np.concatenate([step[self.ceilings], -step[self.floors], self.rows @ step])

    def curvature(self, weights: FloatArray) -> FloatArray:
        """(N, N) sum of the outer products of the inequalities' gradients, weighted."""
        above, below = self.ceilings, self.floors
        tail = weights[above.size + below.size :]
        total = (self.rows.T * tail) @ self.rows
        total[above, above] += weights[: above.size]
        total[below, below] += weights[above.size : above.size + below.size]
        return np.asarray(total)

    def with_rows(self, rows: FloatArray, limits: FloatArray, name: str) -> "Region":
        """Return a region with more rows after its own."""
        return replace(
            self,
            rows=np.vstack([self.rows, rows]),
            limits=np.concatenate([self.limits, limits]),
            names=(*self.names, name),
        )

    def check_feasible(self) -> None:
        """Raise InfeasibleError where no point satisfies all constraints."""
        bounds = np.column_stack([self.lower, self.upper])
        rows = (self.rows, self.limits) if self.limits.size else (None, None)
        equal = (self.equal, self.values) if self.values.size else (None, None)
        found = linprog(np.zeros(self.lower.size), rows[0], rows[1], equal[0], equal[1], bounds=bounds, method="highs")
        if found.status == 2:
            raise InfeasibleError(("bounds", *self.names))


def bankroll(bets: int, limit: float = 1.0) -> Constraints:
    """Stakes that are never negative and together no more than a share of wealth."""
    if not limit > 0.0:
        raise RiskError(f"Bankroll limit {limit} is not positive. Give a share of wealth, 1 for all of it.")
    whole = Linear(name="bankroll", loadings=np.ones(bets), upper=limit)
    return Constraints(lower=0.0, upper=np.inf, budget=None, linear=(whole,))


def region(constraints: Constraints, assets: int) -> Region:
    """Translate constraints for the solver; those it does not know are refused by name."""
    _refuse(constraints)
    lower, upper = constraints.bounds(assets)
    rows: list[tuple[FloatArray, float, str]] = []
    equal: list[tuple[FloatArray, float, str]] = []
    if constraints.budget is not None:
        equal.append((np.ones(assets), constraints.budget, f"budget {constraints.budget:g}"))
    for line in constraints.linear:
        _sides(line, assets, rows, equal)
    return Region(
        lower=lower,
        upper=upper,
        rows=_stack([row[0] for row in rows], assets),
        limits=np.array([row[1] for row in rows], dtype=np.float64),
        equal=_stack([row[0] for row in equal], assets),
        values=np.array([row[1] for row in equal], dtype=np.float64),
        names=tuple(row[2] for row in (*rows, *equal)),
    )


def _sides(
    line: Linear, assets: int, rows: list[tuple[FloatArray, float, str]], equal: list[tuple[FloatArray, float, str]]
) -> None:
    loadings = np.asarray(line.loadings, dtype=np.float64)
    if loadings.shape != (assets,) or not np.isfinite(loadings).all() or not line.lower <= line.upper:
        raise RiskError(
            f"Constraint {line.name!r} has loadings {loadings.shape} and range {line.lower:g} to {line.upper:g} "
            f"for {assets} assets. Give one finite loading an asset and a range from low to high."
        )
    if line.lower == line.upper:
        equal.append((loadings, line.lower, line.name))
        return
    if np.isfinite(line.upper):
        rows.append((loadings, line.upper, line.name))
    if np.isfinite(line.lower):
        rows.append((-loadings, -line.lower, line.name))


def _refuse(constraints: Constraints) -> None:
    asked = {
        "max_turnover": constraints.max_turnover is not None,
        "cost": bool(np.any(constraints.cost)),
        "max_gross": constraints.max_gross is not None,
        "max_names": constraints.max_names is not None,
        "min_position": constraints.min_position != 0.0,
    }
    for name, given in asked.items():
        if given:
            raise RiskError(f"Kelly stakes do not honour {name}. Use bounds, budget and linear constraints.")


def _stack(rows: list[FloatArray], assets: int) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), assets)
