"""A measure rolled over history: each forecast sees the window before it and nothing after.

A horizon of several periods is forecast every `horizon` periods, so that outcomes do not overlap and the tests'
independence holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon, check_returns, check_series
from nt_ray.risk.backtests.basel import TrafficLight, traffic_light
from nt_ray.risk.backtests.coverage import CoverageTest, coverage_tests
from nt_ray.risk.backtests.shortfall import ShortfallTest, shortfall_tests
from nt_ray.risk.measures.catalogue import measure as measure_by_name
from nt_ray.risk.measures.series import compound, portfolio_returns
from nt_ray.risk.measures.tail import Measure
from nt_ray.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """What was forecast and what came, (n,) each, oldest first."""

    var: FloatArray
    es: FloatArray
    realised: FloatArray
    """Compounded return of the periods forecast."""
    first: IntArray
    """Index of the first period forecast; the window ended just before it."""
    confidence: float
    horizon: int

    @property
    def violations(self) -> BoolArray:
        """Where the loss passed VaR."""
        return -self.realised > self.var


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Forecasts and every test of them."""

    forecasts: Forecasts
    kupiec: CoverageTest
    independence: CoverageTest
    conditional_coverage: CoverageTest
    traffic_light: TrafficLight
    shortfall: tuple[ShortfallTest, ...]
    """Z1, Z2 and Z3; empty where they cannot be computed, which the notes explain."""
    notes: tuple[str, ...] = ()


def backtest(
    returns: npt.ArrayLike,
    measure: str | Measure,
    window: int,
    confidence: float,
    horizon: int = 1,
    *,
    weights: npt.ArrayLike | None = None,
    nu: float | None = None,
    simulations: int = 10_000,
    seed: int = 0,
    **params: Any,
) -> Backtest:
    """Roll a measure over history and test its forecasts.

    Parameters
    ----------
    returns, weights
        (T,) simple returns of a portfolio, or (T, N) of its assets and (N,) weights, oldest first.
    measure
        A name of the catalogue, or a function of that shape; `params` are its own.
    window
        Periods each forecast sees.
    nu, simulations, seed
        Null of the tests of expected shortfall (`nt_ray.risk.backtests.shortfall`).
    """
    made = forecasts(returns, measure, window, confidence, horizon, weights=weights, **params)
    frequency, clustering, joint = coverage_tests(made.violations, confidence)
    shortfall: tuple[ShortfallTest, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        shortfall = shortfall_tests(
            made.realised, made.var, made.es, confidence, nu=nu, simulations=simulations, seed=seed
        )
    except RiskError as error:
        notes = (f"expected shortfall is not tested: {error}",)
    return Backtest(
        forecasts=made,
        kupiec=frequency,
        independence=clustering,
        conditional_coverage=joint,
        traffic_light=traffic_light(frequency.violations, frequency.observations, confidence),
        shortfall=shortfall,
        notes=notes,
    )


def forecasts(
    returns: npt.ArrayLike,
    measure: str | Measure,
    window: int,
    confidence: float,
    horizon: int = 1,
    *,
    weights: npt.ArrayLike | None = None,
    **params: Any,
) -> Forecasts:
    """Forecast VaR and ES from each window and set what came beside them; at least two forecasts."""
    check_confidence(confidence)
    check_horizon(horizon)
    past = check_series(returns) if weights is None else check_returns(returns)
    portfolio = portfolio_returns(past, weights)
    if window < 1 or len(past) < window + 2 * horizon:
        raise RiskError(
            f"{len(past)} returns hold no two forecasts of {horizon} periods from windows of {window}. "
            "Give more returns, or a shorter window."
        )
    first = np.arange(window, len(past) - horizon + 1, horizon)
    tails = []
    for at in first:
        # A copy: the window is all of history that a measure can reach.
        seen = past[at - window : at].copy()
        if isinstance(measure, str):
            tails.append(measure_by_name(measure, seen, confidence, horizon, weights=weights, **params))
        else:
            tails.append(measure(seen, confidence, horizon, weights=weights, **params))
    return Forecasts(
        var=np.array([tail.var for tail in tails]),
        es=np.array([tail.es for tail in tails]),
        realised=np.array([compound(portfolio[at : at + horizon], horizon)[0] for at in first]),
        first=first,
        confidence=confidence,
        horizon=horizon,
    )
