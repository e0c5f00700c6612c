"""Dependence beyond linear correlation: by ranks, and in the tails, where diversification is needed.

All are of simple returns (T, N) without missing values, and give symmetric matrices (N, N).
"""

import numpy as np
import numpy.typing as npt
from numba import float64, int64, njit
from scipy.stats import rankdata

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.portfolio.moments.standard import check_varying
from nt_ray.types import FloatArray, IntArray


def kendall(returns: npt.ArrayLike) -> FloatArray:
    """Return Kendall's tau-b (N, N) of returns (T, N); NaN where one of a pair never changes.

    Source: Knight (1966), A computer method for calculating Kendall's tau with ungrouped data, Journal of the American
    Statistical Association 61, 436-439: T log T steps a pair.
    """
    values = check_returns(returns)
    ranks = np.ascontiguousarray(rankdata(values, method="dense", axis=0).T.astype(np.int64))
    orders = np.ascontiguousarray(np.argsort(ranks, axis=1, kind="stable"))
    return np.asarray(_taus(ranks, orders))


def tail_dependence(returns: npt.ArrayLike, *, quantile: float = 0.05) -> FloatArray:
    """Return the share (N, N) of an asset's worst periods that are among the worst of another one.

    The worst are the floor(quantile T) lowest returns of each, ties in the order of time. Independent assets have
    `quantile`, assets that fall together 1; the limit for a small quantile is the coefficient of lower tail dependence.
    """
    values = check_returns(returns)
    count = _tail_count(values, quantile)
    worst = np.zeros(values.shape)
    np.put_along_axis(worst, np.argsort(values, axis=0, kind="stable")[:count], 1.0, axis=0)
    return np.asarray(worst.T @ worst / count)


def exceedance_correlation(returns: npt.ArrayLike, *, threshold: float = 0.0, least: int = 20) -> FloatArray:
    """Return the correlations (N, N) in those periods in which both assets lie on one side of a threshold.

    Parameters
    ----------
    returns
        (T, N); standardised here by mean and standard deviation.
    threshold
        In standard deviations: zero or less takes periods in which both are at or below it, above zero those in
        which both are at or above it.
    least
        Fewer common periods than this give NaN.

    Notes
    -----
    Source: Longin and Solnik (2001), Extreme correlation of international equity markets, Journal of Finance 56,
    649-676; Ang and Chen (2002), Asymmetric correlations of equity portfolios, Journal of Financial Economics 63,
    443-494. Even Gaussian returns have exceedance correlations below their correlation; compare with those.
    """
    values = check_returns(returns)
    if not np.isfinite(threshold) or least < 2:
        raise RiskError(f"threshold={threshold}, least={least} cannot be used. Give a number, and at least 2 periods.")
    check_varying(values)
    scores = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    beyond = (scores <= threshold) if threshold <= 0.0 else (scores >= threshold)
    result = np.eye(values.shape[1])
    for i in range(values.shape[1]):
        for j in range(i):
            both = beyond[:, i] & beyond[:, j]
            result[i, j] = result[j, i] = _pearson(scores[both, i], scores[both, j], least)
    return result


def _pearson(one: FloatArray, other: FloatArray, least: int) -> float:
    if one.size < least:
        return np.nan
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0.0 else np.nan


def _tail_count(values: FloatArray, quantile: float) -> int:
    if not 0.0 < quantile <= 0.5:
        raise RiskError(f"quantile={quantile} does not lie in (0, 0.5]. Use a value such as 0.05.")
    # The slack keeps 0.05 of 100 periods at five.
    count = int(quantile * values.shape[0] + 1e-9)
    if count < 1:
        raise RiskError(
            f"The tail of {values.shape[0]} periods at {quantile} is empty. Give more periods or a wider one."
        )
    return count


@njit(int64(int64[::1], int64[::1]), cache=True, nogil=True)
def _swaps(values: IntArray, room: IntArray) -> int:
    """Sort by merging and count how many pairs stood in the wrong order."""
    n = values.size
    swaps = 0
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            i = start
            j = middle
            for k in range(start, end):
                if i < middle and (j >= end or values[i] <= values[j]):
                    room[k] = values[i]
                    i += 1
                else:
                    room[k] = values[j]
                    swaps += middle - i
                    j += 1
        values[:] = room
        width *= 2
    return swaps


@njit(int64(int64[::1]), cache=True, nogil=True)
def _tied(ordered: IntArray) -> int:
    """Pairs of equal values in an ordered array."""
    pairs = 0
    run = 1
    for t in range(1, ordered.size):
        run = run + 1 if ordered[t] == ordered[t - 1] else 1
        pairs += run - 1
    return pairs


@njit(float64[:, ::1](int64[:, ::1], int64[:, ::1]), cache=True, nogil=True)
def _taus(ranks: IntArray, orders: IntArray) -> FloatArray:
    assets, periods = ranks.shape
    pairs = periods * (periods - 1) // 2
    result = np.empty((assets, assets))
    ties = np.empty(assets, np.int64)
    room = np.empty(periods, np.int64)
    for i in range(assets):
        ties[i] = _tied(ranks[i][orders[i]])
        result[i, i] = 1.0 if ties[i] < pairs else np.nan
    for i in range(assets):
        first = ranks[i][orders[i]]
        for j in range(i):
            second = ranks[j][orders[i]]
            joint = 0
            start = 0
            for t in range(1, periods + 1):
                if t == periods or first[t] != first[start]:
                    if t - start > 1:
                        second[start:t] = np.sort(second[start:t])
                        joint += _tied(second[start:t])
                    start = t
            above = pairs - ties[i] - ties[j] + joint - 2 * _swaps(second, room)
            below = np.sqrt(float(pairs - ties[i])) * np.sqrt(float(pairs - ties[j]))
            result[i, j] = above / below if below > 0.0 else np.nan
            result[j, i] = result[i, j]
    return result
