"""Pairs trading by cointegration: trade the spread of two symbols while a test says that it returns.

Every `refit` bars the last `lookback` log closes of the two are tested with `lags` lagged differences::

    log a = alpha + beta * log b + spread

`hedge` says how beta is found: 0 least squares, 1 total least squares, 2 a Kalman filter over all bars so far
that remembers about `memory` of them, 3 Johansen's relation. `test` says what is asked: 0 Engle-Granger, 1 an
augmented Dickey-Fuller test that takes the spread as given, 2 Johansen's trace test. `pair_model` has both.
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

from nt_ray.features import engle_granger, kalman, window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies import pair_model, spread
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.pair_model import KALMAN, OLS
from nt_ray.strategies.spread import CLOSING, CONFIDENCE, HEADER, POSITION, VALID
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter(
        "lookback",
        252,
        30,
        2520,
        "Bars on which the pair is tested.",
        integer=True,
        aliases=("cointegration_lookback", "cointegration_period", "lookback_period"),
    ),
    Parameter(
        "refit",
        21,
        1,
        2520,
        "Bars from one test to the next.",
        integer=True,
        aliases=("hedge_ratio_update_freq",),
    ),
    Parameter("level", 5, 1, 10, "Significance of the test in percent: 1, 5 or 10.", integer=True),
    Parameter(
        "entry",
        2.0,
        0.0,
        10.0,
        "Deviations of the spread at which it is traded.",
        aliases=("z_entry", "entry_threshold", "entry_z"),
    ),
    Parameter(
        "exit",
        0.5,
        0.0,
        10.0,
        "Deviations at which it is closed; below entry.",
        aliases=("z_exit", "exit_threshold"),
    ),
    Parameter("stop", 4.0, 0.0, 20.0, "Deviations at which it is given up; above entry."),
    Parameter("lags", 1, 0, 12, "Lagged differences in the test.", integer=True),
    Parameter(
        "hedge",
        OLS,
        0,
        3,
        "Hedge ratio: 0 ols, 1 tls, 2 kalman, 3 johansen.",
        integer=True,
        aliases=("hedge_ratio_method",),
    ),
    Parameter(
        "test",
        0,
        0,
        2,
        "Test: 0 engle_granger, 1 adf, 2 johansen.",
        integer=True,
        aliases=("cointegration_test",),
    ),
    Parameter("memory", 252, 2, 25200, "Bars that the Kalman filter remembers.", integer=True),
)

_TARGET_A, _TARGET_B, _FIT = range(HEADER, HEADER + 3)
_FILTER = _FIT + engle_granger.FIT_SIZE
_HEADER = _FILTER + kalman.STATE_SIZE


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, flags, the model, the filter, both windows."""
    return _HEADER + 2 * int(window.state_size(int(params[0])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse a level without a critical value and thresholds that are out of order."""
    spread.check_thresholds("pairs", values["level"], values["exit"], values["entry"], values["stop"])


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def refit(state: FloatArray, params: FloatArray) -> None:
    """Test the pair over its window and keep the model if the test rejects."""
    lookback, lags = int(params[0]), int(params[6])
    size = window.state_size(lookback)
    a, b = np.empty(lookback), np.empty(lookback)
    window.copy_ordered(state[_HEADER : _HEADER + size], lookback, a)
    window.copy_ordered(state[_HEADER + size :], lookback, b)
    fit = state[_FIT : _FIT + engle_granger.FIT_SIZE]
    slope = state[_FILTER + kalman.SLOPE]
    valid = pair_model.fit(a, b, lags, int(params[2]), int(params[7]), int(params[8]), slope, fit)
    spread.retest(state, valid)


@njit(float64(float64[::1], float64, float64), cache=True, nogil=True)
def spread_score(state: FloatArray, a: float, b: float) -> float:
    """z-score of the spread under the present model."""
    fit = state[_FIT : _FIT + engle_granger.FIT_SIZE]
    distance = a - fit[engle_granger.ALPHA] - fit[engle_granger.BETA] * b
    return float((distance - fit[engle_granger.MEAN]) / fit[engle_granger.DEVIATION])


@njit(void(float64[::1], float64), cache=True, nogil=True)
def vote(state: FloatArray, z: float) -> None:
    """Turn the position into the two legs and their confidence."""
    position, beta = state[POSITION], state[_FIT + engle_granger.BETA]
    largest = max(1.0, beta)
    state[_TARGET_A] = position / largest
    state[_TARGET_B] = -position * beta / largest
    state[CONFIDENCE] = conviction(position, z)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the two symbols; see the module for the rule."""
    if spread.all_priced(bar):
        lookback = int(params[0])
        size = window.state_size(lookback)
        a, b = math.log(bar[0, CLOSE]), math.log(bar[1, CLOSE])
        window.push(state[_HEADER : _HEADER + size], a, lookback)
        window.push(state[_HEADER + size :], b, lookback)
        if params[7] == KALMAN:
            kalman.learn(state[_FILTER : _FILTER + kalman.STATE_SIZE], a, b, 1.0 / (params[9] * params[9]))
        bars = window.seen(state[_HEADER : _HEADER + size])
        if bars >= lookback:
            if (bars - lookback) % int(params[1]) == 0:
                refit(state, params)
            if state[VALID] == 1.0:
                z = spread_score(state, a, b)
                spread.trade(state, z, params[3], params[4], params[5])
                vote(state, z)
            else:
                state[POSITION], state[_TARGET_A], state[_TARGET_B] = 0.0, 0.0, 0.0
                state[CONFIDENCE] = 1.0 if state[CLOSING] == 1.0 else 0.0
    targets[0], targets[1] = state[_TARGET_A], state[_TARGET_B]
    return float(state[CONFIDENCE])


STRATEGY = Strategy(
    name="pairs",
    summary="Trades the spread of two cointegrated symbols back to its mean.",
    source="Engle and Granger (1987), Econometrica 55; Gatev, Goetzmann and Rouwenhorst (2006), RFS 19",
    parameters=PARAMETERS,
    width=2,
    state_size=state_size,
    step=step,
    aliases=("pairs_trading", "pair_trading", "cointegration"),
    validate=validate,
)
