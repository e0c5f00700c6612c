"""Correlations through time, and one shrunk towards none at all.

All are of simple returns (T, N) without missing values. A correlation with something that does not vary is NaN.
"""

import numpy as np
import numpy.typing as npt
from numba import float64, njit, types, void

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns, is_whole
from nt_ray.portfolio.moments.shrinkage import shrink_ledoit_wolf
from nt_ray.portfolio.moments.standard import check_varying
from nt_ray.types import FloatArray

_STILL = 1e-24
"""Mean squared deviation, relative to the squared size of the values, below which a window does not vary."""
_BLOCK = 4_000_000
"""Numbers that are centred at once."""


def rolling(returns: npt.ArrayLike, window: int) -> FloatArray:
    """Return the correlations (T - window + 1, N, N) of every `window` consecutive periods, the last one ending at T.

    Every window is summed anew, so no rounding is carried along.
    """
    values = _panel(returns, window, "window")
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    result = np.empty((windows.shape[0], values.shape[1], values.shape[1]))
    # Blocks bound the memory of the centred copies.
    block = max(1, _BLOCK // (window * values.shape[1]))
    for start in range(0, windows.shape[0], block):
        part = windows[start : start + block]
        centred = part - part.mean(axis=2, keepdims=True)
        products = centred @ centred.transpose(0, 2, 1)
        result[start : start + block] = _scaled(products, np.abs(part).max(axis=2), window)
    return result


def ewma_correlations(returns: npt.ArrayLike, *, decay: float = 0.94, start: int = 20) -> FloatArray:
    """Return the exponentially weighted correlations (T - start + 1, N, N), from the one after `start` periods on.

    Around zero, as RiskMetrics; the last one is that of `moments.sample.ewma`.
    """
    values = _panel(returns, start, "start")
    if not 0.0 < decay < 1.0:
        raise RiskError(f"decay={decay} does not lie between 0 and 1. Use a value such as 0.94.")
    result = np.empty((values.shape[0] - start + 1, values.shape[1], values.shape[1]))
    _ewma_path(values, decay, start, result)
    return result


def shrunk(returns: npt.ArrayLike) -> FloatArray:
    """Return the correlations (N, N), drawn towards zero by Ledoit and Wolf's intensity for standardised returns."""
    values = check_returns(returns)
    check_varying(values)
    matrix = shrink_ledoit_wolf(values / values.std(axis=0)).covariance
    np.fill_diagonal(matrix, 1.0)
    return matrix


def average(correlations: FloatArray) -> FloatArray:
    """Return the mean (...,) of the correlations (..., N, N) between different assets; NaN for one asset."""
    assets = correlations.shape[-1]
    if assets < 2:
        return np.full(correlations.shape[:-2], np.nan)
    total = correlations.sum(axis=(-2, -1)) - np.trace(correlations, axis1=-2, axis2=-1)
    return np.asarray(total / (assets * (assets - 1)))


def _panel(returns: npt.ArrayLike, least: int, what: str) -> FloatArray:
    if not is_whole(least, 2):
        raise RiskError(f"{what}={least} is not a whole number of periods from 2 on. Use a value such as 60.")
    return check_returns(returns, least=int(least))


def _scaled(products: FloatArray, sizes: FloatArray, window: int) -> FloatArray:
    squares = np.diagonal(products, axis1=1, axis2=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        roots = np.where(squares > _STILL * window * sizes**2, np.sqrt(squares), np.nan)
        result = np.clip(products / (roots[:, :, None] * roots[:, None, :]), -1.0, 1.0)
    places = np.arange(products.shape[1])
    result[:, places, places] = np.where(np.isnan(roots), np.nan, 1.0)
    return np.asarray(result)


@njit(void(types.Array(float64, 2, "C", readonly=True), float64, float64, float64[:, :, ::1]), cache=True, nogil=True)
def _ewma_path(values: FloatArray, decay: float, start: float, result: FloatArray) -> None:
    periods, assets = values.shape
    # Weights need not sum to 1: a correlation does not change with the scale.
    products = np.zeros((assets, assets))
    for t in range(periods):
        for i in range(assets):
            for j in range(i + 1):
                products[i, j] = decay * products[i, j] + values[t, i] * values[t, j]
        at = t + 1 - int(start)
        if at < 0:
            continue
        for i in range(assets):
            for j in range(i):
                scale = np.sqrt(products[i, i] * products[j, j])
                result[at, i, j] = products[i, j] / scale if scale > 0.0 else np.nan
                result[at, j, i] = result[at, i, j]
            result[at, i, i] = 1.0 if products[i, i] > 0.0 else np.nan
