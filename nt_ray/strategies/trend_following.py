"""Trend following: hold with a fast average that is clear of a slow one, under a stop of average true ranges.

With the means of the last `fast` and `slow` closes, the present one included::

    strength = fast mean / slow mean - 1

Long where strength > `min_strength`, short where strength < -`min_strength` and `short` is 1. A position is
closed once the averages have crossed (strength * position <= 0), and by the stop: a long one once the close
lies more than `atr_multiplier` average true ranges below the best close since it was opened, a short one in the
mirror; 0 switches the stop off. After a stop a position of the same side is opened only beyond the best close of
the stopped one, or once the strength has been inside `min_strength`. Where highs and lows are unknown the true
range is the move between closes. Abstains until the slow mean and the range are known; on a bar without a close
nothing changes.

Source: Hurst, Ooi and Pedersen (2017), A century of evidence on trend-following investing, Journal of Portfolio
Management 44; Kaufman (2013), Trading Systems and Methods; Wilder (1978) for the range.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import atr, sma
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("fast", 20, 1, 1260, "Bars of the fast mean; below slow.", integer=True, aliases=("fast_ma",)),
    Parameter("slow", 50, 2, 2520, "Bars of the slow mean.", integer=True, aliases=("slow_ma",)),
    Parameter("atr_window", 14, 1, 252, "Bars over which the true range is smoothed.", integer=True),
    Parameter("atr_multiplier", 2.0, 0.0, 20.0, "Average true ranges between best close and stop; 0: no stop."),
    Parameter(
        "min_strength", 0.02, 0.0, 1.0, "Distance of the means at which a position is opened, 0.02 is 2 %.",
        aliases=("min_trend_strength",),
    ),
    Parameter("short", 0, 0, 1, "1 sells short on a falling trend, 0 never does.", integer=True),
)  # fmt: skip

LEAST_RANGE = 1e-12
"""Average range, as a part of the close, below which it counts as this much."""

_POSITION, _CONFIDENCE, _BEST, _STOPPED = range(4)
_HEADER = 4


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, best close, side that was stopped; range and both means."""
    return _HEADER + atr.STATE_SIZE + int(sma.state_size(int(params[0]))) + int(sma.state_size(int(params[1])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse a fast mean that is not faster."""
    if values["fast"] >= values["slow"]:
        raise StrategyError(
            f"trend_following: fast={values['fast']:g} is not below slow={values['slow']:g}. Use a smaller fast."
        )


@njit(void(float64[::1], float64, float64, float64, float64[::1]), cache=True, nogil=True)
def leave(state: FloatArray, close: float, strength: float, reach: float, params: FloatArray) -> None:
    """Close the position where the means have crossed or the stop is passed."""
    side, multiplier = state[_POSITION], params[3]
    if side * (close - state[_BEST]) > 0.0:
        state[_BEST] = close
    if side * strength <= 0.0:
        state[_POSITION] = 0.0
    elif multiplier > 0.0 and side * (state[_BEST] - close) > multiplier * reach:
        state[_POSITION] = 0.0
        state[_STOPPED] = side


@njit(void(float64[::1], float64, float64, float64[::1]), cache=True, nogil=True)
def enter(state: FloatArray, close: float, strength: float, params: FloatArray) -> None:
    """Open a position where the trend is strong enough and no stop stands against it."""
    if abs(strength) <= params[4]:
        state[_STOPPED] = 0.0
        return
    side = math.copysign(1.0, strength)
    barred = state[_STOPPED] == side and side * (close - state[_BEST]) <= 0.0
    if not barred and (side > 0.0 or params[5] == 1.0):
        state[_POSITION], state[_BEST], state[_STOPPED] = side, close, 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        fast, slow = int(params[0]), int(params[1])
        ranges = _HEADER + atr.STATE_SIZE
        means = ranges + sma.state_size(fast)
        reach = atr.push(state[_HEADER:ranges], bar[0], int(params[2]))
        quick = sma.update(state[ranges:means], close, fast)
        slack = sma.update(state[means:], close, slow)
        if not (np.isnan(slack) or np.isnan(reach)):
            strength = quick / slack - 1.0
            if state[_POSITION] != 0.0:
                leave(state, close, strength, reach, params)
            if state[_POSITION] == 0.0:
                enter(state, close, strength, params)
            state[_CONFIDENCE] = conviction(state[_POSITION], (quick - slack) / max(reach, LEAST_RANGE * close))
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="trend_following",
    summary="Holds with a fast mean clear of a slow one, under a trailing stop of average true ranges.",
    source="Hurst, Ooi and Pedersen (2017), A century of evidence on trend-following investing, JPM 44",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("trend", "moving_average_trend"),
    validate=validate,
)
