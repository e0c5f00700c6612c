"""From Student's t to the returns of a sample: the margins of a t copula.

A t variate x of nu degrees enters as y = x / sqrt(nu + x^2), which lies between -1 and 1 and has a smooth distribution
u(y): cubic pieces between exact values and slopes give it within 1e-7, and within 2e-6 where nu is nearly 2. The
quantile of u among the T returns of an asset interpolates between order statistics, r(i) standing at (i - 1/2) / T.
Beyond them it stays at the smallest and the largest: no return worse than those of the sample is invented, and notes of
the measures say so.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int64, njit, void
from scipy.special import beta, stdtr

from nt_ray.types import FloatArray

CELLS = 1024


def distribution_table(degrees: float) -> FloatArray:
    """Return (2, CELLS + 1): u(y), and its slope times the width of a cell, at even steps of y from -1 to 1."""
    y = np.linspace(-1.0, 1.0, CELLS + 1)
    inside = 1.0 - y[1:-1] ** 2
    table = np.zeros((2, CELLS + 1))
    table[0, 1:-1] = stdtr(degrees, y[1:-1] * np.sqrt(degrees / inside))
    table[0, -1] = 1.0
    table[1, 1:-1] = inside ** (0.5 * degrees - 1.0) / beta(0.5, 0.5 * degrees) * (2.0 / CELLS)
    # At the ends the slope is zero, but with few degrees it falls there all at once: a parabola follows u better.
    table[1, 0] = table[1, -1] = max(0.0, 2.0 * table[0, 1] - table[1, 1])
    return table


_SIGNATURES = [void(kind[::1], float64[::1], int64, kind[::1], float64[:, ::1]) for kind in (float32, float64)]


@njit(_SIGNATURES, cache=True, nogil=True, error_model="numpy")
def to_margin(
    normals: npt.NDArray[Any],
    chi_squares: FloatArray,
    count: int,
    ordered: npt.NDArray[Any],
    table: FloatArray,
) -> None:
    """Replace the first `count` correlated normals of an asset by returns.

    Parameters
    ----------
    normals, chi_squares
        (n,) a t variate is normal / sqrt(chi-square / nu).
    ordered
        (T,) returns of the asset in ascending order, T >= 2.
    table
        Of `distribution_table`.
    """
    observations = ordered.shape[0]
    last, top = float64(observations - 1), int64(observations - 2)
    for s in range(count):
        z = float64(normals[s])
        place = (z / math.sqrt(chi_squares[s] + z * z) + 1.0) * (0.5 * CELLS)
        cell = min(int64(place), int64(CELLS - 1))
        f = place - float64(cell)
        u0, u1, d0, d1 = table[0, cell], table[0, cell + 1], table[1, cell], table[1, cell + 1]
        rise = u1 - u0
        u = u0 + f * (d0 + f * (3.0 * rise - 2.0 * d0 - d1 + f * (d0 + d1 - 2.0 * rise)))
        at = min(max(u * observations - 0.5, 0.0), last)
        below = min(int64(at), top)
        g = at - float64(below)
        normals[s] = (1.0 - g) * ordered[below] + g * ordered[below + 1]
