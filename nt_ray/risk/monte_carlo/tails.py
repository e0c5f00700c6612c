"""Exact tails of many scenarios: a cheap bound leaves few candidates, and among them the order statistic is selected.

The convention is that of `nt_ray.risk.historical`: VaR is the k-th largest loss, k = ceil((1-a) n), and ES weighs it
with the fraction of it that belongs to the tail. The bound comes from a sample and decides only how much work is done:
where it leaves too few or too many, every loss is taken. Sums run in the order of scenarios, so they do not depend on
how many threads there were.
"""

import math
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int64, njit, types, void

from nt_ray.risk.monte_carlo.draw import aligned
from nt_ray.risk.monte_carlo.product import TILE, multiply
from nt_ray.types import IntArray

Array = npt.NDArray[Any]
Kept: TypeAlias = tuple[Array, IntArray]
"""(P, most) losses, and how many of each row there are."""

_DEVIATIONS: Final = 6.0
"""Binomial standard deviations by which a bound lies below the quantile of its sample."""


def bounds_of(samples: Array, share: float) -> Array:
    """Return (P,) losses that (P, n) samples say to lie safely below the quantile with `share` of losses above it."""
    size = samples.shape[1]
    rank = math.ceil(share * size + _DEVIATIONS * math.sqrt(share * size) + _DEVIATIONS)
    if rank >= size:
        return np.full(len(samples), -np.inf, dtype=samples.dtype)
    least: Array = np.partition(samples, size - rank, axis=1)[:, size - rank]
    return least


def room_for(scenarios: int, share: float, sample: int) -> int:
    """Return how many candidates a run of scenarios may have before all of it is taken instead."""
    widened = share * (1.0 + 2.0 * _DEVIATIONS / math.sqrt(max(share * sample, 1.0))) + 2.0 * _DEVIATIONS / sample
    expected = min(widened, 1.0) * scenarios
    return min(scenarios, math.ceil(expected + _DEVIATIONS * math.sqrt(expected))) + TILE


def tail_of_candidates(candidates: Array, tail: float, rank: int) -> tuple[float, float]:
    """Return VaR and ES from the losses of the tail, in the order of scenarios, and any smaller ones."""
    var = float(np.partition(candidates, candidates.size - rank)[candidates.size - rank])
    return var, var + _excess(candidates, var) / tail


_EXCESS = [float64(kind[::1], float64) for kind in (float32, float64)]


@njit(_EXCESS, cache=True, nogil=True)
def _excess(losses: Array, level: float) -> float:
    """Sum of what losses exceed a level by."""
    total = 0.0
    for s in range(losses.shape[0]):
        over = float64(losses[s]) - level
        if over > 0.0:
            total += over
    return total


def _signature(kind: Any) -> Any:
    tiles = types.Array(kind, 3, "C", readonly=True)
    return void(kind[:, ::1], tiles, int64, int64, int64, kind[::1], kind[:, ::1], kind[:, ::1], int64[::1])


@njit([_signature(float32), _signature(float64)], cache=True, nogil=True)
def collect(
    negative: Array, tiles: Array, first: int, total: int, scenarios: int, bounds: Array, drawn: Array, kept: Array,
    counts: IntArray,
) -> None:  # fmt: skip
    """Keep the losses of P portfolios that reach their bounds, in the order of scenarios.

    Parameters
    ----------
    negative
        (P, N) weights with the sign turned.
    tiles
        (n, N, TILE) returns, of which `total` tiles are read from the first on, and no scenario from number
        `scenarios` on.
    bounds
        (P,) losses; minus infinity keeps all.
    drawn
        (P, TILE) room to work.
    kept, counts
        (P, most) and (P,): what is kept and how much of it. A count of -1 says that there was not room enough.
    """
    nothing = np.zeros_like(bounds)
    for t in range(first, first + total):
        size = min(TILE, scenarios - t * TILE)
        multiply(negative, nothing, tiles[t], size, drawn, 0)
        for p in range(negative.shape[0]):
            count = counts[p]
            if count < 0 or count + size > kept.shape[1]:
                counts[p] = -1
                continue
            row, losses, bound = kept[p], drawn[p], bounds[p]
            for s in range(size):
                row[count] = losses[s]
                count += int64(losses[s] >= bound)
            counts[p] = count


def collected(
    negative: Array, tiles: Array, first: int, total: int, scenarios: int, bounds: Array | None, room: int
) -> Kept:
    """Return what `collect` keeps, with room for so many losses a portfolio; all of them without bounds."""
    kind, portfolios = negative.dtype, len(negative)
    least = np.full(portfolios, -np.inf, dtype=kind) if bounds is None else np.ascontiguousarray(bounds)
    kept, counts = np.empty((portfolios, room), dtype=kind), np.zeros(portfolios, dtype=np.int64)
    collect(negative, tiles, first, total, scenarios, least, aligned(portfolios, TILE, kind), kept, counts)
    return kept, counts
