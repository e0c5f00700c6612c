"""An ensemble of momentum, mean reversion and trend on one symbol: three votes become one.

Members: the steps of `momentum` (`lookback`, `skip`) and `mean_reversion` (`window`), and trend, which is long
while the mean of the last `fast` closes is above that of the last `slow` and short (or aside) while it is below.
With target x_i, confidence c_i (0 where it abstains) and weight w_i of each member:

* method 0, weighted: target sum(w c x) / sum(w c), confidence sum(w c) / sum(w);
* method 1, majority: +1, 0 or -1 as a share of at least `agreement` of the weights of those that vote says, else
  aside; the largest share is the confidence;
* method 2, stacking: ridge regression learns what the targets of a bar foretell of the next log return in units
  of its volatility (`vol_window` bars, cut at five), each older outcome counting 1 - 1 / `memory` as much. The
  target is the prediction over `full`, within [-1, 1] and without shorts within [0, 1]. It abstains until `memory`
  outcomes have been learnt; the weights are not used.

Nothing but outcomes that are known goes into a prediction. On a bar without a close nothing changes.

Source: Bates and Granger (1969), The combination of forecasts, Operational Research Quarterly 20; Wolpert (1992),
Stacked generalization, Neural Networks 5.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import moments, sma
from nt_ray.market.bars import CLOSE
from nt_ray.strategies import mean_reversion, momentum
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.basket import least_squares
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

METHODS = ("weighted", "majority", "stacking")
"""Names of the codes 0 to 2 of the parameter `method`."""

MEMBERS = 3

PARAMETERS = (
    Parameter("method", 0, 0, 2, "0 weighted, 1 majority, 2 stacking.", integer=True),
    Parameter("lookback", 120, 2, 2520, "Bars of returns of momentum.", integer=True),
    Parameter("skip", 5, 0, 252, "Most recent bars that momentum leaves out.", integer=True),
    Parameter("window", 20, 2, 2520, "Bars of mean reversion.", integer=True),
    Parameter("fast", 20, 1, 2520, "Bars of the trend's fast mean; below slow.", integer=True, aliases=("fast_ma",)),
    Parameter("slow", 100, 2, 2520, "Bars of the trend's slow mean.", integer=True, aliases=("slow_ma",)),
    Parameter("momentum", 1.0, 0.0, 100.0, "Weight of momentum."),
    Parameter("reversion", 1.0, 0.0, 100.0, "Weight of mean reversion."),
    Parameter("trend", 1.0, 0.0, 100.0, "Weight of trend."),
    Parameter("agreement", 0.6, 0.0, 1.0, "Share of the weights a majority needs."),
    Parameter("short", 0, 0, 1, "1 lets members sell short, 0 never.", integer=True),
    Parameter("memory", 252, 20, 25200, "Outcomes that stacking remembers, and needs before it votes.", integer=True),
    Parameter("full", 0.1, 0.001, 10.0, "Predicted return, in volatilities of a bar, of a full-size position."),
    Parameter("vol_window", 60, 2, 2520, "Bars of the volatility that stacking counts in.", integer=True),
)

RIDGE = 1.0
"""Penalty on the squared weights of stacking: members that say nothing get none."""

_TARGET, _CONFIDENCE, _LAST, _SCALE, _LEARNT = range(5)
_HEARD = 5
_TRUST = _HEARD + MEMBERS
_PENDING = _TRUST + MEMBERS
_PRODUCTS = _PENDING + MEMBERS
_SIDE = MEMBERS + 1
_HEADER = _PRODUCTS + _SIDE * _SIDE

_momentum_size = njit(int64(float64[::1]), cache=True, nogil=True)(momentum.state_size)


@njit(float64[::1](float64[::1]), cache=True, nogil=True)
def momentum_params(params: FloatArray) -> FloatArray:
    """Parameters of the momentum member in its own order."""
    return np.array([params[1], params[2], 1.0, 0.0, params[10], 0.0])


@njit(float64[::1](float64[::1]), cache=True, nogil=True)
def reversion_params(params: FloatArray) -> FloatArray:
    """Parameters of the mean-reversion member in its own order."""
    return np.array([params[3], 2.0, 0.5, 0.0, 0.0, params[10]])


@njit(int64(int64, int64), cache=True, nogil=True)
def _trend_size(fast: int, slow: int) -> int:
    return sma.state_size(fast) + sma.state_size(slow)


def sizes(params: FloatArray) -> tuple[int, int, int, int]:
    """Floats of state of momentum, mean reversion, trend and volatility."""
    return (
        momentum.state_size(momentum_params(params)),
        mean_reversion.state_size(reversion_params(params)),
        int(_trend_size(int(params[4]), int(params[5]))),
        int(moments.state_size(int(params[13]))),
    )


def state_size(params: FloatArray) -> int:
    """Floats of state: vote, stacking, then trend and volatility, then the members'."""
    return _HEADER + sum(sizes(params))


def validate(values: Mapping[str, float]) -> None:
    """Refuse means that are out of order and weights that are all zero."""
    if values["fast"] >= values["slow"]:
        raise StrategyError(f"ensemble: fast={values['fast']:g} is not below slow={values['slow']:g}. Use fewer bars.")
    if values["momentum"] + values["reversion"] + values["trend"] <= 0.0:
        raise StrategyError("ensemble: momentum, reversion and trend all weigh 0. Give at least one above 0.")


