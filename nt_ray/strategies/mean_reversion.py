"""Mean reversion: buy what has fallen far below its own recent mean, sell it when it is back.

With the closes of the last `window` bars, the present one included::

    z = (close - mean) / sd

Long where z < -`entry`; short where z > `entry`, if `short` is 1. A long position is closed once z >=
-`exit`, a short one once z <= `exit`: the score is inside the exit band or the mean has been crossed. `trend`
> 0 allows entries only with the long trend: a long above the mean of the last `trend` closes, a short below
it. `max_bars` > 0 closes a position that has been held for as many bars; after that no position is opened
until the score has once been inside `entry`. Abstains until the windows are full; on a bar without a close
nothing changes.

Source: Bollinger (2001), Bollinger on Bollinger Bands; Poterba and Summers (1988), Mean reversion in stock
prices, Journal of Financial Economics 22.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import sma, zscore
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter(
        "window",
        20,
        2,
        2520,
        "Bars of the mean and the deviation.",
        integer=True,
        aliases=("lookback_window", "lookback_period", "lookback"),
    ),
    Parameter(
        "entry",
        2.0,
        0.0,
        10.0,
        "Deviations from the mean at which a position is opened.",
        aliases=("z_score_threshold", "entry_std", "entry_z"),
    ),
    Parameter(
        "exit",
        0.5,
        0.0,
        10.0,
        "Deviations from the mean at which it is closed; below entry.",
        aliases=("exit_z_score", "exit_std"),
    ),
    Parameter("trend", 0, 0, 2520, "Bars of the trend filter; 0 switches it off.", integer=True),
    Parameter("max_bars", 0, 0, 2520, "Most bars a position is held; 0: no limit.", integer=True),
    Parameter("short", 0, 0, 1, "1 sells short above the mean, 0 never does.", integer=True),
)

_POSITION, _CONFIDENCE, _HELD, _TIRED = range(4)
_HEADER = 4


@njit(int64(int64, int64), cache=True, nogil=True)
def room(window: int, trend: int) -> int:
    """Floats of state: position, confidence, bars held, time-stop flag, z-score, trend."""
    return _HEADER + zscore.state_size(window) + sma.state_size(trend)


def state_size(params: FloatArray) -> int:
    """Floats of state for these parameters."""
    return int(room(int(params[0]), int(params[3])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse an exit that is not below the entry."""
    if values["exit"] >= values["entry"]:
        raise StrategyError(
            f"mean_reversion: exit={values['exit']:g} is not below entry={values['entry']:g}. Use a smaller exit."
        )


@njit(void(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def leave(state: FloatArray, z: float, params: FloatArray) -> None:
    """Close the position where the rule or the time stop says so."""
    state[_HELD] += 1.0
    if state[_POSITION] * z >= -params[2]:
        state[_POSITION] = 0.0
    elif params[4] > 0.0 and state[_HELD] >= params[4]:
        state[_POSITION] = 0.0
        state[_TIRED] = 1.0


@njit(void(float64[::1], float64, float64, float64, float64[::1]), cache=True, nogil=True)
def enter(state: FloatArray, z: float, close: float, trend: float, params: FloatArray) -> None:
    """Open a position where the score is outside the band and the trend allows it."""
    if abs(z) <= params[1]:
        state[_TIRED] = 0.0
        return
    side = -math.copysign(1.0, z)
    with_trend = params[3] == 0.0 or side * (close - trend) > 0.0
    if state[_TIRED] == 0.0 and with_trend and (side > 0.0 or params[5] == 1.0):
        state[_POSITION] = side
        state[_HELD] = 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        length, trend_length = int(params[0]), int(params[3])
        size = zscore.state_size(length)
        z = zscore.update(state[_HEADER : _HEADER + size], close, length)
        trend = 0.0
        if trend_length > 0:
            trend = sma.update(state[_HEADER + size :], close, trend_length)
        if not (np.isnan(z) or np.isnan(trend)):
            if state[_POSITION] != 0.0:
                leave(state, z, params)
            if state[_POSITION] == 0.0:
                enter(state, z, close, trend, params)
            state[_CONFIDENCE] = conviction(state[_POSITION], z)
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="mean_reversion",
    summary="Buys what stands far below its own recent mean and sells it when it is back.",
    source="Bollinger (2001), Bollinger on Bollinger Bands",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("mean_reversion_trading", "reversion", "bollinger", "swing", "swing_trading"),
    validate=validate,
)
