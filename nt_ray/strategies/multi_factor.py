"""Several factors across a group of five symbols: hold what has momentum, is cheap and is calm beside the others.

Every `rebalance` bars, from log closes p up to the present one::

    momentum = p(t - skip) - p(t - skip - lookback)         what has risen
    value    = -(p(t - lookback - skip) - p(t - long))      what has fallen long before that: a proxy of cheapness
    quality  = -sd of the last `calm` one-bar returns       what moves little: a proxy of quality

Each becomes a z-score across the five (zero where they do not differ). The composite is their mean weighted by
`momentum`, `value`, `quality`; its z-score over `scale` is the target, within [-1, 1], and not below zero where
`short` is 0. The confidence grows with the distance between the best and the worst composite. The price proxies
stand in for fundamentals, which bars do not carry. Abstains until `long` bars are known; on a bar on which any of
the five closes is missing nothing changes.

Source: Asness, Moskowitz and Pedersen (2013), Value and momentum everywhere, Journal of Finance 68 (value by
long-term reversal); Frazzini and Pedersen (2014), Betting against beta, Journal of Financial Economics 111.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.spread import all_priced
from nt_ray.types import FloatArray

WIDTH = 5

PARAMETERS = (
    Parameter("lookback", 231, 2, 2520, "Bars of momentum.", integer=True),
    Parameter("skip", 21, 0, 252, "Most recent bars that momentum leaves out.", integer=True),
    Parameter("long", 756, 4, 5040, "Bars at the far end of the value proxy; above lookback + skip.", integer=True),
    Parameter("calm", 126, 2, 2520, "Bars of returns of the quality proxy; at most long.", integer=True),
    Parameter("momentum", 0.4, 0.0, 1.0, "Weight of momentum.", aliases=("momentum_weight",)),
    Parameter("value", 0.3, 0.0, 1.0, "Weight of value.", aliases=("value_weight",)),
    Parameter("quality", 0.3, 0.0, 1.0, "Weight of quality.", aliases=("quality_weight",)),
    Parameter("rebalance", 21, 1, 2520, "Bars from one choice to the next.", integer=True),
    Parameter("scale", 1.0, 0.1, 10.0, "Composite z-score of a full-size position."),
    Parameter("short", 1, 0, 1, "1 sells short what ranks low, 0 never does.", integer=True),
)

_CONFIDENCE, _TARGETS = 0, 1
_WINDOWS = _TARGETS + WIDTH


def state_size(params: FloatArray) -> int:
    """Floats of state: confidence, targets, five windows of log closes."""
    return _WINDOWS + WIDTH * int(window.state_size(int(params[2]) + 1))


def validate(values: Mapping[str, float]) -> None:
    """Refuse spans that do not fit into each other and weights that are all zero."""
    if values["lookback"] + values["skip"] >= values["long"] or values["calm"] > values["long"]:
        raise StrategyError(
            f"multi_factor: long={values['long']:g} does not reach beyond lookback + skip = "
            f"{values['lookback'] + values['skip']:g} and calm = {values['calm']:g}. Use a larger long."
        )
    if values["momentum"] + values["value"] + values["quality"] <= 0.0:
        raise StrategyError("multi_factor: momentum, value and quality all weigh 0. Give at least one above 0.")


@njit(void(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def add_scores(factor: FloatArray, weight: float, composite: FloatArray) -> None:
    """Add `weight` times the z-scores of a factor across symbols, (W,), to the composite; zero where all agree."""
    mean = factor.mean()
    deviation = math.sqrt(((factor - mean) ** 2).mean())
    # Below this the factor differs by rounding alone.
    if deviation > 1e-12 * (abs(mean) + 1e-3):
        for i in range(factor.shape[0]):
            composite[i] += weight * (factor[i] - mean) / deviation


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def choose(state: FloatArray, params: FloatArray) -> None:
    """Rank the symbols and set targets and confidence."""
    lookback, skip, far, calm = int(params[0]), int(params[1]), int(params[2]), int(params[3])
    length = far + 1
    size = window.state_size(length)
    logs = np.empty(length)
    momentum, value, quality = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    for i in range(WIDTH):
        first = _WINDOWS + i * size
        window.copy_ordered(state[first : first + size], length, logs)
        momentum[i] = logs[far - skip] - logs[far - skip - lookback]
        value[i] = logs[0] - logs[far - skip - lookback]
        returns = logs[length - calm :] - logs[length - calm - 1 : length - 1]
        quality[i] = -math.sqrt(((returns - returns.mean()) ** 2).mean())
    composite = np.zeros(WIDTH)
    add_scores(momentum, params[4], composite)
    add_scores(value, params[5], composite)
    add_scores(quality, params[6], composite)
    final = np.zeros(WIDTH)
    add_scores(composite, 1.0, final)
    for i in range(WIDTH):
        target = min(max(final[i] / params[8], -1.0), 1.0)
        state[_TARGETS + i] = target if params[9] == 1.0 else max(target, 0.0)
    state[_CONFIDENCE] = conviction(1.0, final.max() - final.min())


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the five symbols; see the module for the rule."""
    if all_priced(bar):
        length = int(params[2]) + 1
        size = window.state_size(length)
        for i in range(WIDTH):
            first = _WINDOWS + i * size
            window.push(state[first : first + size], math.log(bar[i, CLOSE]), length)
        bars = window.seen(state[_WINDOWS:])
        if bars >= length and (bars - length) % int(params[7]) == 0:
            choose(state, params)
    targets[:] = state[_TARGETS:_WINDOWS]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="multi_factor",
    summary="Holds what has momentum, is cheap and is calm beside the other four of its group.",
    source="Asness, Moskowitz and Pedersen (2013), Value and momentum everywhere, Journal of Finance 68",
    parameters=PARAMETERS,
    width=WIDTH,
    state_size=state_size,
    step=step,
    aliases=("multi_factor_trading", "factor"),
    validate=validate,
)
