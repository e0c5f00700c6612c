"""The model of one symbol against a basket of others over one window: hedge weights, spread, and its test.

Weights: *ols*, least squares of the symbol's log price on those of the basket with a constant; *pca*, the first
principal component of the basket's standardised returns (each member weighs its loading over its volatility),
scaled by the symbol's beta to it. The test is the Dickey-Fuller statistic of the spread against the critical
value for a regression of that many series; for *pca*, which fits one number instead of four, it errs on the safe
side.

Source: Avellaneda and Lee (2010), Statistical arbitrage in the US equities market, Quantitative Finance 10;
critical values MacKinnon (2010), Queen's Economics Department Working Paper 1227, table 2, five series.
"""

from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit

from nt_ray.features.engle_granger import dickey_fuller
from nt_ray.types import FloatArray

WIDTH: Final = 5
"""Symbols of a basket strategy: the one that is explained, then four others."""

METHODS: Final = ("ols", "pca")
"""Names of the codes 0 and 1 of the parameter `method`."""

MEAN, DEVIATION, WEIGHTS = range(3)
"""Positions in the output of `fit`; the weights of the basket's members begin at the last."""

FIT_SIZE: Final = 2 + WIDTH - 1

LEAST_PIVOT = 1e-10
"""Part of a member's variation below which the other members explain it and there is no model."""

_ROUNDS: Final = 500


@njit(float64(int64, int64), cache=True, nogil=True)
def critical_value(level_percent: int, observations: int) -> float:
    """Critical value of five series at 1, 5 or 10 percent for this many observations; NaN at any other level."""
    if level_percent == 1:
        c0, c1, c2 = -4.95756, -21.8883, -45.142
    elif level_percent == 5:
        c0, c1, c2 = -4.41519, -14.0405, -12.575
    elif level_percent == 10:
        c0, c1, c2 = -4.13157, -10.7417, -3.784
    else:
        return np.nan
    return c0 + c1 / observations + c2 / (observations * observations)


@njit(float64[:, ::1](float64[:, ::1]), cache=True, nogil=True)
def cross_products(table: FloatArray) -> FloatArray:
    """Cross products of the columns of (n, k) about their means, (k, k); plain loops, the same on every machine."""
    n, k = table.shape
    means = np.zeros(k)
    for j in range(k):
        means[j] = table[:, j].mean()
    result = np.zeros((k, k))
    for t in range(n):
        for i in range(k):
            for j in range(i + 1):
                result[i, j] += (table[t, i] - means[i]) * (table[t, j] - means[j])
    for i in range(k):
        for j in range(i):
            result[j, i] = result[i, j]
    return result


@njit(boolean(float64[:, ::1], float64[::1]), cache=True, nogil=True)
def least_squares(gram: FloatArray, weights: FloatArray) -> bool:
    """Slopes of the first variable on the others from cross products; False where those are not independent."""
    k = gram.shape[0] - 1
    # Members first, the explained one last; then eliminate and substitute back.
    work = np.empty((k, k + 1))
    for i in range(k):
        for j in range(k):
            work[i, j] = gram[i + 1, j + 1]
        work[i, k] = gram[i + 1, 0]
    for p in range(k):
        if not work[p, p] > LEAST_PIVOT * gram[p + 1, p + 1]:
            return False
        for i in range(p + 1, k):
            factor = work[i, p] / work[p, p]
            for j in range(p, k + 1):
                work[i, j] -= factor * work[p, j]
    for i in range(k - 1, -1, -1):
        value = work[i, k]
        for j in range(i + 1, k):
            value -= work[i, j] * weights[j]
        weights[i] = value / work[i, i]
    return True


@njit(float64[::1](float64[:, ::1]), cache=True, nogil=True)
def first_axis(matrix: FloatArray) -> FloatArray:
    """Eigenvector of the largest eigenvalue of a symmetric matrix without a negative one, (k,), by powers of it."""
    k = matrix.shape[0]
    axis, turned = np.ones(k), np.empty(k)
    for _ in range(_ROUNDS):
        for i in range(k):
            turned[i] = 0.0
            for j in range(k):
                turned[i] += matrix[i, j] * axis[j]
        size = np.sqrt((turned**2).sum())
        # Members that cancel each other out to the last bit have no first axis of this start.
        scale = 1.0 / size if size > 0.0 else 0.0
        for i in range(k):
            axis[i] = turned[i] * scale
    return axis


@njit(boolean(float64[:, ::1], float64[::1]), cache=True, nogil=True)
def principal(gram: FloatArray, weights: FloatArray) -> bool:
    """Weights of the basket's first principal portfolio that hedge the first variable; False where there is none.

    `gram` holds the cross products of returns.
    """
    k = gram.shape[0] - 1
    deviations = np.empty(k)
    for i in range(k):
        deviations[i] = np.sqrt(gram[i + 1, i + 1])
    if not deviations.min() > 0.0:
        return False
    correlation = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            correlation[i, j] = gram[i + 1, j + 1] / (deviations[i] * deviations[j])
    weights[:] = first_axis(correlation) / deviations
    covariance, variance = 0.0, 0.0
    for i in range(k):
        covariance += weights[i] * gram[i + 1, 0]
        for j in range(k):
            variance += weights[i] * weights[j] * gram[i + 1, j + 1]
    if not variance > 0.0:
        return False
    weights *= covariance / variance
    return True


@njit(boolean(float64[:, ::1], int64, int64, int64, float64[::1]), cache=True, nogil=True)
def fit(logs: FloatArray, lags: int, level: int, method: int, out: FloatArray) -> bool:
    """Fit the model; return whether the test says that the spread returns.

    Parameters
    ----------
    logs
        (n, 5) log prices, finite, oldest first; the explained one in the first column.
    lags, level
        Lagged differences of the test and its significance in percent.
    method
        Code of `METHODS`.
    out
        (6,) written: mean and population standard deviation of the spread, and the weights of the members.
    """
    out[:] = np.nan
    weights = out[WEIGHTS:]
    table = logs if method == 0 else logs[1:] - logs[:-1]
    gram = cross_products(table)
    found = least_squares(gram, weights) if method == 0 else principal(gram, weights)
    if not found:
        return False
    n = logs.shape[0]
    spread = np.empty(n)
    for t in range(n):
        spread[t] = logs[t, 0]
        for i in range(WIDTH - 1):
            spread[t] -= weights[i] * logs[t, i + 1]
    out[MEAN] = spread.mean()
    residuals = spread - out[MEAN]
    out[DEVIATION] = np.sqrt((residuals**2).mean())
    if not out[DEVIATION] > 1e-12:
        return False
    return bool(dickey_fuller(residuals, lags) < critical_value(level, n - 1))
