"""The model of a pair over one window: its hedge ratio, its spread, and whether a test says that it returns.

Hedge ratios of log a on log b: *ols*, the least-squares slope; *tls*, the slope of the first principal axis,
which treats both alike; *kalman*, the present slope of a filter the caller keeps; *johansen*, the cointegrating
relation. Tests of the spread: *engle_granger*, with critical values for a fitted slope; *adf*, with those of a
series that is given, so it accepts sooner; *johansen*, the trace test, which does not look at the spread. The
spread's constant, mean and deviation are always those of the window.

Source: Engle and Granger (1987); Johansen (1991); Vidyamurthy (2004), Pairs Trading; for total least squares
Golub and Van Loan (1980), SIAM Journal on Numerical Analysis 17.
"""

import math
from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, void

from nt_ray.features import adf, engle_granger, johansen
from nt_ray.types import FloatArray

HEDGES: Final = ("ols", "tls", "kalman", "johansen")
"""Names of the codes 0 to 3 of the parameter `hedge`."""

TESTS: Final = ("engle_granger", "adf", "johansen")
"""Names of the codes 0 to 2 of the parameter `test`."""

OLS, TLS, KALMAN, JOHANSEN_RATIO = range(4)
ENGLE_GRANGER, ADF, JOHANSEN = range(3)


@njit(float64(float64[::1], float64[::1]), cache=True, nogil=True)
def total_slope(a: FloatArray, b: FloatArray) -> float:
    """Slope of the first principal axis of (b, a), each (n,); NaN where they do not move together."""
    mean_a, mean_b = a.mean(), b.mean()
    saa, sbb, sab = 0.0, 0.0, 0.0
    for i in range(a.shape[0]):
        saa += (a[i] - mean_a) ** 2
        sbb += (b[i] - mean_b) ** 2
        sab += (a[i] - mean_a) * (b[i] - mean_b)
    if sab == 0.0:
        return np.nan
    gap = saa - sbb
    return float((gap + math.sqrt(gap * gap + 4.0 * sab * sab)) / (2.0 * sab))


@njit(void(float64[::1], float64[::1], int64, float64, float64[::1]), cache=True, nogil=True)
def _spread(a: FloatArray, b: FloatArray, lags: int, slope: float, out: FloatArray) -> None:
    """Write the spread of this slope as `engle_granger.fit` writes that of its own."""
    out[:] = np.nan
    if not math.isfinite(slope):
        return
    mean_a, mean_b = a.mean(), b.mean()
    out[engle_granger.BETA] = slope
    out[engle_granger.ALPHA] = mean_a - slope * mean_b
    residuals = (a - mean_a) - slope * (b - mean_b)
    out[engle_granger.MEAN] = residuals.mean()
    out[engle_granger.DEVIATION] = np.sqrt(((residuals - out[engle_granger.MEAN]) ** 2).mean())
    noise = engle_granger.RELATIVE_NOISE * np.sqrt(((a - mean_a) ** 2).mean())
    if out[engle_granger.DEVIATION] > noise:
        out[engle_granger.STATISTIC] = engle_granger.dickey_fuller(residuals, lags)


@njit(boolean(float64[::1], float64[::1], int64, int64, int64, int64, float64, float64[::1]), cache=True, nogil=True)
def fit(
    a: FloatArray, b: FloatArray, lags: int, level: int, hedge: int, test: int, filtered: float, out: FloatArray
) -> bool:
    """Fit the model; return whether the test says that the spread returns and the ratio is positive.

    Parameters
    ----------
    a, b
        (n,) log prices, finite, oldest first.
    lags, level
        Lagged differences of the test and its significance in percent.
    hedge, test
        Codes of `HEDGES` and `TESTS`.
    filtered
        Present slope of the filter; read where `hedge` is *kalman*.
    out
        (5,) written as `engle_granger.fit` does; the statistic is always Engle and Granger's.
    """
    relation = np.full(johansen.FIT_SIZE, np.nan)
    if hedge == JOHANSEN_RATIO or test == JOHANSEN:
        johansen.fit(a, b, lags, relation)
    if hedge == OLS:
        engle_granger.fit(a, b, lags, out)
    elif hedge == TLS:
        _spread(a, b, lags, total_slope(a, b), out)
    elif hedge == KALMAN:
        _spread(a, b, lags, filtered, out)
    else:
        _spread(a, b, lags, relation[johansen.BETA], out)
    if not out[engle_granger.BETA] > 0.0 or not out[engle_granger.DEVIATION] > 0.0:
        return False
    if test == JOHANSEN:
        return bool(relation[johansen.TRACE] > johansen.critical_value(level))
    if test == ADF:
        spread = a - out[engle_granger.ALPHA] - out[engle_granger.BETA] * b
        return bool(adf.statistic(spread, lags) < adf.critical_value(level, a.shape[0] - 1 - lags))
    return bool(out[engle_granger.STATISTIC] < engle_granger.critical_value(level, a.shape[0] - 1))
