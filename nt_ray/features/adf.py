"""Augmented Dickey-Fuller test of one series with a constant and a fixed number of lagged differences.

The null hypothesis is a unit root; it is rejected where the statistic lies below the critical value. Unlike the
test in `engle_granger` the series is taken as given and not as residuals of a fitted regression, so the critical
values are nearer to zero.

Source: Dickey and Fuller (1979), Journal of the American Statistical Association 74; critical values MacKinnon
(2010), Queen's Economics Department Working Paper 1227, table 1, one series with a constant.
"""

import math

import numpy as np
from numba import float64, int64, njit

from nt_ray.features.engle_granger import _cholesky
from nt_ray.types import FloatArray


@njit(float64(int64, int64), cache=True, nogil=True)
def critical_value(level_percent: int, observations: int) -> float:
    """Critical value at 1, 5 or 10 percent for this many observations; NaN at any other level."""
    if level_percent == 1:
        c0, c1, c2, c3 = -3.43035, -6.5393, -16.786, -79.433
    elif level_percent == 5:
        c0, c1, c2, c3 = -2.86154, -2.8903, -4.234, -40.040
    elif level_percent == 10:
        c0, c1, c2, c3 = -2.56677, -1.5384, -2.809, 0.0
    else:
        return np.nan
    n = float(observations)
    return c0 + c1 / n + c2 / (n * n) + c3 / (n * n * n)


@njit(float64(float64[::1], int64), cache=True, nogil=True)
def statistic(series: FloatArray, lags: int) -> float:
    """t-statistic of the level in the regression of differences on constant, level and `lags` differences.

    `series` is (n,), finite, oldest first. NaN where the regression is singular or has no degree of freedom.
    """
    rows = series.shape[0] - 1 - lags
    width = lags + 1
    freedom = rows - width - 1
    if freedom < 1:
        return np.nan
    table = np.empty((rows, width + 1))
    for i in range(rows):
        t = i + lags + 1
        for lag in range(1, lags + 1):
            table[i, lag - 1] = series[t - lag] - series[t - lag - 1]
        table[i, lags] = series[t - 1]
        table[i, width] = series[t] - series[t - 1]
    # Taking out the means is the constant (Frisch and Waugh).
    for j in range(width + 1):
        table[:, j] -= table[:, j].mean()
    gram = np.zeros((width + 1, width + 1))
    for row in table:
        for i in range(width + 1):
            for j in range(i + 1):
                gram[i, j] += row[i] * row[j]
    if not _cholesky(gram):
        return np.nan
    return float(gram[width, lags] / gram[width, width]) * math.sqrt(freedom)
