"""Time-series momentum: hold what has risen steadily, and where shorts are allowed, sell what has fallen.

Over the `lookback` bars that end `skip` bars ago, with r the one-bar log returns in it::

    z = sum(r) / (sd(r) * sqrt(lookback))

which is the t-statistic of the mean return but for sd, which is the population's. Long above `entry`; short below
-`entry` where `short` is 1; a long position is closed below `exit`, a short one above -`exit`. The target is full
size, or where `scale` is set, min(1, |z| / scale). Entry, exit and scale are all in units of z. Abstains until the
window is full; on a bar without a close nothing changes.

Source: Moskowitz, Ooi and Pedersen (2012), Time series momentum, Journal of Financial Economics 104.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, int64, njit

from nt_ray.errors import StrategyError
from nt_ray.features import moments, window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter(
        "lookback",
        120,
        2,
        2520,
        "Bars of returns the score looks at.",
        integer=True,
        aliases=("lookback_period", "period"),
    ),
    Parameter("skip", 5, 0, 252, "Most recent bars left out, against short-term reversal.", integer=True),
    Parameter("entry", 1.0, 0.0, 10.0, "Score above which a position is opened.", aliases=("entry_threshold",)),
    Parameter(
        "exit", 0.0, 0.0, 10.0, "Score below which a position is closed; not above entry.", aliases=("exit_threshold",)
    ),
    Parameter("short", 0, 0, 1, "1 sells short on a falling trend, 0 never does.", integer=True),
    Parameter("scale", 0.0, 0.0, 10.0, "Score at which a position is full size; 0: always full size."),
)  # fmt: skip

LEAST_VOLATILITY = 1e-12
"""Volatility below which a steady drift counts as one of this volatility, so that the score stays finite."""

_POSITION, _CONFIDENCE, _TARGET, _LAST = range(4)
_HEADER = 4


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, last delayed close, the delay, the moments of returns."""
    return _HEADER + int(window.state_size(int(params[1]) + 1)) + int(moments.state_size(int(params[0])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse an exit above the entry."""
    if values["exit"] > values["entry"]:
        raise StrategyError(
            f"momentum: exit={values['exit']:g} is above entry={values['entry']:g}. Use a smaller exit."
        )


@njit(float64(float64[::1], float64, int64, int64), cache=True, nogil=True)
def score(state: FloatArray, close: float, lookback: int, skip: int) -> float:
    """Take in a close; return z, NaN while warming up."""
    size = window.state_size(skip + 1)
    delay = state[_HEADER : _HEADER + size]
    returns = state[_HEADER + size :]
    window.push(delay, close, skip + 1)
    if window.seen(delay) <= skip:
        return np.nan
    delayed = window.oldest(delay, skip + 1)
    before = state[_LAST]
    state[_LAST] = delayed
    if before == 0.0 or not moments.push(returns, math.log(delayed / before), lookback):
        return np.nan
    deviation = max(moments.deviation(returns, lookback), LEAST_VOLATILITY)
    return moments.total(returns, lookback) / (deviation * math.sqrt(lookback))


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        z = score(state, close, int(params[0]), int(params[1]))
        if not np.isnan(z):
            entry, leave, short, scale = params[2], params[3], params[4], params[5]
            position = state[_POSITION]
            if position * z < leave:
                position = 0.0
            if position == 0.0 and (z > entry or (z < -entry and short == 1.0)):
                position = math.copysign(1.0, z)
            state[_POSITION] = position
            state[_TARGET] = position * (min(1.0, abs(z) / scale) if scale > 0.0 else 1.0)
            state[_CONFIDENCE] = conviction(position, z)
    targets[0] = state[_TARGET]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="momentum",
    summary="Holds instruments whose returns over the past months are large for their own volatility.",
    source="Moskowitz, Ooi and Pedersen (2012), Time series momentum, JFE 104",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("momentum_trading", "momentum_trader", "enhanced_momentum", "time_series_momentum", "tsmom"),
    validate=validate,
)
