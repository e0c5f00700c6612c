"""Stretches of a crossover: bars over which the vote stays and no order is needed, in tight loops.

They do what `single.py` does on such bars, in the same order and to the same bit, and stop before the first bar that
asks for more. What does not depend on the bar before goes through a block of bars at once, so that the processor's
vector units do it: equity, returns, whether the position may stay. Only sums run bar by bar.
"""

from typing import Any, Final

import numpy as np
from numba import njit
from numba.cpython.unsafe import numbers

from nt_ray.backtest.sweep.account import UNIT, add, deepen
from nt_ray.types import FloatArray, IntArray, WordArray

BLOCK: Final = 16
"""Bars of a block: few enough that little of the last one of a stretch is in vain."""

EACH_BYTE: Final = np.uint64(0x0101010101010101)
ONE: Final = np.uint64(1)
trailing_zeros: Any = numbers.trailing_zeros
ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(forceinline=True)
def turn(words: WordArray, row: int) -> int:
    """First row after this one with another vote.

    `words` are the votes of `crossing.trace`, one to a byte and, as every processor that is in use here has it, the
    first one in the lowest byte of a word. There is none after the sentinel: a `row` is one of the tape.
    """
    place, byte = np.uint64(row) >> np.uint64(3), (np.uint64(row) & np.uint64(7)) << np.uint64(3)
    same = ((words[place] >> byte) & np.uint64(0xFF)) * EACH_BYTE
    other = (words[place] ^ same) & (ALL << byte)
    while other == 0:
        place += np.uint64(1)
        other = words[place] ^ same
    return int(np.int64((place << np.uint64(3)) + (trailing_zeros(other) >> np.uint64(3))))


@njit(forceinline=True)
def fits(account: float, value: float, weight: float, tolerance: float, ceiling: float) -> bool:
    """Whether a position of this value may stay, beyond doubt; not where the value is NaN."""
    return (abs(weight * account - value) < tolerance * account) & (abs(value) < ceiling)


@njit(forceinline=True)
def stay(
    row: int,
    end: int,
    marks: IntArray,
    closes: FloatArray,
    room: FloatArray,
    weight: float,
    tolerance: float,
    quantity: float,
    factor: int,
    cash: int,
    ceiling: float,
    peak: float,
    returns: float,
    squares: float,
    downside: float,
    drawdown: float,
    area: float,
) -> tuple[int, float, float, float, float, float, float]:
    """Pass over bars before `end` on which the position needs no order: the last such row, and the sums afterwards.

    A bar without a price, with a loss of everything or near the end of whole numbers is left to the caller. `factor`
    is quanta of the position a tick, `quantity` its units; `room` is (2, BLOCK); the tape has more than `BLOCK` bars.
    """
    bars = closes.shape[0]
    last = row
    while last + 1 < end:
        # The last block of a tape begins so much earlier that it ends with it.
        start = min(last + 1, bars - BLOCK)
        first, stop = last + 1 - start, min(end - start, BLOCK)
        bad, top, low = 0, peak, np.inf
        # All of the block, though not all of it may be asked for: a loop of fixed length needs no remainder.
        for j in range(BLOCK):
            t = np.uint64(start + j)
            worth, before = cash + factor * marks[t], cash + factor * marks[t - ONE]
            bad += 0 if fits(worth * UNIT, quantity * closes[t], weight, tolerance, ceiling) else 1
            room[0, j], room[1, j] = float(worth), float(worth) / float(before) - 1.0
        if bad != 0:
            good = first
            while good < stop and fits(
                room[0, good] * UNIT, quantity * closes[start + good], weight, tolerance, ceiling
            ):
                good += 1
            stop, end = good, min(end, start + good)
        for j in range(first, stop):
            returns, squares, downside = add(room[1, j], returns, squares, downside)
            value = room[0, j]
            area += value
            top = value if value > top else top
            low = value if value < low else low
        # Below none of the peaks that may have stood by so much: then the deepest drawdown is what it was.
        if low >= top * (1.0 + drawdown):
            peak = top
        else:
            for j in range(first, stop):
                peak, drawdown = deepen(room[0, j], peak, drawdown)
        last = start + stop - 1
    return last, peak, returns, squares, downside, drawdown, area
