"""Information coefficients: how well forecasts order what came, over the series of each period.

A period is a column of (S, N) arrays: S series, N periods. A pair counts where both truth and forecast are numbers; a
period with fewer than `least` pairs, or without variation, has no coefficient (NaN). Whether a mean coefficient could
be luck is `permutation`'s to say.

Source: Grinold and Kahn (1999), Active Portfolio Management, chapters 4 and 6; Spearman's rank correlation with ties at
their mean rank.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray

LEAST_PAIRS = 3
CONSTANT = 1e-14
"""A relative variation below this is rounding of a constant."""


@dataclass(frozen=True, slots=True)
class Information:
    """Mean coefficient over N periods and how steady it is."""

    mean: float
    deviation: float
    """Standard deviation over periods (ddof 1)."""
    ratio: float | None
    """ICIR, mean over deviation, per period; None where nothing varies."""
    statistic: float | None
    """ICIR times sqrt(N): Student's t where periods are independent. Overlapping horizons are not."""
    periods: int


def information(truth: FloatArray, forecast: FloatArray, *, rank: bool = False) -> Information | None:
    """Summary of the coefficients of (S, N) arrays; None with fewer than two periods that have one."""
    values = coefficients(truth, forecast, rank=rank)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    ratio = mean / deviation if deviation > CONSTANT else None
    statistic = None if ratio is None else ratio * sqrt(len(values))
    return Information(mean, deviation, ratio, statistic, len(values))


def coefficients(
    truth: FloatArray, forecast: FloatArray, *, rank: bool = False, least: int = LEAST_PAIRS
) -> FloatArray:
    """Correlation of forecast and truth over series in each period.

    Parameters
    ----------
    truth, forecast
        (S, N).
    rank
        Spearman's instead of Pearson's.

    Returns
    -------
    (N,), NaN where there are fewer than `least` pairs or one side is constant.
    """
    if truth.shape != forecast.shape or truth.ndim != 2:
        raise ScoreError(f"Forecasts of shape {forecast.shape} do not fit a truth of shape {truth.shape}. Use (S, N).")
    known = np.isfinite(truth) & np.isfinite(forecast)
    y, f = np.where(known, truth, np.nan), np.where(known, forecast, np.nan)
    return correlations(ranks(y), ranks(f), least) if rank else correlations(y, f, least)


def correlations(y: FloatArray, f: FloatArray, least: int = LEAST_PAIRS) -> FloatArray:
    """Pearson correlation down each column of (S, N) arrays over pairs of numbers, (N,)."""
    known = np.isfinite(y) & np.isfinite(f)
    count = known.sum(axis=0)
    deviations = []
    for values in (y, f):
        held = np.where(known, values, 0.0)
        centre = held.sum(axis=0) / np.maximum(count, 1)
        spread = np.where(known, values - centre, 0.0)
        size = np.sqrt((spread**2).sum(axis=0))
        flat = size <= CONSTANT * np.sqrt(np.maximum(count, 1)) * np.maximum(np.abs(held).max(axis=0), 1e-300)
        deviations.append(np.divide(spread, size, out=np.full(spread.shape, np.nan), where=~flat))
    result: FloatArray = np.where(count >= least, (deviations[0] * deviations[1]).sum(axis=0), np.nan)
    return result


def ranks(values: FloatArray) -> FloatArray:
    """Rank of each number within its column of (S, N), from 1, ties at their mean rank; NaN stays."""
    order = np.argsort(values, axis=0, kind="stable")
    placed = np.take_along_axis(values, order, axis=0)
    rows = np.arange(len(values), dtype=np.float64)[:, None]
    begins = np.ones(values.shape, dtype=np.bool_)
    begins[1:] = placed[1:] != placed[:-1]
    first = np.maximum.accumulate(np.where(begins, rows, -1.0), axis=0)
    ends = np.ones(values.shape, dtype=np.bool_)
    ends[:-1] = begins[1:]
    last = np.minimum.accumulate(np.where(ends, rows, np.inf)[::-1], axis=0)[::-1]
    result = np.empty(values.shape)
    np.put_along_axis(result, order, (first + last) / 2.0 + 1.0, axis=0)
    result[np.isnan(values)] = np.nan
    return result
