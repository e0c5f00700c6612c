"""Risk parity over a group of five symbols: each contributes the same risk.

Every `rebalance` bars, from the covariance of the last `window` log returns::

    method 0  inverse volatility    w_i ~ 1 / sd_i
    method 1  equal contribution    w_i * (C w)_i is the same for all i

`shrink` moves the correlations of method 1 towards zero by that share. The platform's sizing divides a target by
the volatility of its instrument, so with `units` 0 the targets are w_i * sd_i, the largest 1: inverse volatility
is then the same target for all, and the volatility is the sizing's own. With `units` 1 the targets are the weights
themselves, the largest 1, for a use that takes targets as weights. Long only. Abstains until the window is full
and while a symbol of the group has not moved in it; on a bar on which any close is missing nothing changes.

Source: Maillard, Roncalli and Teiletche (2010), The properties of equally weighted risk contribution portfolios,
Journal of Portfolio Management 36; Griveau-Billion, Richard and Roncalli (2013), A fast algorithm for computing
high-dimensional risk parity portfolios.
"""

import math

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features import window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.basket import cross_products
from nt_ray.strategies.spread import all_priced
from nt_ray.types import FloatArray

WIDTH = 5

PARAMETERS = (
    Parameter("window", 60, 6, 2520, "Bars of returns of the covariance.", integer=True, aliases=("lookback_period",)),
    Parameter("rebalance", 21, 1, 2520, "Bars from one allocation to the next.", integer=True),
    Parameter("method", 1, 0, 1, "0 inverse volatility, 1 equal risk contribution.", integer=True),
    Parameter("shrink", 0.1, 0.0, 1.0, "Share by which correlations are moved towards zero."),
    Parameter("units", 0, 0, 1, "Targets are 0 in units of risk, as the sizing takes them, 1 weights.", integer=True),
)

TOLERANCE = 1e-12
"""Largest change of a weight, relative to it, at which the iteration ends."""

_ROUNDS = 10_000
_CONFIDENCE, _TARGETS = 0, 1
_WINDOWS = _TARGETS + WIDTH


def state_size(params: FloatArray) -> int:
    """Floats of state: confidence, targets, five windows of log closes."""
    return _WINDOWS + WIDTH * int(window.state_size(int(params[0]) + 1))


@njit(float64[::1](float64[:, ::1]), cache=True, nogil=True)
def equal_contribution(covariance: FloatArray) -> FloatArray:
    """Weights, (W,), positive, summing to one, whose contributions to variance are equal.

    `covariance` is (W, W), positive definite. Cyclical coordinate descent: each weight in turn solves its own
    quadratic equation w_i * (C w)_i = 1.
    """
    size = covariance.shape[0]
    weights = np.empty(size)
    for i in range(size):
        weights[i] = 1.0 / math.sqrt(covariance[i, i] * size)
    for _ in range(_ROUNDS):
        moved = 0.0
        for i in range(size):
            others = 0.0
            for j in range(size):
                if j != i:
                    others += covariance[i, j] * weights[j]
            root = math.sqrt(others * others + 4.0 * covariance[i, i])
            # Of the two ways to write the positive root the one without cancellation.
            new = 2.0 / (others + root) if others > 0.0 else (root - others) / (2.0 * covariance[i, i])
            moved = max(moved, abs(new / weights[i] - 1.0))
            weights[i] = new
        if moved < TOLERANCE:
            break
    weights /= weights.sum()
    return weights


@njit(void(float64[::1], float64[::1], int64), cache=True, nogil=True)
def allocate(state: FloatArray, params: FloatArray, length: int) -> None:
    """Set targets and confidence from the windows."""
    size = window.state_size(length)
    logs, column = np.empty((length, WIDTH)), np.empty(length)
    for i in range(WIDTH):
        first = _WINDOWS + i * size
        window.copy_ordered(state[first : first + size], length, column)
        logs[:, i] = column
    covariance = cross_products(logs[1:] - logs[:-1]) / (length - 1)
    state[_CONFIDENCE] = 1.0
    for i in range(WIDTH):
        if not covariance[i, i] > 1e-24:
            state[_CONFIDENCE] = 0.0
            return
        for j in range(WIDTH):
            if j != i:
                covariance[i, j] *= 1.0 - params[3]
    weights = np.empty(WIDTH)
    for i in range(WIDTH):
        weights[i] = 1.0 / math.sqrt(covariance[i, i])
    if params[2] == 1.0:
        weights = equal_contribution(covariance)
    if params[4] == 0.0:
        for i in range(WIDTH):
            weights[i] *= math.sqrt(covariance[i, i])
    state[_TARGETS:_WINDOWS] = weights / weights.max()


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the five symbols; see the module for the rule."""
    if all_priced(bar):
        length = int(params[0]) + 1
        size = window.state_size(length)
        for i in range(WIDTH):
            first = _WINDOWS + i * size
            window.push(state[first : first + size], math.log(bar[i, CLOSE]), length)
        bars = window.seen(state[_WINDOWS:])
        if bars >= length and (bars - length) % int(params[1]) == 0:
            allocate(state, params, length)
    targets[:] = state[_TARGETS:_WINDOWS]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="risk_parity",
    summary="Holds the five symbols of a group so that each contributes the same risk.",
    source="Maillard, Roncalli and Teiletche (2010), The properties of equally weighted risk contribution portfolios",
    parameters=PARAMETERS,
    width=WIDTH,
    state_size=state_size,
    step=step,
    aliases=("risk_parity_trading", "equal_risk"),
)
