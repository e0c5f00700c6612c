"""Constraints on weights, one statement for every optimiser.

An optimiser that cannot honour a constraint refuses it by name; none ignores one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A range for a linear sum of weights: a sector (loadings 0 and 1) or a factor exposure."""

    name: str
    loadings: FloatArray
    """(N,)"""
    lower: float = -np.inf
    upper: float = np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What weights must satisfy. The default is long-only and fully invested."""

    lower: float | FloatArray = 0.0
    """Smallest weight, one for all or (N,)."""
    upper: float | FloatArray = 1.0
    budget: float | None = 1.0
    """Sum of the weights; None leaves it free."""
    linear: tuple[Linear, ...] = ()
    previous: FloatArray | None = None
    """(N,) weights held now; turnover and costs are counted from here."""
    max_turnover: float | None = None
    """Largest sum of |w - previous| (two-way)."""
    cost: float | FloatArray = 0.0
    """Linear cost of trading one unit of weight, in units of the objective's return."""
    max_gross: float | None = None
    """Largest sum of |w|."""
    max_names: int | None = None
    """Largest number of weights other than zero."""
    min_position: float = 0.0
    """Smallest |w| of a weight other than zero."""

    def bounds(self, assets: int) -> tuple[FloatArray, FloatArray]:
        """Return (N,) lower and upper bounds, checked against each other."""
        lower = _spread("lower", self.lower, assets)
        upper = _spread("upper", self.upper, assets)
        for name, values, end in (("lower", lower, np.inf), ("upper", upper, -np.inf)):
            if (values == end).any():
                at = int(np.argmax(values == end))
                raise RiskError(f"{name} of asset {at} is {end}, which no weight satisfies. Give a finite bound.")
        crossed = np.nonzero(lower > upper)[0]
        if crossed.size:
            at = int(crossed[0])
            raise RiskError(
                f"Asset {at} has lower bound {lower[at]:g} above its upper bound {upper[at]:g}. Swap or widen them."
            )
        return lower, upper

    def plain(self) -> bool:
        """Tell whether there is nothing but bounds and a budget."""
        return (
            not self.linear
            and self.max_turnover is None
            and self.max_gross is None
            and self.max_names is None
            and self.min_position == 0.0
            and not np.any(self.cost)
        )


def sector(name: str, members: Sequence[int], assets: int, *, lower: float = -np.inf, upper: float = np.inf) -> Linear:
    """Bound the sum of the weights of some assets."""
    loadings = np.zeros(assets)
    loadings[list(members)] = 1.0
    return Linear(name=name, loadings=loadings, lower=lower, upper=upper)


def _spread(name: str, value: float | FloatArray, assets: int) -> FloatArray:
    values = np.asarray(value, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(assets, float(values))
    if values.shape != (assets,):
        raise RiskError(f"{name} has shape {values.shape} for {assets} assets. Give one number, or one an asset.")
    if np.isnan(values).any():
        raise RiskError(f"{name} of asset {int(np.argmax(np.isnan(values)))} is NaN. Give a number or infinity.")
    return np.ascontiguousarray(values)
