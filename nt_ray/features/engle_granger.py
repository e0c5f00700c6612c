"""Engle-Granger test for cointegration of two series over one window.

Step one: least squares of a on b with a constant. Step two: the augmented Dickey-Fuller t-statistic of the
residuals, no constant, a fixed number of lagged differences. The null hypothesis is *no cointegration*; it is
rejected where the statistic lies below the critical value. The window is all the test sees.

Source: Engle and Granger (1987), Econometrica 55; critical values MacKinnon (2010), Queen's Economics
Department Working Paper 1227, table 2, two series with a constant.
"""

import math
from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, void

from nt_ray.types import FloatArray

STATISTIC, BETA, ALPHA, MEAN, DEVIATION = range(5)
"""Positions in the output of `fit`."""

FIT_SIZE: Final = 5

RELATIVE_NOISE = 1e-12
"""Residuals below this part of the variation of a are rounding: one series is a multiple of the other."""


@njit(float64(int64, int64), cache=True, nogil=True)
def critical_value(level_percent: int, observations: int) -> float:
    """Critical value at 1, 5 or 10 percent for this many observations; NaN at any other level."""
    if level_percent == 1:
        c0, c1, c2 = -3.89644, -10.9519, -33.527
    elif level_percent == 5:
        c0, c1, c2 = -3.33613, -6.1101, -6.823
    elif level_percent == 10:
        c0, c1, c2 = -3.04445, -4.2412, -2.720
    else:
        return np.nan
    return c0 + c1 / observations + c2 / (observations * observations)


@njit(int64(int64), cache=True, nogil=True)
def minimum_window(lags: int) -> int:
    """Fewest bars on which the test has a degree of freedom left."""
    return 2 * lags + 4


@njit(boolean(float64[:, ::1]), cache=True, nogil=True)
def _cholesky(matrix: FloatArray) -> bool:
    """Factor a symmetric matrix in place from its lower half; False where it is not positive definite."""
    n = matrix.shape[0]
    for j in range(n):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] ** 2
        if not pivot > 1e-14 * matrix[j, j]:
            return False
        matrix[j, j] = np.sqrt(pivot)
        for i in range(j + 1, n):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = value / matrix[j, j]
    return True


@njit(float64(float64[::1], int64), cache=True, nogil=True)
def dickey_fuller(series: FloatArray, lags: int) -> float:
    """t-statistic of the level in the regression of differences on level and `lags` differences, no constant.

    `series` is (n,), oldest first. NaN where the regression is singular or has no degree of freedom.
    """
    width = lags + 1
    freedom = series.shape[0] - 1 - lags - width
    if freedom < 1:
        return np.nan
    # Normal equations, bordered by the dependent variable in the last row and column.
    gram = np.zeros((width + 1, width + 1))
    row = np.empty(width + 1)
    for t in range(lags + 1, series.shape[0]):
        # The level stands last among the regressors, so that its own pivot gives its standard error.
        for lag in range(1, lags + 1):
            row[lag - 1] = series[t - lag] - series[t - lag - 1]
        row[lags] = series[t - 1]
        row[width] = series[t] - series[t - 1]
        for i in range(width + 1):
            for j in range(i + 1):
                gram[i, j] += row[i] * row[j]
    if not _cholesky(gram):
        return np.nan
    # L the factor, k the level: coefficient L[w, k] / L[k, k], its error L[w, w] / L[k, k] / sqrt(freedom).
    return float(gram[width, lags] / gram[width, width]) * math.sqrt(freedom)


@njit(void(float64[::1], float64[::1], int64, float64[::1]), cache=True, nogil=True)
def fit(a: FloatArray, b: FloatArray, lags: int, out: FloatArray) -> None:
    """Test two finite series for cointegration.

    Parameters
    ----------
    a, b
        (n,) the dependent series and the one it is explained by, oldest first.
    lags
        Lagged differences in the Dickey-Fuller regression.
    out
        (5,) written: t-statistic, hedge ratio, constant, mean and population standard deviation of the
        residuals. The statistic is NaN where the test does not exist: b does not move, a is an exact multiple
        of it, too few bars.
    """
    n = a.shape[0]
    out[:] = np.nan
    if n < minimum_window(lags):
        return
    mean_a, mean_b = a.mean(), b.mean()
    covariance, variance_b, variance_a = 0.0, 0.0, 0.0
    for i in range(n):
        covariance += (a[i] - mean_a) * (b[i] - mean_b)
        variance_b += (b[i] - mean_b) ** 2
        variance_a += (a[i] - mean_a) ** 2
    if variance_b <= 0.0:
        return
    out[BETA] = covariance / variance_b
    out[ALPHA] = mean_a - out[BETA] * mean_b
    residuals = (a - mean_a) - out[BETA] * (b - mean_b)
    out[MEAN] = residuals.mean()
    out[DEVIATION] = np.sqrt(((residuals - out[MEAN]) ** 2).mean())
    if out[DEVIATION] > RELATIVE_NOISE * np.sqrt(variance_a / n):
        out[STATISTIC] = dickey_fuller(residuals, lags)
