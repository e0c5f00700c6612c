"""Johansen's trace test for cointegration of two series over one window, with an unrestricted constant.

The vector error correction model with `lags` lagged differences gives two eigenvalues; the trace statistic of
*no cointegration* is -T times the sum of log(1 - eigenvalue). It is rejected where it lies above the critical
value. The eigenvector of the larger one is the cointegrating relation a - beta * b. Unlike the test of Engle and
Granger it treats both series alike.

Source: Johansen (1991), Econometrica 59; critical values MacKinnon, Haug and Michelis (1999), Journal of Applied
Econometrics 14, constant and no trend.
"""

import math
from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, void

from nt_ray.types import FloatArray

TRACE, TRACE_OF_ONE, BETA = range(3)
"""Positions in the output of `fit`: the statistic of none, that of at most one relation, the hedge ratio."""

FIT_SIZE: Final = 3

LEAST_PIVOT = 1e-13
"""Part of a regressor's variation below which the others explain it and the test does not exist."""


@njit(float64(int64), cache=True, nogil=True)
def critical_value(level_percent: int) -> float:
    """Critical value of the trace statistic of *none* at 1, 5 or 10 percent; NaN at any other level."""
    if level_percent == 1:
        return 19.9349
    if level_percent == 5:
        return 15.4943
    return 13.4294 if level_percent == 10 else np.nan


@njit(int64(int64), cache=True, nogil=True)
def minimum_window(lags: int) -> int:
    """Fewest bars on which the regressions have a degree of freedom left."""
    return 3 * lags + 6


@njit(boolean(float64[:, ::1], int64), cache=True, nogil=True)
def _eliminate(gram: FloatArray, count: int) -> bool:
    """Take the first `count` variables out of the rest, in place; False where they are not independent."""
    size = gram.shape[0]
    for k in range(count):
        pivot = gram[k, k]
        if not pivot > 0.0:
            return False
        for i in range(k + 1, size):
            factor = gram[i, k] / pivot
            for j in range(k + 1, i + 1):
                gram[i, j] -= factor * gram[j, k]
                gram[j, i] = gram[i, j]
    return True


@njit(float64[:, ::1](float64[::1], float64[::1], int64), cache=True, nogil=True)
def _moments(a: FloatArray, b: FloatArray, lags: int) -> FloatArray:
    """Cross products, means out: lagged differences, then last levels, then differences, of both series."""
    rows, count = a.shape[0] - 1 - lags, 2 * lags
    table = np.empty((rows, count + 4))
    for i in range(rows):
        t = i + lags + 1
        for lag in range(1, lags + 1):
            table[i, 2 * lag - 2] = a[t - lag] - a[t - lag - 1]
            table[i, 2 * lag - 1] = b[t - lag] - b[t - lag - 1]
        table[i, count], table[i, count + 1] = a[t - 1], b[t - 1]
        table[i, count + 2], table[i, count + 3] = a[t] - a[t - 1], b[t] - b[t - 1]
    for j in range(count + 4):
        table[:, j] -= table[:, j].mean()
    gram = np.zeros((count + 4, count + 4))
    for row in table:
        for i in range(count + 4):
            for j in range(count + 4):
                gram[i, j] += row[i] * row[j]
    return gram


@njit(void(float64[:, ::1], int64, float64[::1]), cache=True, nogil=True)
def _solve(gram: FloatArray, observations: int, out: FloatArray) -> None:
    """Write statistics and ratio from the cross products of levels and differences, (4, 4); NaN stays where none."""
    kaa, kab, kbb = gram[0, 0], gram[0, 1], gram[1, 1]
    daa, dab, dbb = gram[2, 2], gram[2, 3], gram[3, 3]
    level_volume, step_volume = kaa * kbb - kab * kab, daa * dbb - dab * dab
    if not (level_volume > LEAST_PIVOT * kaa * kbb and step_volume > LEAST_PIVOT * daa * dbb):
        return
    # s[i, j]: difference i against level j. The matrix is inv(K) S' inv(D) S.
    saa, sab = gram[2, 0], gram[2, 1]
    sba, sbb = gram[3, 0], gram[3, 1]
    taa, tab = (dbb * saa - dab * sba) / step_volume, (dbb * sab - dab * sbb) / step_volume
    tba, tbb = (daa * sba - dab * saa) / step_volume, (daa * sbb - dab * sab) / step_volume
    uaa, uab = saa * taa + sba * tba, saa * tab + sba * tbb
    ubb = sab * tab + sbb * tbb
    maa, mab = (kbb * uaa - kab * uab) / level_volume, (kbb * uab - kab * ubb) / level_volume
    mba, mbb = (kaa * uab - kab * uaa) / level_volume, (kaa * ubb - kab * uab) / level_volume
    middle, gap = 0.5 * (maa + mbb), 0.5 * (maa - mbb)
    root = math.sqrt(max(gap * gap + mab * mba, 0.0))
    larger, smaller = middle + root, middle - root
    if not larger < 1.0:
        return
    out[TRACE_OF_ONE] = -observations * math.log1p(-smaller)
    out[TRACE] = out[TRACE_OF_ONE] - observations * math.log1p(-larger)
    # (M - larger) v = 0; the row with the larger entries decides, and beta = -v[b] / v[a].
    if abs(mab) + abs(maa - larger) >= abs(mba) + abs(mbb - larger):
        out[BETA] = (maa - larger) / mab if mab != 0.0 else np.nan
    else:
        out[BETA] = mba / (mbb - larger) if mbb != larger else np.nan


@njit(void(float64[::1], float64[::1], int64, float64[::1]), cache=True, nogil=True)
def fit(a: FloatArray, b: FloatArray, lags: int, out: FloatArray) -> None:
    """Test two finite series for cointegration.

    Parameters
    ----------
    a, b
        (n,) oldest first.
    lags
        Lagged differences in the model.
    out
        (3,) written: trace statistics of none and of at most one relation, and the hedge ratio beta of the
        relation a - beta * b. All NaN where the test does not exist: too few bars, a series that does not move,
        one that is a multiple of the other.
    """
    out[:] = np.nan
    if a.shape[0] < minimum_window(lags):
        return
    gram = _moments(a, b, lags)
    count = 2 * lags
    whole = gram.copy()
    if not _eliminate(gram, count):
        return
    for j in range(count, count + 4):
        if not gram[j, j] > LEAST_PIVOT * whole[j, j]:
            return
    _solve(gram[count:, count:].copy(), a.shape[0] - 1 - lags, out)
