"""Trade a forecast: hold what is expected to move by much of its own volatility.

Reads the field `forecast`: the expected simple return over the next `horizon` bars, known when the bar is
complete. With sigma the standard deviation of the last `window` log returns::

    ratio = forecast / (sigma * sqrt(horizon))

Long above `threshold`; short below -`threshold` where `short` is 1; a long position is closed once the ratio is
below `exit`, a short one above -`exit`. The target is full size, or where `scale` is set, min(1, |ratio| / scale).
A forecast counts for `patience` bars; after that the position is closed, and where there is none it abstains.
Abstains until sigma and a forecast are known. On a bar without a close nothing changes.

Source: Grinold and Kahn (1999), Active Portfolio Management, chapter 10 (forecasts in units of volatility).
"""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import moments
from nt_ray.market.bars import CLOSE, FIELDS
from nt_ray.strategies.base import STEP_SIGNATURE, Foreign, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("window", 60, 2, 2520, "Bars of returns of the volatility.", integer=True),
    Parameter("horizon", 1, 1, 252, "Bars the forecast looks ahead.", integer=True, aliases=("prediction_horizon",)),
    Parameter("threshold", 0.25, 0.0, 10.0, "Ratio beyond which a position is opened."),
    Parameter("exit", 0.0, 0.0, 10.0, "Ratio below which it is closed; not above threshold."),
    Parameter("short", 1, 0, 1, "1 sells short on a falling forecast, 0 never does.", integer=True),
    Parameter("scale", 1.0, 0.0, 10.0, "Ratio at which a position is full size; 0: always full size."),
    Parameter("patience", 5, 1, 2520, "Bars for which a forecast counts.", integer=True),
)

CONFIDENCE_REMEDY = (
    "Use threshold, the forecast in units of volatility: where errors are normal a forecast of ratio r has the right "
    "sign with probability Phi(r), so 0.75 is a threshold of 0.67."
)


def threshold_of(confidence: float, values: Mapping[str, float]) -> float:
    """Ratio at which a forecast has the right sign with this probability, for normal errors of the volatility."""
    if not 0.5 <= confidence < 1.0:
        raise StrategyError(
            f"neural_forecast: confidence_threshold={confidence:g} is no probability of the right sign. "
            "Use 0.5 to below 1."
        )
    return NormalDist().inv_cdf(confidence)


LEAST_VOLATILITY = 1e-12
"""Volatility below which a forecast counts as one of this volatility, so that the ratio stays finite."""

_POSITION, _CONFIDENCE, _TARGET, _LAST, _FORECAST, _AGE, _KNOWN = range(7)
_HEADER = 7


def state_size(params: FloatArray) -> int:
    """Floats of state: position, votes, last close, the forecast and its age, the moments of returns."""
    return _HEADER + int(moments.state_size(int(params[0])))


def validate(values: Mapping[str, float]) -> None:
    """Refuse an exit above the threshold."""
    if values["exit"] > values["threshold"]:
        raise StrategyError(
            f"neural_forecast: exit={values['exit']:g} is above threshold={values['threshold']:g}. Use a smaller exit."
        )


@njit(void(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def vote(state: FloatArray, ratio: float, params: FloatArray) -> None:
    """Move the position at this ratio."""
    threshold, leave, short, scale = params[2], params[3], params[4], params[5]
    position = state[_POSITION]
    if position * ratio < leave:
        position = 0.0
    if position == 0.0 and (ratio > threshold or (ratio < -threshold and short == 1.0)):
        position = math.copysign(1.0, ratio)
    state[_POSITION] = position
    state[_TARGET] = position * (min(1.0, abs(ratio) / scale) if scale > 0.0 else 1.0)
    state[_CONFIDENCE] = conviction(position, ratio)


@njit(void(float64[::1], float64, float64), cache=True, nogil=True)
def hear(state: FloatArray, forecast: float, patience: float) -> None:
    """Take in a forecast, or let the last one grow old."""
    if math.isfinite(forecast):
        state[_FORECAST], state[_AGE], state[_KNOWN] = forecast, 0.0, 1.0
    elif state[_KNOWN] == 1.0:
        state[_AGE] += 1.0
        if state[_AGE] >= patience:
            state[_KNOWN] = 0.0
            state[_CONFIDENCE] = 1.0 if state[_POSITION] != 0.0 else 0.0
            state[_POSITION], state[_TARGET] = 0.0, 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        length = int(params[0])
        before, full = state[_LAST], False
        state[_LAST] = close
        if before > 0.0:
            full = moments.push(state[_HEADER:], math.log(close / before), length)
        hear(state, bar[0, len(FIELDS)], params[6])
        if full and state[_KNOWN] == 1.0:
            deviation = max(moments.deviation(state[_HEADER:], length), LEAST_VOLATILITY)
            vote(state, state[_FORECAST] / (deviation * np.sqrt(params[1])), params)
    targets[0] = state[_TARGET]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="neural_forecast",
    summary="Holds what a forecast expects to move by much of its own volatility.",
    source="Grinold and Kahn (1999), Active Portfolio Management",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    foreign=(Foreign("confidence_threshold", CONFIDENCE_REMEDY, "threshold", threshold_of),),
    aliases=("neural", "neural_trend", "forecast", "ml_enhanced"),
    validate=validate,
    inputs=("forecast",),
)
