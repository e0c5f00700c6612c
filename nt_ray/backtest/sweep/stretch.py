"""Stretches of a crossover told from sums: bars over which the vote stays and no order is needed, in tight loops.

They do what `single.py` does on such bars, in the same order and to the same bit, and stop before the first bar that
asks for more. Lengths are unsigned in here: an index that cannot be negative needs no test for it.
"""

from typing import Final

import numpy as np
from numba import njit

from nt_ray.backtest.sweep.account import UNIT, observe
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.types import FloatArray, IntArray

ONE: Final = np.uint64(1)


@njit(forceinline=True)
def told(sums: IntArray, known: int, fast: int, slow: int, short: float, last: float) -> float:
    """Vote of a crossover after so many known closes, from their sums; NaN before the slow mean is known."""
    if known < slow:
        return np.nan
    newest = sums[known]
    position = 0.0 if np.isnan(last) else last
    above, below = (newest - sums[known - fast]) * slow, (newest - sums[known - slow]) * fast
    return 1.0 if above > below else (-short if above < below else position)


@njit(forceinline=True)
def stay_out(
    row: int,
    sums: IntArray,
    counts: IntArray,
    entries: IntArray,
    fast: int,
    slow: int,
    short: bool,
    equity: int,
    area: float,
) -> tuple[int, float]:
    """Pass over bars without position or order while the vote stays 0: the last such row, and the area afterwards."""
    near, far, money = np.uint64(fast), np.uint64(slow), float(equity)
    for t in range(np.uint64(row + 1), np.uint64(entries.shape[0])):
        known = np.uint64(counts[t]) if counts.shape[0] > 0 else t + ONE
        newest = sums[known]
        above, below = (newest - sums[known - near]) * slow, (newest - sums[known - far]) * fast
        if above > below or (short and above < below) or entries[t] == UNKNOWN_PRICE:
            break
        area += money
        row += 1
    return row, area


@njit(forceinline=True)
def stay_in(
    row: int,
    sums: IntArray,
    known: int,
    entries: IntArray,
    marks: IntArray,
    closes: FloatArray,
    fast: int,
    slow: int,
    weight: float,
    tolerance: float,
    quantity: float,
    factor: int,
    cash: int,
    ceiling: float,
    previous: float,
    peak: float,
    returns: float,
    squares: float,
    downside: float,
    drawdown: float,
    area: float,
) -> tuple[int, int, float, float, float, float, float, float, float]:
    """Pass over bars on which the vote stays what it is and the position needs no order.

    A bar without a price, with a loss of everything or near the end of whole numbers is left to the caller, so the
    number of known closes grows by one with each bar. `factor` is quanta of the position a tick, `quantity` its units.
    """
    long = weight > 0.0
    up, down = (slow, fast) if long else (-slow, -fast)
    near, far, ahead = np.uint64(fast), np.uint64(slow), np.uint64(known - row)
    last, equity = row, 0
    for t in range(np.uint64(row + 1), np.uint64(closes.shape[0])):
        newest = sums[t + ahead]
        above, below = (newest - sums[t + ahead - near]) * up, (newest - sums[t + ahead - far]) * down
        worth, value = cash + factor * marks[t], quantity * closes[t]
        account, entry = worth * UNIT, entries[t]
        off = abs(weight * account - value)
        # The entry is not asked for: reading it here has it at hand when an order meets it.
        if above < below or not off < tolerance * account or not abs(value) < ceiling or entry == UNKNOWN_PRICE:
            break
        last, equity = last + 1, worth
        previous, peak, returns, squares, downside, drawdown = observe(
            equity, previous, peak, returns, squares, downside, drawdown
        )
        area += equity
    return last, equity, previous, peak, returns, squares, downside, drawdown, area
