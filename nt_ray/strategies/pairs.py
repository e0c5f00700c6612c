"""Pairs trading by cointegration: trade the spread of two symbols while a test says that it returns.

Every `refit` bars the last `lookback` log closes of the two are tested (Engle-Granger, `lags` lagged
differences)::

    log a = alpha + beta * log b + spread

Only while the last test rejects *no cointegration* at `level` percent and beta is positive is there a model.
With mean and sd the spread's own over that window, z = (spread - mean) / sd. Where `entry` < |z| <= `stop`
the spread is sold (z > 0) or bought (z < 0). It is closed once it has come back to `exit`, and where |z| goes
beyond `stop`; after a stop the pair waits for the next test. The legs are dollar weights -sign(z) : +sign(z)
* beta, scaled so that the larger is 1. A pair whose test fails is closed and votes flat until the next test;
then it abstains, as it does before the first. On a bar on which either close is missing nothing changes.
Estimates use nothing but bars up to the present one.

Source: Engle and Granger (1987), Econometrica 55; Gatev, Goetzmann and Rouwenhorst (2006), Review of
Financial Studies 19; Vidyamurthy (2004), Pairs Trading.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import engle_granger, window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("lookback", 252, 30, 2520, "Bars on which the pair is tested.", integer=True),
    Parameter("refit", 21, 1, 2520, "Bars from one test to the next.", integer=True),
    Parameter("level", 5, 1, 10, "Significance of the test in percent: 1, 5 or 10.", integer=True),
    Parameter("entry", 2.0, 0.0, 10.0, "Deviations of the spread at which it is traded."),
    Parameter("exit", 0.5, 0.0, 10.0, "Deviations at which it is closed; below entry."),
    Parameter("stop", 4.0, 0.0, 20.0, "Deviations at which it is given up; above entry."),
    Parameter("lags", 1, 0, 12, "Lagged differences in the Dickey-Fuller regression.", integer=True),
)

LEVELS = (1.0, 5.0, 10.0)

_POSITION, _CONFIDENCE, _TARGET_A, _TARGET_B, _VALID, _STOPPED, _CLOSING = range(7)
_FIT = 7
_HEADER = _FIT + engle_granger.FIT_SIZE


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, flags, the model, both windows."""
    return _HEADER + 2 * int(window.state_size(int(params[0])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse a level without a critical value and thresholds that are out of order."""
    if values["level"] not in LEVELS:
        raise StrategyError(f"pairs: level={values['level']:g} has no critical value. Use 1, 5 or 10.")
    if not values["exit"] < values["entry"] < values["stop"]:
        raise StrategyError(
            f"pairs: exit={values['exit']:g}, entry={values['entry']:g}, stop={values['stop']:g} "
            "are out of order. Use exit < entry < stop."
        )


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def refit(state: FloatArray, params: FloatArray) -> None:
    """Test the pair over its window and keep the model if the test rejects."""
    lookback, lags = int(params[0]), int(params[6])
    size = window.state_size(lookback)
    a, b = np.empty(lookback), np.empty(lookback)
    window.copy_ordered(state[_HEADER : _HEADER + size], lookback, a)
    window.copy_ordered(state[_HEADER + size :], lookback, b)
    fit = state[_FIT : _FIT + engle_granger.FIT_SIZE]
    engle_granger.fit(a, b, lags, fit)
    critical = engle_granger.critical_value(int(params[2]), lookback - 1)
    valid = fit[engle_granger.STATISTIC] < critical and fit[engle_granger.BETA] > 0.0
    state[_VALID] = 1.0 if valid else 0.0
    state[_CLOSING] = 0.0 if valid or state[_POSITION] == 0.0 else 1.0
    state[_STOPPED] = 0.0


@njit(float64(float64[::1], float64, float64), cache=True, nogil=True)
def spread_score(state: FloatArray, a: float, b: float) -> float:
    """z-score of the spread under the present model."""
    fit = state[_FIT : _FIT + engle_granger.FIT_SIZE]
    spread = a - fit[engle_granger.ALPHA] - fit[engle_granger.BETA] * b
    return float((spread - fit[engle_granger.MEAN]) / fit[engle_granger.DEVIATION])


@njit(void(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def trade(state: FloatArray, z: float, params: FloatArray) -> None:
    """Move the position in the spread (+1 bought, -1 sold) at this score."""
    entry, leave, stop = params[3], params[4], params[5]
    if abs(z) > stop:
        state[_STOPPED] = 1.0
        state[_POSITION] = 0.0
    elif state[_POSITION] * z >= -leave:
        # Zero position lands here too and stays zero.
        state[_POSITION] = 0.0
    if state[_POSITION] == 0.0 and state[_STOPPED] == 0.0 and abs(z) > entry:
        state[_POSITION] = -math.copysign(1.0, z)


@njit(void(float64[::1], float64), cache=True, nogil=True)
def vote(state: FloatArray, z: float) -> None:
    """Turn the position into the two legs and their confidence."""
    position, beta = state[_POSITION], state[_FIT + engle_granger.BETA]
    largest = max(1.0, beta)
    state[_TARGET_A] = position / largest
    state[_TARGET_B] = -position * beta / largest
    state[_CONFIDENCE] = conviction(position, z)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the two symbols; see the module for the rule."""
    close_a, close_b = bar[0, CLOSE], bar[1, CLOSE]
    if close_a > 0.0 and close_b > 0.0 and math.isfinite(close_a) and math.isfinite(close_b):
        lookback = int(params[0])
        size = window.state_size(lookback)
        a, b = math.log(close_a), math.log(close_b)
        window.push(state[_HEADER : _HEADER + size], a, lookback)
        window.push(state[_HEADER + size :], b, lookback)
        bars = window.seen(state[_HEADER : _HEADER + size])
        if bars >= lookback:
            if (bars - lookback) % int(params[1]) == 0:
                refit(state, params)
            if state[_VALID] == 1.0:
                z = spread_score(state, a, b)
                trade(state, z, params)
                vote(state, z)
            else:
                state[_POSITION], state[_TARGET_A], state[_TARGET_B] = 0.0, 0.0, 0.0
                state[_CONFIDENCE] = 1.0 if state[_CLOSING] == 1.0 else 0.0
    targets[0], targets[1] = state[_TARGET_A], state[_TARGET_B]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="pairs",
    summary="Trades the spread of two cointegrated symbols back to its mean.",
    source="Engle and Granger (1987), Econometrica 55; Gatev, Goetzmann and Rouwenhorst (2006), RFS 19",
    parameters=PARAMETERS,
    width=2,
    state_size=state_size,
    step=step,
    aliases=("pairs_trading", "cointegration", "statistical_arbitrage"),
    validate=validate,
)
