"""Crossover of two simple moving averages: hold while the fast mean of closes stands above the slow one.

Long once mean(`fast`) > mean(`slow`); out, or short where `short` is 1, once it is below. Means are compared without
rounding: closes become whole ticks, sums of ticks are integers, and ``sum_fast * slow`` is set against ``sum_slow *
fast``; so a tie is a tie, and a tie changes nothing. Abstains until `slow` closes are known; on a bar without a close
nothing changes.

A tick is 0.0001, or 0.00000001 where the first close is below 0.01. Closes beyond `LARGEST` ticks count as that many.

Source: Brock, Lakonishok and LeBaron (1992), Simple technical trading rules, Journal of Finance 47.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numba import float64, int64, njit

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.types import FloatArray, IntArray

LONGEST: Final = 2520

PARAMETERS = (
    Parameter("fast", 20, 1, LONGEST, "Bars of the fast mean; fewer than slow.", integer=True, aliases=("fast_ma",)),
    Parameter("slow", 100, 2, LONGEST, "Bars of the slow mean.", integer=True, aliases=("slow_ma",)),
    Parameter("short", 0, 0, 1, "1 sells short below the slow mean, 0 never does.", integer=True),
)

LARGEST: Final = 2**62 // LONGEST**2
"""Ticks beyond which the product of a sum and a length could leave int64."""

SMALL_PRICE: Final = 0.01

_POSITION, _CONFIDENCE, _SCALE = range(3)
_HEADER: Final = 3
_SEEN, _SLOT, _FAST, _SLOW = range(4)
_RING: Final = 4


def state_size(params: FloatArray) -> int:
    """Words of state: position, confidence, ticks a unit, then as integers the counts, both sums and the ring."""
    return _HEADER + _RING + int(params[1])


def validate(values: Mapping[str, float]) -> None:
    """Refuse a fast mean that is not the shorter one."""
    if values["fast"] >= values["slow"]:
        raise StrategyError(
            f"sma_cross: fast={values['fast']:g} is not below slow={values['slow']:g}. Use a shorter fast mean."
        )


@njit(float64(float64), cache=True, nogil=True)
def ticks_a_unit(first_close: float) -> float:
    """Ticks in one unit of price, of an instrument with this first close."""
    return 1e4 if first_close >= SMALL_PRICE else 1e8


@njit(int64(float64, float64), cache=True, nogil=True, forceinline=True)
def whole_ticks(close: float, scale: float) -> int:
    """A close (finite, > 0) in whole ticks, rounded half to even."""
    ticks = np.rint(close * scale)
    return int(min(ticks, float(LARGEST)))


@njit(float64(int64, int64, int64, int64, float64, float64), cache=True, nogil=True, forceinline=True)
def crossed(fast_sum: int, fast: int, slow_sum: int, slow: int, position: float, short: float) -> float:
    """Position after a bar with these sums."""
    above, below = fast_sum * slow, slow_sum * fast
    if above > below:
        return 1.0
    return -short if above < below else position


@njit(int64(int64[::1], int64, int64, int64), cache=True, nogil=True)
def push(memory: IntArray, ticks: int, fast: int, slow: int) -> int:
    """Take in a close; return how many have been seen."""
    slot = memory[_SLOT]
    behind = slot - fast
    leaving = memory[_RING + (behind if behind >= 0 else behind + slow)]
    memory[_FAST] += ticks - leaving
    memory[_SLOW] += ticks - memory[_RING + slot]
    memory[_RING + slot] = ticks
    memory[_SLOT] = slot + 1 if slot + 1 < slow else 0
    memory[_SEEN] += 1
    return int(memory[_SEEN])


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        fast, slow = int(params[0]), int(params[1])
        if state[_SCALE] == 0.0:
            state[_SCALE] = ticks_a_unit(close)
        # Sums stay whole numbers: the same eight bytes hold an integer where a float would round.
        memory = state[_HEADER:].view(np.int64)
        if push(memory, whole_ticks(close, state[_SCALE]), fast, slow) >= slow:
            state[_POSITION] = crossed(memory[_FAST], fast, memory[_SLOW], slow, state[_POSITION], params[2])
            state[_CONFIDENCE] = 1.0
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="sma_cross",
    summary="Holds an instrument while its fast moving average stands above the slow one.",
    source="Brock, Lakonishok and LeBaron (1992), Simple technical trading rules, Journal of Finance 47",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("sma", "sma_crossover", "moving_average_crossover"),
    validate=validate,
)
