"""Is one forecaster better than another, or was it luck: Diebold and Mariano's test, and intervals of mean losses.

Losses stand by origin: one number for each origin, the mean over series and steps, so that what happens to all series
at once counts once. Forecasts of H steps from neighbouring origins share their truth, so losses are correlated over H
- 1 origins; every test here takes the number of origins that overlap.

Sources: Diebold and Mariano (1995), Comparing predictive accuracy, JBES 13; Harvey, Leybourne and Newbold (1997),
Testing the equality of prediction mean squared errors, IJF 13 (small samples).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from nt_ray.backtest.research.bootstrap import confidence_interval, optimal_block
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.neural.scoring.student import student_cdf, student_quantile
from nt_ray.types import FloatArray

REPLICATIONS = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean loss of one forecaster less that of another, over the same origins."""

    difference: float
    """Below zero: the first is better."""
    statistic: float
    p_value: float
    """Two-sided."""
    origins: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its interval; `kind` says what the interval knows of: "seeds" or "origins"."""

    value: float
    low: float | None
    high: float | None
    kind: str


def losses_by_origin(truth: FloatArray, forecast: FloatArray, power: int = 2) -> FloatArray:
    """Mean of |y - f|^power over series and steps at each origin of (S, O, H), (O,); NaN where nothing was observed."""
    known = ~np.isnan(truth)
    errors = np.where(known, np.abs(truth - forecast) ** power, 0.0)
    count = known.sum(axis=(0, 2))
    result: FloatArray = np.where(count > 0, errors.sum(axis=(0, 2)) / np.maximum(count, 1), np.nan)
    return result


def diebold_mariano(first: FloatArray, second: FloatArray, overlap: int = 1) -> Comparison | None:
    """Test that two series of losses (O,) have the same mean.

    Parameters
    ----------
    first, second
        Losses at the same origins, in time order; an origin at which either is NaN is left out.
    overlap
        Origins from one to the next without common truth: the horizon over the stride, at least 1.

    Returns
    -------
    The statistic sqrt(n) d / s with s^2 the variance of the mean from autocovariances up to overlap - 1 (rectangular,
    as in the source; Bartlett's weights where that is not positive), times Harvey's factor sqrt((n + 1 - 2h +
    h(h-1)/n)/n), and its p under Student's t with n - 1 degrees. None with fewer than overlap + 2 origins or without
    any difference.
    """
    d = first - second
    d = d[np.isfinite(d)]
    n, h = len(d), overlap
    if h < 1:
        raise ScoreError(f"overlap={h} is not positive. Use 1 for origins without common truth.")
    if n < h + 2 or float(np.ptp(d)) == 0.0:
        return None
    mean = float(np.mean(d))
    variance = _long_run(d - mean, h)
    correction = (n + 1 - 2 * h + h * (h - 1) / n) / n
    statistic = sqrt(correction) * mean / sqrt(variance / n)
    tail = float(student_cdf(np.array([-abs(statistic)]), np.array([n - 1.0]))[0])
    return Comparison(mean, statistic, 2.0 * tail, n)


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> Figure:
    """Mean over seeds with Student's t interval; without one for a single seed."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) == 0 or not np.isfinite(found).all():
        raise ScoreError(f"Values {found.tolist()} have no interval. Give at least one finite value.")
    mean = float(np.mean(found))
    if len(found) == 1:
        return Figure(mean, None, None, "seeds")
    half = student_quantile((1.0 + confidence) / 2.0, len(found) - 1.0) * float(np.std(found, ddof=1))
    half /= sqrt(len(found))
    return Figure(mean, mean - half, mean + half, "seeds")


def over_origins(
    losses: FloatArray, overlap: int = 1, *, confidence: float = 0.95, replications: int = REPLICATIONS, seed: int = 0
) -> Figure:
    """Mean loss with its stationary bootstrap interval; blocks are at least as long as truths overlap."""
    known = losses[np.isfinite(losses)]
    if len(known) == 0:
        raise ScoreError("There is no finite loss. Score at least one origin.")
    block = min(max(optimal_block(known), float(overlap)), float(len(known)))
    found = confidence_interval(known, _mean, confidence=confidence, block=block, replications=replications, seed=seed)
    mean = float(np.mean(known))
    return Figure(mean, None, None, "origins") if found is None else Figure(mean, found.low, found.high, "origins")


def _long_run(centred: FloatArray, overlap: int) -> float:
    """Variance of sqrt(n) times the mean from autocovariances up to overlap - 1."""
    n = len(centred)
    own = float(centred @ centred) / n
    lags = [float(centred[k:] @ centred[:-k]) / n for k in range(1, overlap)]
    rectangular = own + 2.0 * sum(lags)
    if rectangular > 1e-3 * own:
        return rectangular
    return own + 2.0 * sum((1.0 - k / overlap) * c for k, c in enumerate(lags, 1))


def _mean(values: FloatArray) -> float:
    return float(np.mean(values))
