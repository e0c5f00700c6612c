"""Statistical arbitrage: one symbol against a basket of four, while a test says that the spread returns.

Every `refit` bars the first symbol is modelled by the other four over the last `lookback` log closes (`method` 0:
least squares, 1: first principal component; see `basket`)::

    spread = log p0 - sum(w_i * log p_i),   z = (spread - mean) / sd

Only while the test rejects a unit root at `level` percent is there a model. Where `entry` < |z| <= `stop` the
spread is sold (z > 0) or bought (z < 0). It is closed once it has come back to `exit`, and where |z| goes beyond
`stop`; after a stop it waits for the next test. The legs are dollar weights 1 : -w_i times the position, scaled so
that the largest is 1. Where the test fails the position is closed, with a flat vote until the next test; then it
abstains, as it does before the first. On a bar on which any close is missing nothing changes.

Source: Avellaneda and Lee (2010), Statistical arbitrage in the US equities market, Quantitative Finance 10.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features import window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies import basket, spread
from nt_ray.strategies.base import STEP_SIGNATURE, Foreign, Parameter, Strategy
from nt_ray.strategies.basket import WIDTH
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.spread import CLOSING, CONFIDENCE, HEADER, POSITION, VALID
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("lookback", 120, 40, 2520, "Bars of the model.", integer=True, aliases=("correlation_window", "window")),
    Parameter("refit", 21, 1, 2520, "Bars from one test to the next.", integer=True),
    Parameter("level", 10, 1, 10, "Significance of the test in percent: 1, 5 or 10.", integer=True),
    Parameter("entry", 2.0, 0.0, 10.0, "Deviations of the spread at which it is traded.", aliases=("entry_threshold",)),
    Parameter("exit", 0.5, 0.0, 10.0, "Deviations at which it is closed; below entry."),
    Parameter("stop", 4.0, 0.0, 20.0, "Deviations at which it is given up; above entry."),
    Parameter("lags", 1, 0, 12, "Lagged differences in the test.", integer=True),
    Parameter("method", 0, 0, 1, "Basket: 0 ols, 1 pca.", integer=True),
)

FOREIGN = (
    Foreign("num_securities", "A basket is one symbol against four; give five for each basket with --symbols."),
    Foreign(
        "holding_time_minutes",
        "It counts in bars, whose length is the data's, and holds until the spread is back (exit) or lost (stop).",
    ),
)

_TARGETS = HEADER
_FIT = _TARGETS + WIDTH
_WINDOWS = _FIT + basket.FIT_SIZE


def state_size(params: FloatArray) -> int:
    """Floats of state: position, votes, the model, five windows."""
    return _WINDOWS + WIDTH * int(window.state_size(int(params[0])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse a level without a critical value and thresholds that are out of order."""
    spread.check_thresholds("statistical_arbitrage", values["level"], values["exit"], values["entry"], values["stop"])


@njit(void(float64[::1], float64[:, ::1], int64), cache=True, nogil=True)
def push(state: FloatArray, bar: FloatArray, lookback: int) -> None:
    """Take in the log closes of a bar."""
    size = window.state_size(lookback)
    for i in range(WIDTH):
        first = _WINDOWS + i * size
        window.push(state[first : first + size], math.log(bar[i, CLOSE]), lookback)


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def refit(state: FloatArray, params: FloatArray) -> None:
    """Test the basket over its window and keep the model if the test rejects."""
    lookback = int(params[0])
    size = window.state_size(lookback)
    logs, column = np.empty((lookback, WIDTH)), np.empty(lookback)
    for i in range(WIDTH):
        first = _WINDOWS + i * size
        window.copy_ordered(state[first : first + size], lookback, column)
        logs[:, i] = column
    model = state[_FIT:_WINDOWS]
    spread.retest(state, basket.fit(logs, int(params[6]), int(params[2]), int(params[7]), model))


@njit(float64(float64[::1], float64[:, ::1]), cache=True, nogil=True)
def score(state: FloatArray, bar: FloatArray) -> float:
    """z-score of the spread under the present model."""
    model = state[_FIT:_WINDOWS]
    distance = math.log(bar[0, CLOSE])
    for i in range(WIDTH - 1):
        distance -= model[basket.WEIGHTS + i] * math.log(bar[i + 1, CLOSE])
    return float((distance - model[basket.MEAN]) / model[basket.DEVIATION])


@njit(void(float64[::1], float64), cache=True, nogil=True)
def vote(state: FloatArray, z: float) -> None:
    """Turn the position into the five legs and their confidence."""
    model = state[_FIT:_WINDOWS]
    largest = 1.0
    for i in range(WIDTH - 1):
        largest = max(largest, abs(model[basket.WEIGHTS + i]))
    state[_TARGETS] = state[POSITION] / largest
    for i in range(WIDTH - 1):
        state[_TARGETS + 1 + i] = -state[POSITION] * model[basket.WEIGHTS + i] / largest
    state[CONFIDENCE] = conviction(state[POSITION], z)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the five symbols; see the module for the rule."""
    if spread.all_priced(bar):
        lookback = int(params[0])
        push(state, bar, lookback)
        bars = window.seen(state[_WINDOWS:])
        if bars >= lookback:
            if (bars - lookback) % int(params[1]) == 0:
                refit(state, params)
            if state[VALID] == 1.0:
                z = score(state, bar)
                spread.trade(state, z, params[3], params[4], params[5])
                vote(state, z)
            else:
                state[POSITION] = 0.0
                state[_TARGETS:_FIT] = 0.0
                state[CONFIDENCE] = 1.0 if state[CLOSING] == 1.0 else 0.0
    targets[:] = state[_TARGETS:_FIT]
    return float(state[CONFIDENCE])


STRATEGY = Strategy(
    name="statistical_arbitrage",
    summary="Trades one symbol against a basket of four back to their common mean.",
    source="Avellaneda and Lee (2010), Statistical arbitrage in the US equities market, Quantitative Finance 10",
    parameters=PARAMETERS,
    width=WIDTH,
    state_size=state_size,
    step=step,
    aliases=("stat_arb", "basket", "statistical_arbitrage_trading"),
    validate=validate,
    foreign=FOREIGN,
)
