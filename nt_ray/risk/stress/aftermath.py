"""After the shock: how much more may be lost, and whether a floor holds, while a shocked book is still held.

The book keeps its shocked positions for some days with the shocked covariance. Normal form in closed form; or past
returns, centred and recoloured to that covariance, which keep their own tails.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon, check_returns
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """Losses are fractions of equity before the shock, and contain the shock's own."""

    var: float
    es: float
    survival: float | None
    """Probability that equity never falls below the floor; None where only the end is known."""
    survival_at_end: float
    """Probability that equity is above the floor at the end."""
    method: str
    assumptions: tuple[str, ...]


def normal_aftermath(loss: float, deviation: float, *, floor: float, confidence: float) -> Aftermath:
    """Closed forms for normal returns of mean zero.

    Parameters
    ----------
    loss
        Lost already, as a fraction of equity before the shock.
    deviation
        Standard deviation of what is gained or lost over the whole horizon, same unit.
    floor
        Fraction of equity before the shock, below it the book does not survive.
    confidence
        Such as 0.95.

    Notes
    -----
    Without drift P(never below) = 2 Phi(d / deviation) - 1, d the distance to the floor, by the reflection principle.
    """
    check_confidence(confidence)
    quantile, shortfall = normal_tail(confidence)
    room = 1.0 - loss - floor
    at_end = float(room >= 0.0) if deviation == 0.0 else float(ndtr(room / deviation))
    never = 0.0 if room < 0.0 else 1.0 if deviation == 0.0 else float(2.0 * ndtr(room / deviation) - 1.0)
    return Aftermath(
        var=loss + quantile * deviation,
        es=loss + shortfall * deviation,
        survival=never,
        survival_at_end=at_end,
        method="normal",
        assumptions=("normal returns without drift, watched at every instant, positions held",),
    )


def scenario_aftermath(
    loss: float, positions: FloatArray, scenarios: FloatArray, *, floor: float, confidence: float
) -> Aftermath:
    """Aftermath over scenarios (S, N) of returns for the whole horizon, of positions (N,) after the shock."""
    check_confidence(confidence)
    gains = check_returns(scenarios, least=1, what="Scenarios") @ positions
    return Aftermath(
        var=loss + historical_var(gains, confidence),
        es=loss + historical_es(gains, confidence),
        survival=None,
        survival_at_end=float(np.mean(1.0 - loss + gains >= floor)),
        method="scenarios",
        assumptions=(f"{gains.size} scenarios, equally likely, positions held",),
    )


def recoloured(returns: FloatArray, covariance: FloatArray, horizon: int = 1) -> FloatArray:
    """Past returns (T, N), centred, turned so that their covariance is horizon * covariance exactly (ddof 1).

    For a horizon above one the shape of one period's tail is kept, which overstates it: sums of days are more normal.
    """
    check_horizon(horizon)
    values = check_returns(returns, least=2)
    if values.shape[0] <= values.shape[1]:
        raise RiskError(f"{values.shape[0]} returns of {values.shape[1]} assets span no covariance. Give more rows.")
    centred = values - values.mean(axis=0)
    own = np.linalg.eigh(centred.T @ centred / (values.shape[0] - 1))
    if own[0][0] <= 1e-12 * own[0][-1]:
        raise RiskError("The returns' covariance is singular, so they cannot be recoloured. Drop repeated assets.")
    whiten = (own[1] / np.sqrt(own[0])) @ own[1].T
    wanted = np.linalg.eigh(covariance)
    colour = (wanted[1] * np.sqrt(np.maximum(wanted[0], 0.0))) @ wanted[1].T
    return np.asarray(math.sqrt(horizon) * (centred @ whiten @ colour))