@njit(void(float64[::1], float64[::1], float64, float64[::1]), cache=True, nogil=True)
def follow_trend(state: FloatArray, heard: FloatArray, close: float, params: FloatArray) -> None:
    """Vote of the trend member: its target and its confidence, written to `heard` (2,)."""
    fast, slow = int(params[4]), int(params[5])
    split = sma.state_size(fast)
    quick = sma.update(state[:split], close, fast)
    calm = sma.update(state[split:], close, slow)
    heard[:] = 0.0
    if not np.isnan(calm):
        side = 1.0 if quick > calm else (-1.0 if quick < calm else 0.0)
        heard[0] = side if side > 0.0 or params[10] == 1.0 else 0.0
        heard[1] = conviction(heard[0], 100.0 * (quick / calm - 1.0))


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def weigh(state: FloatArray, params: FloatArray) -> None:
    """Combine by weights and confidences."""
    total, spoken, sum_of_targets = 0.0, 0.0, 0.0
    for i in range(MEMBERS):
        total += params[6 + i]
        trust = params[6 + i] * state[_TRUST + i]
        spoken += trust
        sum_of_targets += trust * state[_HEARD + i]
    state[_TARGET] = min(max(sum_of_targets / spoken, -1.0), 1.0) if spoken > 0.0 else 0.0
    state[_CONFIDENCE] = min(spoken / total, 1.0)


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def count(state: FloatArray, params: FloatArray) -> None:
    """Combine by majority."""
    up, down, aside = 0.0, 0.0, 0.0
    for i in range(MEMBERS):
        if state[_TRUST + i] > 0.0:
            if state[_HEARD + i] > 0.0:
                up += params[6 + i]
            elif state[_HEARD + i] < 0.0:
                down += params[6 + i]
            else:
                aside += params[6 + i]
    total = up + down + aside
    state[_TARGET], state[_CONFIDENCE] = 0.0, 0.0
    if total > 0.0:
        if up > down and up >= params[9] * total:
            state[_TARGET] = 1.0
        elif down > up and down >= params[9] * total:
            state[_TARGET] = -1.0
        state[_CONFIDENCE] = max(up, down, aside) / total


@njit(void(float64[::1], float64, float64), cache=True, nogil=True)
def learn(state: FloatArray, outcome: float, forgetting: float) -> None:
    """Take in what followed the pending targets: fading cross products of outcome and targets."""
    for i in range(_SIDE):
        first = outcome if i == 0 else state[_PENDING + i - 1]
        for j in range(_SIDE):
            second = outcome if j == 0 else state[_PENDING + j - 1]
            state[_PRODUCTS + i * _SIDE + j] = forgetting * state[_PRODUCTS + i * _SIDE + j] + first * second
    state[_LEARNT] += 1.0


@njit(float64(float64[::1]), cache=True, nogil=True)
def predict(state: FloatArray) -> float:
    """Next return in volatilities that the pending targets foretell: ridge regression on what was learnt."""
    gram = state[_PRODUCTS:_HEADER].copy().reshape((_SIDE, _SIDE))
    for i in range(1, _SIDE):
        gram[i, i] += RIDGE
    weights = np.zeros(MEMBERS)
    result = 0.0
    if least_squares(gram, weights):
        for i in range(MEMBERS):
            result += weights[i] * state[_PENDING + i]
    return result


@njit(void(float64[::1], float64[::1], float64, float64[::1]), cache=True, nogil=True)
def stack(state: FloatArray, volatility: FloatArray, close: float, params: FloatArray) -> None:
    """Learn from the present return, then predict the next one."""
    length = int(params[13])
    full = False
    if state[_LAST] > 0.0:
        gain = math.log(close / state[_LAST])
        if state[_SCALE] > 0.0:
            learn(state, min(max(gain / state[_SCALE], -5.0), 5.0), 1.0 - 1.0 / params[11])
        full = moments.push(volatility, gain, length)
    state[_LAST] = close
    state[_SCALE] = moments.deviation(volatility, length) if full else 0.0
    for i in range(MEMBERS):
        state[_PENDING + i] = state[_HEARD + i] if state[_TRUST + i] > 0.0 else 0.0
    ready = state[_LEARNT] >= params[11]
    prediction = predict(state) if ready else 0.0
    target = min(max(prediction / params[12], -1.0), 1.0)
    state[_TARGET] = (target if params[10] == 1.0 else max(target, 0.0)) if ready else 0.0
    state[_CONFIDENCE] = conviction(state[_TARGET], prediction / params[12]) if ready else 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        trend = _HEADER + _trend_size(int(params[4]), int(params[5]))
        volatility = trend + moments.state_size(int(params[13]))
        split = volatility + _momentum_size(momentum_params(params))
        heard = np.zeros(2)
        state[_TRUST] = momentum.step(state[volatility:split], bar, momentum_params(params), state[_HEARD : _HEARD + 1])
        state[_TRUST + 1] = mean_reversion.step(
            state[split:], bar, reversion_params(params), state[_HEARD + 1 : _HEARD + 2]
        )
        follow_trend(state[_HEADER:trend], heard, close, params)
        state[_HEARD + 2], state[_TRUST + 2] = heard[0], heard[1]
        if params[0] == 0.0:
            weigh(state, params)
        elif params[0] == 1.0:
            count(state, params)
        else:
            stack(state, state[trend:volatility], close, params)
    targets[0] = state[_TARGET]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="ensemble",
    summary="Combines momentum, mean reversion and trend by weights, by majority, or by what past bars taught.",
    source="Bates and Granger (1969), The combination of forecasts; Wolpert (1992), Stacked generalization",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("ensemble_trading", "stacking"),
    validate=validate,
)
