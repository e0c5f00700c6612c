"""How two samples of one column differ, and how much of it is chance. NaN-free 1-D float64 arrays throughout.

Rows of a time series hang together, so tests count with rows / autocorrelation time instead of rows.
"""

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BINS: Final = 10


def kolmogorov_smirnov(first: Floats, second: Floats) -> float:
    """Largest distance of the two distribution functions; both samples ascending."""
    points = np.concatenate((first, second))
    return float(np.abs(_distribution(first, points) - _distribution(second, points)).max())


def kolmogorov_smirnov_p(distance: float, first: float, second: float) -> float:
    """Probability of such a distance or more by chance; Stephens' (1970) correction of the limit law.

    `first` and `second` are the numbers of independent rows.
    """
    root = math.sqrt(first * second / (first + second))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:  # the series does not converge there, and the law is 1 to twelve digits
        return 1.0
    total = sum((1 if k % 2 else -1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return min(max(2 * total, 0.0), 1.0)


def wasserstein(first: Floats, second: Floats) -> float:
    """Area between the two distribution functions, in the units of the column; both samples ascending."""
    points = np.sort(np.concatenate((first, second)))
    gaps = np.abs(_distribution(first, points[:-1]) - _distribution(second, points[:-1]))
    return float(gaps @ np.diff(points))


def stability_index(reference: Floats, recent: Floats) -> tuple[float, int]:
    """Population stability index over tenths of the reference, and the number of bins; both samples ascending.

    Tenths that coincide are one bin. Half a row is added to each bin, so that an empty one is no infinity.
    """
    ranks = np.maximum(np.arange(1, BINS) * reference.size // BINS - 1, 0)
    edges = np.unique(reference[ranks])
    shares = [_shares(sample, edges) for sample in (reference, recent)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()), int(edges.size) + 1


def stability_limit(bins: int, first: float, second: float, level: float) -> float:
    """Stability index that chance exceeds with probability `level` (Yurdakul 2018): chi-square over the rows."""
    freedom = max(bins - 1, 1)
    # Wilson and Hilferty's (1931) cube.
    z = NormalDist().inv_cdf(1 - level)
    quantile = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    return quantile * (1 / first + 1 / second)


def adjusted(p_values: Floats) -> Floats:
    """Adjust p-values (m,): taking those up to q keeps the false discovery rate at q (Benjamini and Hochberg 1995)."""
    order = np.argsort(p_values)
    scaled = p_values[order] * p_values.size / np.arange(1, p_values.size + 1)
    result = np.empty_like(p_values)
    result[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return result


def autocorrelation_time(column: Floats) -> float:
    """Rows that count as one, from the ranks of a column in the order of time; at least 1.

    1 + 2 sum of autocorrelations, cut where the sum of a pair of lags is no longer positive (Geyer 1992).
    """
    correlations = _autocorrelations(column)
    pairs = correlations[: correlations.size // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    kept = pairs[: ends[0]] if ends.size else pairs
    return float(max(2 * kept.sum() - 1, 1.0))


def lag_one(column: Floats) -> float:
    """Autocorrelation at lag one of the ranks of a column in the order of time."""
    return float(_autocorrelations(column)[1])


def normal_scores(reference: Floats, column: Floats) -> Floats:
    """Standard normal quantiles of the ranks of values among a reference, ascending; whatever its distribution."""
    table = np.array([NormalDist().inv_cdf((k + 0.5) / (reference.size + 1)) for k in range(reference.size + 1)])
    ranks = np.searchsorted(reference, column, "left") + np.searchsorted(reference, column, "right")
    scores: Floats = table[ranks // 2]
    return scores


def _distribution(sample: Floats, points: Floats) -> Floats:
    shares: Floats = np.searchsorted(sample, points, "right") / sample.size
    return shares


def _shares(sample: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, sample, "left"), minlength=edges.size + 1).astype(np.float64)
    shares: Floats = (counts + 0.5) / (sample.size + 0.5 * counts.size)
    return shares


def _autocorrelations(column: Floats) -> Floats:
    """Autocorrelations of ranks at lags 0 to n - 1; of a constant column 1, then 0."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks = middle[inverse] - middle[inverse].mean()
    size = 1 << (2 * column.size - 1).bit_length()
    found = np.fft.irfft(np.abs(np.fft.rfft(ranks, size)) ** 2, size)[: column.size]
    shares = np.zeros(max(column.size, 2))
    shares[0] = 1.0
    if found[0] > 0:
        shares[: found.size] = found / found[0]
    return shares
