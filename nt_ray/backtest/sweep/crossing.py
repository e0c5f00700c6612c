"""Work that all moving-average crossovers of a symbol share: one prefix sum of its closes in whole ticks.

With it any mean of any length is one subtraction, whatever the combination. Sums are integers, so the votes are the
very votes of `strategies/sma_cross.py`, ties included.
"""

from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, types, void

from nt_ray.strategies import sma_cross
from nt_ray.strategies.base import STEP_SIGNATURE, Strategy
from nt_ray.types import ByteArray, FloatArray, IntArray

ONE: Final = np.uint64(1)

SENTINEL: Final = 2
"""Stands after the last vote and is none."""


def applies(strategy: Strategy) -> bool:
    """Whether the votes of a strategy can be told from prefix sums."""
    return strategy.step is sma_cross.STRATEGY.step


def prefix_sums(closes: FloatArray) -> tuple[IntArray, IntArray]:
    """Sums of closes in ticks, and how many closes are known.

    Parameters
    ----------
    closes
        (G, T, 1) closes of G symbols; a close that is not finite and positive is no bar.

    Returns
    -------
    (G, T + 1) sum of the first n known closes, and (G, T) number of closes known at each row: (G, 0) where none is
    missing, so that row t knows t + 1.
    """
    groups, bars = closes.shape[:2]
    sums = np.empty((groups, bars + 1), dtype=np.int64)
    if _accumulate(closes, sums):
        return sums, np.empty((groups, 0), dtype=np.int64)
    counts = np.empty((groups, bars), dtype=np.int64)
    _accumulate_known(closes, sums, counts)
    return sums, counts


_CLOSES = types.Array(float64, 3, "C", readonly=True)


@njit(boolean(_CLOSES, int64[:, ::1]), cache=True, nogil=True)
def _accumulate(closes: FloatArray, sums: IntArray) -> bool:
    """Add up; whether every close is known (the sums mean nothing where one is not).

    Ticks first, sums of them after: the first pass has no step that waits for the one before it.
    """
    for g in range(closes.shape[0]):
        row, own, whole = closes[g].reshape(closes.shape[1]), sums[g], True
        scale = sma_cross.ticks_a_unit(row[0])
        for t in range(row.shape[0]):
            whole &= (row[t] > 0.0) & (row[t] < np.inf)
            own[t + 1] = sma_cross.whole_ticks(row[t], scale)
        if not whole:
            return False
        own[0] = 0
        for t in range(row.shape[0]):
            own[t + 1] += own[t]
    return True


@njit(void(_CLOSES, int64[:, ::1], int64[:, ::1]), cache=True, nogil=True)
def _accumulate_known(closes: FloatArray, sums: IntArray, counts: IntArray) -> None:
    """Add up the closes that are known, and count them."""
    for g in range(closes.shape[0]):
        scale, count, total = 0.0, 0, 0
        sums[g, :] = 0
        for t in range(closes.shape[1]):
            close = closes[g, t, 0]
            if close > 0.0 and np.isfinite(close):
                if count == 0:
                    scale = sma_cross.ticks_a_unit(close)
                total += sma_cross.whole_ticks(close, scale)
                count += 1
                sums[g, count] = total
            counts[g, t] = count


@njit(forceinline=True)
def trace(sums: IntArray, counts: IntArray, fast: int, slow: int, votes: ByteArray) -> None:
    """Write the vote of a crossover on each bar: 1 above, -1 below, the one before where equal, 0 before the first.

    `sums` (T + 1) and `counts` (T) or (0) are those of a symbol, `votes` has room for T and for `SENTINEL` after them.
    Ties are settled by themselves, so that the loop over all bars has no step that waits for the one before it.
    """
    bars = sums.shape[0] - 1
    near, far, long, short = np.uint64(fast), np.uint64(slow), np.int64(slow), np.int64(fast)
    votes[: min(slow - 1, bars)] = 0
    votes[bars] = SENTINEL
    ties = 0
    if counts.shape[0] == 0:
        for t in range(far, np.uint64(bars + 1)):
            newest = sums[t]
            lead = (newest - sums[t - near]) * long
            lag = (newest - sums[t - far]) * short
            votes[t - ONE] = np.int8(lead > lag) - np.int8(lead < lag)
            ties += lead == lag
    else:
        ties = 1
        for t in range(bars):
            known = counts[t]
            votes[t] = 0
            if known >= slow:
                lead = (sums[known] - sums[known - fast]) * slow
                lag = (sums[known] - sums[known - slow]) * fast
                votes[t] = np.int8(lead > lag) - np.int8(lead < lag)
    if ties != 0:
        for t in range(max(slow - 1, 1), bars):
            if votes[t] == 0:
                votes[t] = votes[t - 1]


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def idle(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Abstain: the step of a kernel that tells votes from sums, so that none of a real one stands in its loop."""
    return 0.0
