"""Stylised facts of returns, and how far synthetic paths are from a history in each.

Curves are those of `dependence`, and a distance is taken from the history's curve to the mean curve of the paths: root
mean square over the lags for autocorrelations, Euclidean length for the leverage effect. On the S&P 500 of May 2009 to
December 2018 a GARCH(1,1) then has .023, .029, .027 and .45, as in the table of Wiese et al. (2020). A history is
itself one draw: part of every distance is its own noise, which nothing but a copy of the history can be near to.

Sources: Cont (2001), Empirical properties of asset returns: stylized facts and statistical issues; Quant GANs (2020);
tail index: Hill (1975); coarse and fine volatility: Mueller et al. (1997), Volatilities of different time resolutions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.dependence import curves
from nt_ray.types import FloatArray

LAGS = 250
TAIL = 0.05
"""Share of the values that Hill's estimator takes for the tail."""
COARSE = 5
"""Returns whose sum is the coarse return."""
ASYMMETRY_LAGS = 10
CHUNK = 50


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Facts of a history, or means of them over paths.

    `curves` are (4, lags) in the order of `dependence.KINDS`, `quantiles` of all values at (i + 1/2) / Q. `hill_low`
    and `hill_high` are tail indices of losses and gains. `coarse_fine` is the mean over lags 1 .. 10 of the
    correlation of coarse volatility with later fine volatility, less that with earlier: positive where a coarse move
    tells more of what comes than of what went before.
    """

    curves: FloatArray
    quantiles: FloatArray
    deviation: float
    skew: float
    excess_kurtosis: float
    hill_low: float
    hill_high: float
    coarse_fine: float


@dataclass(frozen=True, slots=True)
class Distances:
    """How far paths are from a history: zero is a copy of it. Returns are logarithmic and daily, if the history is."""

    returns: float
    absolute: float
    squares: float
    leverage: float
    emd: float
    """Earth mover's distance between the returns of the paths and of the history, in units of a return."""
    deviation: float
    """Ratio of deviations; the others below are plain differences, paths less history."""
    skew: float
    excess_kurtosis: float
    hill_low: float
    hill_high: float
    coarse_fine: float


def facts(paths: FloatArray, lags: int = LAGS, levels: int = 2000) -> Facts:
    """Facts of paths (P, n) or of one history (n,), each path weighing the same; NaN is an error."""
    paths = np.atleast_2d(np.asarray(paths, dtype=np.float64))
    if paths.ndim != 2 or not np.isfinite(paths).all() or paths.shape[1] < max(lags, COARSE * ASYMMETRY_LAGS) + 2:
        raise NeuralError(
            f"Paths of shape {paths.shape} have no curves over {lags} lags. "
            f"Give finite paths longer than {max(lags, COARSE * ASYMMETRY_LAGS) + 1} steps."
        )
    if not (paths.std(axis=1) > 0.0).all():
        raise NeuralError("A path that never changes has no correlations. Give paths that vary.")
    whole = paths.ravel()
    centred = whole - whole.mean()
    deviation = float(centred.std())
    return Facts(
        curves=_mean_curves(paths, lags),
        quantiles=np.quantile(whole, (np.arange(levels) + 0.5) / levels),
        deviation=deviation,
        skew=float(np.mean(centred**3)) / deviation**3,
        excess_kurtosis=float(np.mean(centred**4)) / deviation**4 - 3.0,
        hill_low=hill(-centred),
        hill_high=hill(centred),
        coarse_fine=float(np.mean([coarse_fine(path) for path in paths])),
    )


def distances(history: Facts, paths: Facts) -> Distances:
    """Distances of paths from a history; both with the same lags and levels."""
    gaps = paths.curves - history.curves
    returns, absolute, squares, _ = np.sqrt(np.mean(np.square(gaps), axis=1)).tolist()
    return Distances(
        returns,
        absolute,
        squares,
        leverage=float(np.linalg.norm(gaps[3])),
        emd=float(np.mean(np.abs(paths.quantiles - history.quantiles))),
        deviation=paths.deviation / history.deviation,
        skew=paths.skew - history.skew,
        excess_kurtosis=paths.excess_kurtosis - history.excess_kurtosis,
        hill_low=paths.hill_low - history.hill_low,
        hill_high=paths.hill_high - history.hill_high,
        coarse_fine=paths.coarse_fine - history.coarse_fine,
    )


def hill(values: FloatArray, share: float = TAIL) -> float:
    """Hill's tail index of the upper tail of values (n,): 1 over the mean log excess; NaN without positive tail."""
    count = max(2, int(share * len(values)))
    top = np.partition(values, len(values) - count - 1)[-count - 1 :]
    threshold = float(top.min())
    if threshold <= 0.0:
        return float("nan")
    excess = float(np.log(top / threshold).sum()) / count
    return 1.0 / excess if excess > 0.0 else float("nan")


def coarse_fine(path: FloatArray) -> float:
    """Asymmetry of coarse and fine volatility of a path (n,), as `Facts` states it, over whole coarse steps."""
    blocks = path[: len(path) // COARSE * COARSE].reshape(-1, COARSE)
    coarse, fine = np.abs(blocks.sum(axis=1)), np.abs(blocks).sum(axis=1)
    coarse, fine = coarse - coarse.mean(), fine - fine.mean()
    scale = float(coarse.std() * fine.std()) * len(fine)
    if scale == 0.0:
        return 0.0
    ahead = [float(coarse[:-lag] @ fine[lag:]) for lag in _lags(len(fine))]
    behind = [float(coarse[lag:] @ fine[:-lag]) for lag in _lags(len(fine))]
    return (sum(ahead) - sum(behind)) / len(ahead) / scale


def _lags(blocks: int) -> Iterable[int]:
    return range(1, min(ASYMMETRY_LAGS, blocks - 1) + 1)


def _mean_curves(paths: FloatArray, lags: int) -> FloatArray:
    total = np.zeros((4, lags))
    for first in range(0, len(paths), CHUNK):
        part = torch.from_numpy(paths[first : first + CHUNK])
        total += curves(part, lags).sum(dim=1).numpy()
    return total / len(paths)
