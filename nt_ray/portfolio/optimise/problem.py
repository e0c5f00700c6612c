"""The one quadratic problem every optimiser here is put as: a form, a linear term, boxes, rows, and absolute sums.

    minimise   w'Pw / 2 + c'w + sum_i cost_i |w_i - previous_i|
    subject to lower <= w <= upper,  low <= A w <= high,  sum |w - previous| <= max_turnover,  sum |w| <= max_gross

The absolute values are kept as they are: each weight has breakpoints (its bounds, its previous weight, zero) and a
slope on each piece between them, so no variable is added. It does not know how it is solved.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.curvature import Curvature
from nt_ray.types import FloatArray, IntArray

BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A convex quadratic problem with piecewise-linear costs, in N weights and m rows."""

    curvature: Curvature
    linear: FloatArray
    """(N,) c"""
    lower: FloatArray
    upper: FloatArray
    rows: FloatArray
    """(m, N) A, C-ordered"""
    low: FloatArray
    high: FloatArray
    names: tuple[str, ...]
    """Name of each row."""
    previous: FloatArray
    """(N,), zero where nothing refers to it"""
    cost: FloatArray
    """(N,) price of trading one unit of weight, in units of the objective"""
    max_turnover: float | None
    max_gross: float | None
    breaks: FloatArray
    """(N, b) ascending breakpoints; the first and last are the bounds."""
    slopes: FloatArray
    """(3, N, b - 1) slope of each piece in the cost, in the turnover and in the gross sum."""

    @classmethod
    def of(cls, curvature: Curvature, linear: FloatArray, constraints: Constraints, *, scale: float = 1.0) -> Self:
        """Put constraints into the canonical form; `scale` multiplies the caller's costs into the objective's units."""
        assets = curvature.assets
        lower, upper = constraints.bounds(assets)
        cost, previous = _trading(constraints, assets)
        max_gross = constraints.max_gross
        linears = _linears(constraints, assets)
        if max_gross is not None and (lower >= 0.0).all():
            linears = (*linears, Linear(name="max_gross", loadings=np.ones(assets), upper=max_gross))
            max_gross = None
        breaks, slopes = _pieces(
            lower, upper, previous, cost * scale, constraints.max_turnover is not None, max_gross is not None
        )
        return cls(
            curvature=curvature,
            linear=np.ascontiguousarray(linear, dtype=np.float64),
            lower=lower,
            upper=upper,
            rows=np.array([row.loadings for row in linears], dtype=np.float64).reshape(len(linears), assets),
            low=np.array([row.lower for row in linears], dtype=np.float64),
            high=np.array([row.upper for row in linears], dtype=np.float64),
            names=tuple(row.name for row in linears),
            previous=previous,
            cost=cost * scale,
            max_turnover=constraints.max_turnover,
            max_gross=max_gross,
            breaks=breaks,
            slopes=slopes,
        )

    @property
    def assets(self) -> int:
        """Number of weights."""
        return self.curvature.assets

    @property
    def uncapped(self) -> bool:
        """Tell whether neither turnover nor the gross sum is limited."""
        return self.max_turnover is None and self.max_gross is None

    @property
    def ranged(self) -> IntArray:
        """Rows that have a low apart from their high."""
        return np.flatnonzero(self.low != self.high)

    @property
    def caps(self) -> tuple[float, float]:
        """Largest turnover and gross sum, infinite where there is no limit."""
        return (
            np.inf if self.max_turnover is None else self.max_turnover,
            np.inf if self.max_gross is None else self.max_gross,
        )

    def spent(self, weights: FloatArray) -> tuple[float, float]:
        """Return the turnover and the gross sum of some weights, which the caps limit."""
        return float(np.abs(weights - self.previous).sum()), float(np.abs(weights).sum())

    def with_curvature(self, curvature: Curvature) -> Self:
        """Return the same problem with another quadratic form."""
        return replace(self, curvature=curvature)

    @property
    def reach(self) -> float:
        """Largest finite bound or limit of a row, as a size of weights; zero where nothing is limited."""
        unit = np.maximum(np.abs(self.rows).max(axis=1, initial=0.0), 1e-300)
        limits = np.concatenate([self.lower, self.upper, self.low / unit, self.high / unit, self.caps])
        return float(np.abs(limits[np.isfinite(limits)]).max(initial=0.0))

    def bounded(self, lower: FloatArray, upper: FloatArray) -> Self:
        """Return the same problem with other bounds (N,)."""
        breaks, slopes = _pieces(
            lower, upper, self.previous, self.cost, self.max_turnover is not None, self.max_gross is not None
        )
        return replace(self, lower=lower, upper=upper, breaks=breaks, slopes=slopes)

    def with_row(self, name: str, loadings: FloatArray, high: float) -> Self:
        """Return the same problem with one more row that has an upper limit."""
        return replace(
            self,
            rows=np.concatenate([self.rows, loadings[None]]),
            low=np.append(self.low, -np.inf),
            high=np.append(self.high, high),
            names=(*self.names, name),
        )

    def trading_cost(self, weights: FloatArray) -> float:
        """Return the cost of trading from the previous weights to these."""
        return float(self.cost @ np.abs(weights - self.previous))

    def value(self, weights: FloatArray) -> float:
        """Return the objective at some weights."""
        quadratic = 0.5 * float(weights @ self.curvature.product(weights))
        return quadratic + float(self.linear @ weights) + self.trading_cost(weights)


