"""Multi-indicator: act where several independent indicators agree, each with one vote.

=========  ==========================================  ==========================================
indicator  votes to buy                                votes to sell
=========  ==========================================  ==========================================
RSI        index < `oversold`                          index > `overbought`
MACD       histogram has crossed above zero            histogram has crossed below zero
Bollinger  close < mean - `band_width` deviations      close > mean + `band_width` deviations
=========  ==========================================  ==========================================

A cross counts for `memory` bars, its own included (1: that bar alone). Where at least `agree` vote to buy, a
short position is closed and a long one opened; where at least `agree` vote to sell, a long one is closed and,
where `short` is 1, a short one opened. With an equal number on both sides nothing changes. Confidence is the
share of votes in favour: (3 + position * (buys - sells)) / 6, aside 1 - |buys - sells| / 3. Abstains until all
three indicators are known; on a bar without a close nothing changes.

Source: Wilder (1978), New Concepts in Technical Trading Systems; Appel (2005), Technical Analysis; Bollinger
(2001), Bollinger on Bollinger Bands.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import boolean, float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.features import macd, moments, rsi
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import FLOOR
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("rsi_window", 14, 1, 252, "Bars of the relative strength index.", integer=True, aliases=("rsi_period",)),
    Parameter("oversold", 35.0, 0.0, 100.0, "Index below which it votes to buy.", aliases=("rsi_oversold",)),
    Parameter("overbought", 70.0, 0.0, 100.0, "Index above which it votes to sell.", aliases=("rsi_overbought",)),
    Parameter("macd_fast", 12, 1, 1260, "Bars of the fast average; below macd_slow.", integer=True),
    Parameter("macd_slow", 26, 2, 2520, "Bars of the slow average.", integer=True),
    Parameter("macd_signal", 9, 1, 252, "Bars of the signal line.", integer=True),
    Parameter("band_window", 20, 2, 2520, "Bars of the bands.", integer=True, aliases=("bb_period",)),
    Parameter("band_width", 2.0, 0.0, 10.0, "Deviations from the mean to a band.", aliases=("bb_std",)),
    Parameter("agree", 2, 1, 3, "Votes needed.", integer=True, aliases=("min_signals",)),
    Parameter("memory", 1, 1, 252, "Bars for which a cross of the histogram counts.", integer=True),
    Parameter("short", 0, 0, 1, "1 sells short where enough vote to sell, 0 never does.", integer=True),
)

_POSITION, _CONFIDENCE, _SIDE, _SINCE, _BUYS, _SELLS = range(6)
_MACD = 6
_RSI = _MACD + macd.STATE_SIZE
_MOMENTS = _RSI + int(rsi.state_size(1))
_SCRATCH = 3


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, last cross; the indicators; room for the outputs of the MACD."""
    return _MOMENTS + int(moments.state_size(int(params[6]))) + _SCRATCH


def validate(values: Mapping[str, float]) -> None:
    """Refuse bounds and lengths that are out of order."""
    if values["macd_fast"] >= values["macd_slow"]:
        raise StrategyError(
            f"multi_indicator: macd_fast={values['macd_fast']:g} is not below macd_slow={values['macd_slow']:g}. "
            "Use a smaller macd_fast."
        )
    if values["oversold"] > values["overbought"]:
        raise StrategyError(
            f"multi_indicator: oversold={values['oversold']:g} is above overbought={values['overbought']:g}. "
            "Use a smaller oversold."
        )


@njit(void(float64[::1], float64), cache=True, nogil=True)
def follow(state: FloatArray, histogram: float) -> None:
    """Note on which side of zero the histogram stands and for how many bars; 0 belongs to neither.

    The side on which it starts is no cross.
    """
    side = 0.0 if histogram == 0.0 else math.copysign(1.0, histogram)
    if state[_SINCE] == 0.0:
        state[_SIDE], state[_SINCE] = side, np.inf
    elif side not in (0.0, state[_SIDE]):
        state[_SINCE] = 1.0 if state[_SIDE] != 0.0 else np.inf
        state[_SIDE] = side
    else:
        state[_SINCE] += 1.0


@njit(boolean(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def count(state: FloatArray, close: float, params: FloatArray) -> bool:
    """Take in a close and count the votes; False while an indicator is unknown."""
    room = state.shape[0] - _SCRATCH
    length = int(params[6])
    index = rsi.update(state[_RSI:_MOMENTS], close, int(params[0]))
    known = moments.push(state[_MOMENTS:room], close, length)
    macd.push(state[_MACD:_RSI], close, params[3:6], state[room:])
    histogram = state[room + 2]
    if not np.isnan(histogram):
        follow(state, histogram)
    if np.isnan(index) or np.isnan(histogram) or not known:
        return False
    deviation = moments.deviation(state[_MOMENTS:room], length)
    # In a flat window the mean may miss the close by a rounding; there are no bands to leave.
    away = close - moments.total(state[_MOMENTS:room], length) / length if deviation > 0.0 else 0.0
    reach = params[7] * deviation
    crossed = state[_SIDE] if state[_SINCE] <= params[9] else 0.0
    state[_BUYS] = int(index < params[1]) + int(crossed > 0.0) + int(away < -reach)
    state[_SELLS] = int(index > params[2]) + int(crossed < 0.0) + int(away > reach)
    return True


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close) and count(state, close, params):
        buys, sells = state[_BUYS], state[_SELLS]
        if buys >= params[8] and buys > sells:
            state[_POSITION] = 1.0
        elif sells >= params[8] and sells > buys:
            state[_POSITION] = -1.0 if params[10] == 1.0 else 0.0
        margin, position = buys - sells, state[_POSITION]
        share = (3.0 + position * margin) / 6.0 if position != 0.0 else 1.0 - abs(margin) / 3.0
        state[_CONFIDENCE] = max(share, FLOOR)
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="multi_indicator",
    summary="Buys and sells where RSI, MACD and Bollinger bands agree.",
    source="Wilder (1978), New Concepts in Technical Trading Systems; Bollinger (2001)",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("multi_indicators", "multi_indicator_trading"),
    validate=validate,
)
