"""Adaptive: momentum while the market trends, mean reversion while it does not, less of both in turbulence.

Every `rebalance` bars, from nothing but the bars up to the present one:

* it *trends* where the efficiency ratio of the last `lookback` changes of the log close is above `trend`;
* it is *turbulent* where the deviation of the last `volatility_window` log returns lies above a share
  `turbulence` of its own values over the `volatility_history` bars before.

The vote is that of `momentum` in a trend and that of `mean_reversion` otherwise, both of which follow every bar;
in turbulence its target is multiplied by `turbulent_size`. The regime holds until the next time it is judged.
Abstains until it has been judged, and while the strategy in charge abstains; on a bar without a close nothing
changes.

Source: Kaufman (1995), Smarter Trading, for the efficiency ratio; Barroso and Santa-Clara (2015), Momentum has its
moments, Journal of Financial Economics 116, for less exposure in turbulence.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import efficiency, moments, window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies import mean_reversion, momentum
from nt_ray.strategies.base import STEP_SIGNATURE, Foreign, Parameter, Strategy
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("lookback", 60, 2, 2520, "Bars of the efficiency ratio.", integer=True, aliases=("regime_lookback",)),
    Parameter(
        "rebalance", 7, 1, 252, "Bars from one judgement to the next.", integer=True, aliases=("rebalance_period",)
    ),
    Parameter("trend", 0.25, 0.0, 1.0, "Efficiency ratio above which the market trends."),
    Parameter("volatility_window", 20, 2, 2520, "Bars of the present volatility.", integer=True),
    Parameter("volatility_history", 252, 1, 2520, "Bars of volatilities it is compared with.", integer=True),
    Parameter("turbulence", 0.8, 0.0, 1.0, "Share of them below the present one that makes it turbulent."),
    Parameter("turbulent_size", 0.5, 0.0, 1.0, "Part of the exposure that is kept in turbulence."),
    Parameter("momentum_lookback", 63, 2, 2520, "Bars of the momentum score.", integer=True),
    Parameter("momentum_entry", 1.0, 0.0, 10.0, "Momentum score at which a position is opened."),
    Parameter("reversion_window", 20, 2, 2520, "Bars of the reversion score.", integer=True),
    Parameter("reversion_entry", 2.0, 0.0, 10.0, "Reversion score at which a position is opened."),
    Parameter("reversion_exit", 0.5, 0.0, 10.0, "Reversion score at which it is closed; below reversion_entry."),
    Parameter("short", 0, 0, 1, "1 sells short, 0 never does.", integer=True),
)  # fmt: skip

FOREIGN = (
    Foreign(
        "volatility_threshold",
        "Turbulence is no fixed volatility but a share of the past ones: use turbulence, 0.8 for the highest fifth.",
    ),
    Foreign(
        "strategy_count",
        "It always chooses between momentum and mean reversion; more of them are `ensemble`, or agents of a swarm.",
    ),
)

UNKNOWN, RANGE, TREND = range(3)
"""Regimes."""

_REGIME, _CONFIDENCE, _TARGET, _LAST, _SINCE, _SIZE, _STARTED = range(7)
_MOMENTUM_PARAMS = 7
_REVERSION_PARAMS = _MOMENTUM_PARAMS + len(momentum.PARAMETERS)
_HEADER = _REVERSION_PARAMS + len(mean_reversion.PARAMETERS)


def state_size(params: FloatArray) -> int:
    """Floats of state: regime and last vote; both strategies' parameters; the measures; both strategies' states."""
    start = int(offset(np.array(params, dtype=np.float64)))
    own = np.zeros(len(momentum.PARAMETERS))
    own[0] = params[7]
    return start + int(mean_reversion.room(int(params[9]), 0)) + momentum.state_size(own)


def validate(values: Mapping[str, float]) -> None:
    """Refuse an exit that is not below the entry."""
    if values["reversion_exit"] >= values["reversion_entry"]:
        raise StrategyError(
            f"adaptive: reversion_exit={values['reversion_exit']:g} is not below "
            f"reversion_entry={values['reversion_entry']:g}. Use a smaller reversion_exit."
        )


@njit(int64(float64[::1]), cache=True, nogil=True)
def offset(params: FloatArray) -> int:
    """Where the states of the two strategies begin."""
    measures = efficiency.state_size(int(params[0])) + moments.state_size(int(params[3]))
    return _HEADER + measures + window.state_size(int(params[4]))


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def hand_down(state: FloatArray, params: FloatArray) -> None:
    """Write the parameter vectors of the two strategies; what is not named there stays 0 and off."""
    own = state[_MOMENTUM_PARAMS:_REVERSION_PARAMS]
    own[0], own[2], own[4] = params[7], params[8], params[12]
    own = state[_REVERSION_PARAMS:_HEADER]
    own[0], own[1], own[2], own[5] = params[9], params[10], params[11], params[12]


@njit(float64(float64[::1], float64, int64), cache=True, nogil=True)
def share_below(ring: FloatArray, value: float, length: int) -> float:
    """Share of the values in a full window that are smaller; NaN while it fills."""
    if window.seen(ring) < length:
        return np.nan
    values = np.empty(length)
    window.copy_ordered(ring, length, values)
    return float(np.sum(values < value) / length)


@njit(void(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def judge(state: FloatArray, close: float, params: FloatArray) -> None:
    """Take in a close and, when it is time, say which regime holds."""
    lookback, recent, length = int(params[0]), int(params[3]), int(params[4])
    returns = _HEADER + efficiency.state_size(lookback)
    past = returns + moments.state_size(recent)
    before, state[_LAST] = state[_LAST], math.log(close)
    ratio = efficiency.update(state[_HEADER:returns], state[_LAST], lookback)
    known = state[_STARTED] == 1.0 and moments.push(state[returns:past], state[_LAST] - before, recent)
    state[_STARTED] = 1.0
    if not known:
        return
    ring = state[past : offset(params)]
    volatility = moments.deviation(state[returns:past], recent)
    if window.seen(ring) >= length and not np.isnan(ratio):
        if state[_REGIME] == UNKNOWN or state[_SINCE] >= params[1]:
            state[_REGIME] = TREND if ratio > params[2] else RANGE
            state[_SIZE] = params[6] if share_below(ring, volatility, length) > params[5] else 1.0
            state[_SINCE] = 0.0
        state[_SINCE] += 1.0
    window.push(ring, volatility, length)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        hand_down(state, params)
        judge(state, close, params)
        start = offset(params)
        middle = start + mean_reversion.room(int(params[9]), 0)
        reverting = mean_reversion.step(state[start:middle], bar, state[_REVERSION_PARAMS:_HEADER], targets)
        reversion = targets[0]
        trending = momentum.step(state[middle:], bar, state[_MOMENTUM_PARAMS:_REVERSION_PARAMS], targets)
        if state[_REGIME] != UNKNOWN:
            in_trend = state[_REGIME] == TREND
            state[_TARGET] = (targets[0] if in_trend else reversion) * state[_SIZE]
            state[_CONFIDENCE] = trending if in_trend else reverting
    targets[0] = state[_TARGET]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="adaptive",
    summary="Momentum in trends, mean reversion otherwise, and less of both in turbulence.",
    source="Kaufman (1995), Smarter Trading; Barroso and Santa-Clara (2015), JFE 116",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("adaptive_multi_strategy", "adaptive_regime", "regime"),
    validate=validate,
    foreign=FOREIGN,
)