def _trading(constraints: Constraints, assets: int) -> tuple[FloatArray, FloatArray]:
    cost = np.asarray(constraints.cost, dtype=np.float64)
    cost = np.full(assets, float(cost)) if cost.ndim == 0 else check_weights(cost, assets)
    if not (np.isfinite(cost).all() and (cost >= 0.0).all()):
        raise RiskError(f"cost has the value {cost.min():g}. Give costs of zero or more.")
    for name in ("max_turnover", "max_gross"):
        limit = getattr(constraints, name)
        if limit is not None and not limit >= 0.0:
            raise RiskError(f"{name} is {limit}. Give a limit of zero or more.")
    if constraints.previous is None:
        if constraints.max_turnover is not None or cost.any():
            raise RiskError(
                "max_turnover or cost is given without previous weights. Give previous, zeros where nothing is held."
            )
        return cost, np.zeros(assets)
    return cost, check_weights(constraints.previous, assets)


def _linears(constraints: Constraints, assets: int) -> tuple[Linear, ...]:
    rows: list[Linear] = []
    if constraints.budget is not None:
        if not np.isfinite(constraints.budget):
            raise RiskError(f"budget is {constraints.budget}. Give a finite sum, or None to leave it free.")
        budget = float(constraints.budget)
        rows.append(Linear(name=BUDGET, loadings=np.ones(assets), lower=budget, upper=budget))
    for row in constraints.linear:
        loadings = np.asarray(row.loadings, dtype=np.float64)
        if loadings.shape != (assets,) or not np.isfinite(loadings).all():
            raise RiskError(
                f"Loadings of {row.name!r} have shape {loadings.shape} or a value that is not finite. Give one finite "
                f"number for each of {assets} assets."
            )
        if np.isnan(row.lower) or np.isnan(row.upper) or row.lower > row.upper:
            raise RiskError(f"{row.name!r} has lower {row.lower:g} and upper {row.upper:g}. Give lower <= upper.")
        if np.isinf(row.lower) and np.isinf(row.upper):
            continue
        rows.append(row)
    return tuple(rows)


def _pieces(
    lower: FloatArray, upper: FloatArray, previous: FloatArray, cost: FloatArray, turnover: bool, gross: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the breakpoints (N, b) and the slopes (3, N, b - 1) between them."""
    kinks = []
    if turnover or cost.any():
        kinks.append(previous)
    if gross:
        kinks.append(np.zeros_like(lower))
    if not kinks:
        return np.stack([lower, upper], axis=1), np.zeros((3, lower.size, 1))
    inner = [np.clip(kink, lower, upper) for kink in kinks]
    breaks = np.sort(np.stack([lower, *inner, upper], axis=1), axis=1)
    slopes = np.zeros((3, lower.size, breaks.shape[1] - 1))
    left = breaks[:, :-1]
    traded = np.where(left >= previous[:, None], 1.0, -1.0)
    slopes[0] = traded * cost[:, None]
    slopes[1] = traded if turnover else 0.0
    slopes[2] = np.where(left >= 0.0, 1.0, -1.0) if gross else 0.0
    return np.ascontiguousarray(breaks), slopes
