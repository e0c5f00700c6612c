"""The product of a small matrix with a tile of scenarios, summed over the columns of the matrix in their order.

A number that comes out depends on one row and one scenario alone, never on how many of either there are. That is what a
linear algebra library does not promise, and why portfolios measured together or alone, here or elsewhere, agree.
"""

from typing import Any, Final

import numpy.typing as npt
from numba import float32, float64, int64, njit, types, void

COLUMNS: Final = 8
"""Columns added in one pass. Their rows of scenarios stay in the first cache while every sum passes by."""

TILE: Final = 512
"""Scenarios in a tile: eight rows of it fit into the first cache, those of a hundred assets into the second."""

_SIGNATURES = [
    # Scenarios that come from an object store may not be written to.
    void(kind[:, ::1], kind[::1], types.Array(kind, 2, "C", readonly=True), int64, kind[:, ::1], int64)
    for kind in (float32, float64)
]


@njit(_SIGNATURES, cache=True, nogil=True)
def multiply(
    matrix: npt.NDArray[Any],
    start: npt.NDArray[Any],
    x: npt.NDArray[Any],
    count: int,
    out: npt.NDArray[Any],
    triangular: int,
) -> None:
    """Write start + matrix times the first `count` scenarios of x into out.

    Parameters
    ----------
    matrix
        (M, K); where `triangular` is not 0 it is zero above its diagonal.
    start
        (M,) what the sums begin with.
    x, out
        (at least K, n) and (at least M, n).
    """
    rows, columns = matrix.shape
    whole = columns - columns % COLUMNS
    for i in range(rows):
        out[i, :count] = start[i]
    for k in range(0, whole, COLUMNS):
        r0, r1, r2, r3 = x[k, :count], x[k + 1, :count], x[k + 2, :count], x[k + 3, :count]
        r4, r5, r6, r7 = x[k + 4, :count], x[k + 5, :count], x[k + 6, :count], x[k + 7, :count]
        for i in range(k if triangular else 0, rows):
            sums = out[i, :count]
            a, b, c, d = matrix[i, k], matrix[i, k + 1], matrix[i, k + 2], matrix[i, k + 3]
            e, f, g, h = matrix[i, k + 4], matrix[i, k + 5], matrix[i, k + 6], matrix[i, k + 7]
            for s in range(count):
                t = sums[s] + a * r0[s] + b * r1[s] + c * r2[s] + d * r3[s]
                sums[s] = t + e * r4[s] + f * r5[s] + g * r6[s] + h * r7[s]
    for k in range(whole, columns):
        row = x[k, :count]
        for i in range(k if triangular else 0, rows):
            sums, a = out[i, :count], matrix[i, k]
            for s in range(count):
                sums[s] += a * row[s]
