"""Hedge ratio by a Kalman filter: slope and constant of y on x as random walks.

State of the model (slope, constant) moves by steps of variance 1 / length^2 a bar in units of the observation
noise, so that roughly the last `length` bars count where x is of size one::

    y(t) = slope(t) * x(t) + constant(t) + noise,   noise ~ N(0, 1)

Only ratios of variances matter to the estimate, so the noise is one. The prior is diffuse: variance 1e8. With
an endless length it is recursive least squares. It keeps eight floats however long the series is.

Source: Kalman (1960), Journal of Basic Engineering 82; Chan (2013), Algorithmic Trading, chapter 3.
"""

from typing import Final

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features.base import PAIR_UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray

SEEN, SLOPE, CONSTANT, SLOPE_VARIANCE, COVARIANCE, CONSTANT_VARIANCE, INNOVATION, INNOVATION_VARIANCE = range(8)
"""Positions in the state; innovation and its variance are those of the last bar, before it was learnt."""

STATE_SIZE: Final = 8

PRIOR_VARIANCE: Final = 1e8


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the same for every length."""
    return STATE_SIZE


@njit(void(float64[::1], float64, float64, float64), cache=True, nogil=True)
def learn(state: FloatArray, y: float, x: float, drift: float) -> None:
    """Predict and correct the model by one finite bar; `drift` is the variance of a step of slope and constant."""
    if state[SEEN] == 0.0:
        state[SLOPE_VARIANCE], state[COVARIANCE], state[CONSTANT_VARIANCE] = PRIOR_VARIANCE, 0.0, PRIOR_VARIANCE
    else:
        state[SLOPE_VARIANCE] += drift
        state[CONSTANT_VARIANCE] += drift
    p, q, r = state[SLOPE_VARIANCE], state[COVARIANCE], state[CONSTANT_VARIANCE]
    error = y - state[SLOPE] * x - state[CONSTANT]
    variance = p * x * x + 2.0 * q * x + r + 1.0
    gain, constant_gain = (p * x + q) / variance, (q * x + r) / variance
    state[SLOPE] += gain * error
    state[CONSTANT] += constant_gain * error
    # Joseph's form: a sum of squares, so rounding cannot make a variance negative.
    a, b = 1.0 - gain * x, 1.0 - constant_gain
    c, d = -gain, -constant_gain * x
    state[SLOPE_VARIANCE] = a * a * p + 2.0 * a * c * q + c * c * r + gain * gain
    state[COVARIANCE] = a * d * p + (a * b + c * d) * q + c * b * r + gain * constant_gain
    state[CONSTANT_VARIANCE] = d * d * p + 2.0 * d * b * q + b * b * r + constant_gain * constant_gain
    state[INNOVATION], state[INNOVATION_VARIANCE] = error, variance
    state[SEEN] += 1.0


@njit(PAIR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, y: float, x: float, length: int) -> float:
    """Take in a value of each series; return the slope of y on x, NaN before `length` bars."""
    if not (np.isfinite(y) and np.isfinite(x)):
        return np.nan
    learn(state, y, x, 1.0 / (length * length))
    return float(state[SLOPE]) if state[SEEN] >= length else np.nan


KALMAN_HEDGE_RATIO = Feature("kalman_hedge_ratio", update, state_size, inputs=2, minimum_length=2)
