"""How alike two patterns are: standardised shapes compared by cosine or by dynamic time warping.

A shape is a window of values less its mean, over its population deviation, so level and size do not count. The
cosine of two shapes is their correlation. With the squared distance of shapes of n values, 2n * (1 - cosine), it
reads 1 - distance / 2n; warping is put on the same scale with the least cost of a path in place of the
distance, so it is never below the cosine. Both are at most 1, and 1 only for equal shapes.

Source: Sakoe and Chiba (1978), Dynamic programming algorithm optimization for spoken word recognition, IEEE
Transactions on Acoustics, Speech and Signal Processing 26.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit

from nt_ray.types import FloatArray

RELATIVE_NOISE = 1e-12
"""A window whose deviation is a smaller part of its largest value has no shape but rounding."""


@njit(boolean(float64[::1]), cache=True, nogil=True)
def standardise(values: FloatArray) -> bool:
    """Turn a window into its shape in place; False, and zeros, where it does not move."""
    n = values.shape[0]
    mean, largest = 0.0, 0.0
    for i in range(n):
        mean += values[i] / n
        largest = max(largest, abs(values[i]))
    square = 0.0
    for i in range(n):
        values[i] -= mean
        square += values[i] * values[i]
    deviation = math.sqrt(square / n)
    if deviation <= RELATIVE_NOISE * largest:
        values[:] = 0.0
        return False
    for i in range(n):
        values[i] /= deviation
    return True


@njit(float64(float64[::1], float64[::1]), cache=True, nogil=True)
def cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine of two shapes of one length, in [-1, 1]; 0 with a shape of zeros."""
    product = 0.0
    for i in range(a.shape[0]):
        product += a[i] * b[i]
    return float(min(max(product / a.shape[0], -1.0), 1.0))


@njit(float64(float64[::1], float64[::1], int64), cache=True, nogil=True)
def warped(a: FloatArray, b: FloatArray, band: int) -> float:
    """Similarity of two shapes under dynamic time warping.

    Parameters
    ----------
    a, b
        (n,) shapes from `standardise`, neither of them zeros.
    band
        Sakoe-Chiba band: values i and j may meet where |i - j| <= band. 0 gives the cosine.

    Returns
    -------
    1 - cost / 2n with the least sum of squared differences along a path; at most 1.
    """
    n = a.shape[0]
    before, row = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    before[0] = 0.0
    for i in range(1, n + 1):
        row[:] = np.inf
        for j in range(max(1, i - band), min(n, i + band) + 1):
            difference = a[i - 1] - b[j - 1]
            row[j] = difference * difference + min(before[j - 1], before[j], row[j - 1])
        before, row = row, before
    return float(1.0 - before[n] / (2.0 * n))
