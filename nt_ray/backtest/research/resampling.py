"""Monte Carlo of an account: what the same trades, or the same bars, in another order could have done to it.

`resample_trades` draws trades with replacement, as if independent, one after another: each gains or loses its
return as a share of the equity of its time. That is right for an account with one position at a time; positions that
are held together fall together, so an account with several is judged by `resample_bars`, which draws blocks of bar
returns by the stationary bootstrap. Path number i depends on the seed and i alone, so chunks of any size give the
same paths. An account at or below the ruin level stays there: nobody would trade on.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.research.bootstrap import stationary_rows
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.philox import generator
from nt_ray.types import BoolArray, FloatArray, IntArray

TRADES, BARS = 3, 4
"""Streams of random numbers."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Distribution of the paths; wealth in multiples of the start, drawdowns zero or negative."""

    ruin_probability: float
    ruin_error: float
    """Standard error of the ruin probability, sqrt(p (1 - p) / paths)."""
    profit_probability: float
    mean_terminal: float
    terminal_quantiles: Mapping[float, float]
    drawdown_quantiles: Mapping[float, float]
    """Of each path's deepest drawdown; 0.05 is a drawdown that one path in twenty exceeds."""
    paths: int
    draws: int
    """Trades or bars on each path."""


def resample_trades(
    returns: FloatArray,
    *,
    paths: int = 10_000,
    trades: int | None = None,
    ruin: float = 0.5,
    seed: int = 0,
    chunk: int = 1024,
) -> Outcomes:
    """Resample trade returns.

    Parameters
    ----------
    returns
        (n,) return of each trade on the account's equity when it was entered; above -1; NaN is an error.
    paths, trades
        Paths, and trades on each; n where None.
    ruin
        Share of the starting equity at or below which an account is ruined, in [0, 1).
    chunk
        Paths in memory at a time; changes no result.
    """
    returns = _checked(returns, paths, ruin, chunk)
    length = len(returns) if trades is None else trades
    if length < 1:
        raise ResearchError(f"trades={length} is not positive. Use at least 1.")

    def draw(path: int) -> IntArray:
        rows: IntArray = generator(seed, TRADES, path).integers(0, len(returns), length)
        return rows

    return _outcomes(returns, draw, paths, length, ruin, chunk)


def resample_bars(
    returns: FloatArray,
    *,
    block: float,
    paths: int = 1000,
    ruin: float = 0.5,
    seed: int = 0,
    chunk: int = 128,
) -> Outcomes:
    """Resample bar returns (n,) of an account in blocks of mean length `block`; the rest as in `resample_trades`."""
    returns = _checked(returns, paths, ruin, chunk)
    if not block >= 1.0:
        raise ResearchError(f"block={block} is no block length. Use 1 (independent bars) or more.")

    def draw(path: int) -> IntArray:
        return stationary_rows(len(returns), block, seed, path, BARS)

    return _outcomes(returns, draw, paths, len(returns), ruin, chunk)


def _outcomes(
    returns: FloatArray, draw: Callable[[int], IntArray], paths: int, length: int, ruin: float, chunk: int
) -> Outcomes:
    terminal, deepest, ruined = np.empty(paths), np.empty(paths), np.empty(paths, dtype=np.bool_)
    for first in range(0, paths, chunk):
        numbers = range(first, min(first + chunk, paths))
        drawn = returns[np.array([draw(i) for i in numbers])]
        rows = slice(first, first + len(numbers))
        terminal[rows], deepest[rows], ruined[rows] = _walk(drawn, ruin)
    share = float(np.mean(ruined))
    return Outcomes(
        ruin_probability=share,
        ruin_error=math.sqrt(share * (1.0 - share) / paths),
        profit_probability=float(np.mean(terminal > 1.0)),
        mean_terminal=float(np.mean(terminal)),
        terminal_quantiles=dict(zip(QUANTILES, np.quantile(terminal, QUANTILES).tolist(), strict=True)),
        drawdown_quantiles=dict(zip(QUANTILES, np.quantile(deepest, QUANTILES).tolist(), strict=True)),
        paths=paths,
        draws=length,
    )


def _walk(drawn: FloatArray, ruin: float) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Terminal wealth, deepest drawdown and whether ruined, of paths of returns (paths, draws)."""
    wealth = np.cumprod(1.0 + drawn, axis=1, dtype=np.float64)
    fallen = wealth <= ruin
    ruined: BoolArray = np.any(fallen, axis=1)
    if ruined.any():
        stop = np.where(ruined, np.argmax(fallen, axis=1), drawn.shape[1] - 1)
        last = np.take_along_axis(wealth, stop[:, None], axis=1)
        wealth = np.where(np.arange(drawn.shape[1])[None, :] > stop[:, None], last, wealth)
    peaks = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
    deepest: FloatArray = (wealth / peaks - 1.0).min(axis=1)
    terminal: FloatArray = wealth[:, -1]
    return terminal, deepest, ruined


def _checked(returns: FloatArray, paths: int, ruin: float, chunk: int) -> FloatArray:
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or len(returns) == 0 or not np.isfinite(returns).all():
        raise ResearchError(f"Returns of shape {returns.shape} cannot be drawn. Give at least one finite return.")
    if returns.min() <= -1.0:
        raise ResearchError(f"A return of {returns.min():g} loses more than the account. Give returns above -1.")
    if not 0.0 <= ruin < 1.0:
        raise ResearchError(f"ruin={ruin} is no share of the start to be ruined at. Use 0 or more, below 1.")
    if paths < 1 or chunk < 1:
        raise ResearchError(f"paths={paths} and chunk={chunk} must be positive. Use at least 1.")
    return returns
