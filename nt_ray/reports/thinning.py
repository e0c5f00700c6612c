"""Long series made short for a plot, without losing a peak or a trough."""

import numpy as np

from nt_ray.types import FloatArray, IntArray

MAX_POINTS = 4000
"""More points than a screen has columns; a page of several series stays small."""


def thin(values: FloatArray, limit: int = MAX_POINTS) -> IntArray:
    """Rows to plot: first, last, and the lowest and highest of each of equal stretches.

    Parameters
    ----------
    values
        (T,) values; NaN is never an extreme.
    limit
        Most rows to return, at least 4.

    Returns
    -------
    int64 (at most `limit`,), increasing; every row where T fits.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count, dtype=np.int64)
    stretches = (limit - 2) // 2
    bounds = np.linspace(0, count, stretches + 1).astype(np.int64)
    low = np.where(np.isnan(values), np.inf, values)
    high = np.where(np.isnan(values), -np.inf, values)
    rows = {0, count - 1}
    for first, after in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        rows.add(first + int(np.argmin(low[first:after])))
        rows.add(first + int(np.argmax(high[first:after])))
    return np.array(sorted(rows), dtype=np.int64)
