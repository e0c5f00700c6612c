"""Allocation: from decided exposures to weights by an optimiser, where configuration asks for one.

A decided exposure says in which direction, and how surely, an instrument is wanted; the method says how money is spread
over what is wanted. Two families:

* Methods of risk alone (minimum variance, risk parity, HRP, HERC, minimum shortfall) see each instrument from its
  wanted side and give shares that sum to one. Its weight is in proportion to share times exposure, and the whole is
  scaled so that its volatility is the target times the mean exposure under the shares: the target where all is wanted
  fully.
* Methods with a forecast (mean-variance, maximum Sharpe, Kelly) take information coefficient times volatility times
  exposure for the expected return (Grinold, Alpha is volatility times IC times score, 1994).

The sizer then applies its caps to the weights as they stand. An allocation sees closes up to its bar alone and no
position, so a replay and a compiled backtest come to the same weights. Shares are worked out anew every so many bars,
and whenever other instruments or other sides are wanted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from nt_ray.errors import ConfigError
from nt_ray.portfolio.moments.covariance import ESTIMATORS, dense, estimate
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.cvar import min_cvar
from nt_ray.portfolio.optimise.erc import risk_parity
from nt_ray.portfolio.optimise.frontier import max_sharpe
from nt_ray.portfolio.optimise.herc import herc
from nt_ray.portfolio.optimise.hrp import hrp
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.types import FloatArray

BY_VOLATILITY: Final = "volatility"
"""No optimiser: the sizer scales each instrument by its own volatility."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationParams:
    """How weights are found. Volatilities are annualised; weights are fractions of equity."""

    method: str
    target_volatility: float = 0.10
    max_weight: float = 0.10
    max_gross: float = 1.0
    window: int = 250
    """Past bars from which moments are estimated."""
    every: int = 5
    """Bars between two estimates."""
    covariance: str = "ledoit_wolf"
    confidence: float = 0.95
    """Confidence of the shortfall that `min_cvar` makes small."""
    information_coefficient: float = 0.05
    """Correlation of forecast and outcome that a full exposure stands for."""
    risk_aversion: float = 4.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"There is no allocation {self.method!r}. Known: {BY_VOLATILITY}, {', '.join(METHODS)}.")
        if self.covariance not in ESTIMATORS or self.covariance == "given_factors":
            raise ConfigError(f"Allocation cannot estimate its covariance by {self.covariance!r}. Use ledoit_wolf.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Instruments that take part: returns (W, M) from the wanted side, their covariance (M, M), sizes (M,) above 0."""

    returns: FloatArray
    covariance: FloatArray
    exposures: FloatArray
    periods_per_year: float


def _capped(wanted: Wanted, params: AllocationParams) -> Constraints:
    """No share above the largest weight's, as far as all shares can then sum to one."""
    return Constraints(upper=min(1.0, max(params.max_weight / params.max_gross, 1.0 / len(wanted.exposures))))


def _alpha(wanted: Wanted, params: AllocationParams) -> FloatArray:
    """Expected return per period of each instrument from its wanted side."""
    yearly = params.information_coefficient * wanted.exposures * np.sqrt(np.diag(wanted.covariance))
    alpha: FloatArray = yearly / np.sqrt(wanted.periods_per_year)
    return alpha


def _minimum_variance(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _spread(minimum_variance(wanted.covariance, _capped(wanted, params)).weights, wanted, params)


def _risk_parity(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _spread(risk_parity(wanted.covariance).weights, wanted, params)


def _hrp(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _spread(_alone(wanted) if len(wanted.exposures) < 2 else hrp(wanted.covariance).weights, wanted, params)


def _herc(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _spread(_alone(wanted) if len(wanted.exposures) < 3 else herc(wanted.covariance).weights, wanted, params)


def _min_cvar(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _spread(min_cvar(wanted.returns, params.confidence, _capped(wanted, params)).weights, wanted, params)


def _max_sharpe(wanted: Wanted, params: AllocationParams) -> FloatArray:
    found = max_sharpe(_alpha(wanted, params), wanted.covariance, constraints=_capped(wanted, params))
    return _at_target(found.weights, float(found.weights @ wanted.exposures), wanted, params)


def _mean_variance(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _utility(wanted, params, params.risk_aversion)


def _kelly(wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _utility(wanted, params, 1.0)


def _utility(wanted: Wanted, params: AllocationParams, risk_aversion: float) -> FloatArray:
    limits = Constraints(lower=0.0, upper=params.max_weight, budget=None, max_gross=params.max_gross)
    return mean_variance(_alpha(wanted, params), wanted.covariance, risk_aversion, limits).weights


def _alone(wanted: Wanted) -> FloatArray:
    inverse = 1.0 / np.sqrt(np.diag(wanted.covariance))
    shares: FloatArray = inverse / inverse.sum()
    return shares


def _spread(shares: FloatArray, wanted: Wanted, params: AllocationParams) -> FloatArray:
    return _at_target(shares * wanted.exposures, float(shares @ wanted.exposures), wanted, params)


def _at_target(weights: FloatArray, conviction: float, wanted: Wanted, params: AllocationParams) -> FloatArray:
    """Weights scaled so that their volatility is the target times the conviction."""
    volatility = np.sqrt(float(weights @ wanted.covariance @ weights) * wanted.periods_per_year)
    scaled: FloatArray = weights * (params.target_volatility * conviction / volatility)
    return scaled


METHODS: Mapping[str, Callable[[Wanted, AllocationParams], FloatArray]] = MappingProxyType(
    {
        "minimum_variance": _minimum_variance,
        "risk_parity": _risk_parity,
        "hrp": _hrp,
        "herc": _herc,
        "min_cvar": _min_cvar,
        "mean_variance": _mean_variance,
        "max_sharpe": _max_sharpe,
        "kelly": _kelly,
    }
)


class Allocator:
    """Weights over one panel, bar by bar in any order."""

    def __init__(self, params: AllocationParams, closes: FloatArray, periods_per_year: float) -> None:
        """`closes` is (T, N); a missing close is the one before, NaN before the first."""
        self._params = params
        self._closes = closes
        self._periods_per_year = periods_per_year
        self._moments: tuple[tuple[int, bytes], FloatArray, FloatArray] | None = None

    def weights(self, row: int, exposures: FloatArray) -> FloatArray:
        """Weights (N,) for exposures (N,) decided at a bar; NaN holds, as it does in the sizer.

        An instrument without a price throughout the window, or whose price has not moved in it, is given none.
        """
        weights = np.where(np.isnan(exposures), np.nan, 0.0)
        last = row - row % self._params.every
        window = self._closes[max(last - self._params.window, 0) : last + 1]
        if len(window) <= min(self._params.window, _LEAST):
            return weights
        known = np.isfinite(window).all(axis=0) & (window.max(axis=0) > window.min(axis=0))
        columns = np.flatnonzero(known & np.isfinite(exposures) & (exposures != 0.0))
        if columns.size:
            sides = np.sign(exposures[columns])
            returns, covariance = self._estimated(last, columns, sides, window)
            wanted = Wanted(returns, covariance, np.abs(exposures[columns]), self._periods_per_year)
            weights[columns] = sides * METHODS[self._params.method](wanted, self._params)
        return weights

    def _estimated(
        self, last: int, columns: "np.typing.NDArray[np.intp]", sides: FloatArray, window: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        key = (last, columns.tobytes() + sides.tobytes())
        if self._moments is None or self._moments[0] != key:
            prices = window[:, columns]
            returns = np.ascontiguousarray((prices[1:] / prices[:-1] - 1.0) * sides)
            self._moments = key, returns, dense(estimate(self._params.covariance, returns))
        return self._moments[1], self._moments[2]


_LEAST: Final = 60
"""Bars without which no moments are estimated, unless the window is shorter."""
