"""Filtered historical simulation: past shocks, freed of their volatility, sent through a GARCH(1,1) from today on.

Each path draws its shocks with replacement from the standardised residuals; the words that choose them are keyed by
(seed, path, step), so a path is the same in any block and on any number of threads. Barone-Adesi, Giannopoulos and
Vosper (1999), VaR without correlations for portfolios of derivative securities.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import float64, int64, njit, uint64, void

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_horizon
from nt_ray.portfolio.tail_count import check_tail
from nt_ray.risk.historical import tail_of
from nt_ray.risk.measures.series import portfolio_returns
from nt_ray.risk.measures.tail import Tail
from nt_ray.risk.monte_carlo.words import MOST_SCENARIOS, fill_words, seed_key
from nt_ray.risk.volatility import GARCH_LEAST, Garch, fit_garch
from nt_ray.types import FloatArray

RESAMPLING: Final = 16
"""Purpose in the counter, apart from those of `nt_ray.risk.monte_carlo.words`: shocks drawn with replacement."""

_BLOCK = 4096


def filtered(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    paths: int = 100_000,
    seed: int = 0,
    threads: int = 1,
) -> Tail:
    """Measure the tail by filtered historical simulation.

    Notes
    -----
    One period needs no simulation: its outcomes are the past shocks at today's forecast, each counted alike. Returns
    of several periods are compounded; a path that loses everything stays at nothing.
    """
    check_horizon(horizon)
    series = portfolio_returns(returns, weights, least=GARCH_LEAST)
    check_tail(series.size if horizon == 1 else paths, confidence)
    model = fit_garch(series)
    volatility = model.volatility(series)
    shocks = (series - model.mean) / volatility[:-1]
    if horizon == 1:
        outcomes = model.mean + volatility[-1] * shocks
    else:
        outcomes = filtered_paths(
            model, shocks, float(volatility[-1]), horizon, paths=paths, seed=seed, threads=threads
        )
    var, es = tail_of(outcomes, confidence)
    notes = [f"garch(1,1): volatility {volatility[-1]:.3g} forecast, persistence {model.persistence:.4f}"]
    if model.persistence >= 1.0:
        notes.append("volatility does not revert to a mean")
    if horizon > 1:
        notes.append(f"{paths} paths from seed {seed}")
    return Tail(
        var=var,
        es=es,
        method="filtered",
        confidence=confidence,
        horizon=horizon,
        observations=outcomes.size,
        notes=tuple(notes),
    )


def filtered_paths(
    model: Garch,
    shocks: FloatArray,
    volatility: float,
    horizon: int,
    *,
    paths: int,
    seed: int = 0,
    threads: int = 1,
) -> FloatArray:
    """Simulate compounded returns of `horizon` periods.

    Parameters
    ----------
    shocks
        (n,) standardised residuals to draw from; a draw favours none by more than n / 2^32.
    volatility
        Of the first period ahead.
    paths, seed, threads
        How many paths, the key of their draws, and on how many threads; the last changes no number.

    Returns
    -------
    (paths,) simple returns, in the order of the paths.
    """
    check_horizon(horizon)
    if not 1 <= paths <= MOST_SCENARIOS or threads < 1:
        raise RiskError(
            f"{paths} paths on {threads} threads cannot be simulated. Use 1 to 2^32 paths, 1 thread or more."
        )
    if not (volatility > 0.0 and shocks.size > 0):
        raise RiskError(
            f"Volatility {volatility:g} of {shocks.size} shocks moves nothing. Give a positive one and shocks."
        )
    key0, key1 = seed_key(seed)
    out = np.empty(paths)
    parameters = np.array([model.mean, model.omega, model.alpha, model.beta, volatility**2])

    def simulate(first: int, end: int) -> None:
        _simulate(key0, key1, first, horizon, parameters, shocks, out[first:end])

    size = -(-paths // threads)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(simulate, at, min(at + size, paths)) for at in range(0, paths, size)]:
            done.result()
    return out


@njit(void(uint64, uint64, int64, int64, float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _simulate(
    key0: int, key1: int, first: int, horizon: int, parameters: FloatArray, shocks: FloatArray, out: FloatArray
) -> None:
    """Fill compounded returns of the paths from `first` on, block by block, all paths of a block one step at a time."""
    mean, omega, alpha, beta = parameters[0], parameters[1], parameters[2], parameters[3]
    count = uint64(shocks.size)
    words = np.empty((4, _BLOCK), dtype=np.uint32)
    variance = np.empty(_BLOCK)
    for begin in range(0, out.size, _BLOCK):
        size = min(_BLOCK, out.size - begin)
        wealth = out[begin : begin + size]
        wealth[:] = 1.0
        variance[:size] = parameters[4]
        for step in range(horizon):
            if step % 4 == 0:
                fill_words(key0, key1, first + begin, 0, step // 4, RESAMPLING, words)
            row = words[step % 4]
            for s in range(size):
                shock = shocks[(uint64(row[s]) * count) >> uint64(32)]
                moved = np.sqrt(variance[s]) * shock
                wealth[s] *= max(1.0 + mean + moved, 0.0)
                variance[s] = omega + alpha * moved * moved + beta * variance[s]
        for s in range(size):
            wealth[s] -= 1.0
