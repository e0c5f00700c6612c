"""Breakout: go with a close that leaves a narrow range by a clear margin, on volume where volume is known.

Of the `window` bars before the present one::

    high = highest high,  low = lowest low,  width = (high - low) / low

Long where the close lies above high * (1 + `threshold`), short where it lies below low * (1 - `threshold`) and
`short` is 1, provided that width <= `max_range` (0: any width), and that the volume is above
`volume_multiplier` times the mean of the last `window` known volumes before it. The volume is not asked where it
is unknown, where there are not yet as many, where all of them are zero, or where the multiplier is 0.

A long position is closed once the close lies `stop_loss` below the close that opened it (0: no stop), or below the
lowest low of the `exit_window` bars before the present one; a short one in the mirror. Where highs and lows are
unknown the closes stand in for them. Abstains until both windows are full; on a bar without a close nothing
changes.

Source: Donchian's channel rule, in Kaufman (2013), Trading Systems and Methods; Brock, Lakonishok and LeBaron
(1992), Simple technical trading rules, Journal of Finance 47.
"""

import math

from numba import boolean, float64, njit, void

from nt_ray.features import extremes, sma
from nt_ray.market.bars import CLOSE, HIGH, LOW, VOLUME
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("window", 14, 1, 2520, "Bars of the range.", integer=True, aliases=("consolidation_period",)),
    Parameter(
        "threshold", 0.025, 0.0, 1.0, "Part of the range's edge by which the close must be beyond it.",
        aliases=("breakout_threshold",),
    ),
    Parameter("volume_multiplier", 1.5, 0.0, 100.0, "Mean volumes the bar must have traded; 0: any volume."),
    Parameter("stop_loss", 0.02, 0.0, 1.0, "Part of the opening close at which a loss is cut; 0: no stop."),
    Parameter("max_range", 0.15, 0.0, 10.0, "Widest range that still is a consolidation; 0: any."),
    Parameter("exit_window", 7, 1, 2520, "Bars of the range that closes a position.", integer=True),
    Parameter("short", 0, 0, 1, "1 sells short below the range, 0 never does.", integer=True),
)  # fmt: skip

_POSITION, _CONFIDENCE, _OPENED, _MEAN_VOLUME = range(4)
_HEADER = 4


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, opening close, mean volume; four queues and the volumes' window."""
    window, leaving = int(params[0]), int(params[5])
    queues = 2 * int(extremes.state_size(window)) + 2 * int(extremes.state_size(leaving))
    return _HEADER + queues + int(sma.state_size(window))


@njit(boolean(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def confirmed(state: FloatArray, volume: float, params: FloatArray) -> bool:
    """Whether the volume says yes, or cannot be asked."""
    # The mean is NaN until there are enough volumes.
    if params[2] == 0.0 or not math.isfinite(volume) or not state[_MEAN_VOLUME] > 0.0:
        return True
    return bool(volume > params[2] * state[_MEAN_VOLUME])


@njit(void(float64[::1], float64, float64, float64, float64[::1]), cache=True, nogil=True)
def leave(state: FloatArray, close: float, high: float, low: float, params: FloatArray) -> None:
    """Close the position at its stop or beyond the exit range."""
    side = state[_POSITION]
    edge = low if side > 0.0 else high
    loss = side * (state[_OPENED] - close) / state[_OPENED]
    if side * (close - edge) < 0.0 or (params[3] > 0.0 and loss >= params[3]):
        state[_POSITION] = 0.0


@njit(float64(float64, float64, float64, float64[::1]), cache=True, nogil=True)
def outside(close: float, high: float, low: float, params: FloatArray) -> float:
    """Side on which the close has left the range by the margin; 0 inside it, or where it was too wide."""
    if params[4] > 0.0 and high - low > params[4] * low:
        return 0.0
    if close > high * (1.0 + params[1]):
        return 1.0
    return -1.0 if close < low * (1.0 - params[1]) else 0.0


@njit(void(float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def remember(state: FloatArray, bar: FloatArray, params: FloatArray) -> None:
    """Take the present bar into the ranges and the mean volume, once it has been judged."""
    window, leaving = int(params[0]), int(params[5])
    wide, narrow = extremes.state_size(window), extremes.state_size(leaving)
    high = bar[HIGH] if math.isfinite(bar[HIGH]) else bar[CLOSE]
    low = bar[LOW] if math.isfinite(bar[LOW]) else bar[CLOSE]
    ranges = state[_HEADER:]
    extremes.push(ranges[:wide], high, window)
    extremes.push(ranges[wide : 2 * wide], -low, window)
    extremes.push(ranges[2 * wide : 2 * wide + narrow], high, leaving)
    extremes.push(ranges[2 * wide + narrow : 2 * wide + 2 * narrow], -low, leaving)
    if math.isfinite(bar[VOLUME]):
        state[_MEAN_VOLUME] = sma.update(ranges[2 * wide + 2 * narrow :], bar[VOLUME], window)


@njit(void(float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def judge(state: FloatArray, bar: FloatArray, params: FloatArray) -> None:
    """Move the position at a bar, given the bars before it."""
    window, leaving, close = int(params[0]), int(params[5]), bar[CLOSE]
    wide, narrow = extremes.state_size(window), extremes.state_size(leaving)
    ranges = state[_HEADER:]
    high, low = extremes.highest(ranges[:wide], window), -extremes.highest(ranges[wide : 2 * wide], window)
    if state[_POSITION] != 0.0:
        top = extremes.highest(ranges[2 * wide : 2 * wide + narrow], leaving)
        bottom = -extremes.highest(ranges[2 * wide + narrow : 2 * wide + 2 * narrow], leaving)
        leave(state, close, top, bottom, params)
    side = outside(close, high, low, params)
    allowed = side > 0.0 or (side < 0.0 and params[6] == 1.0)
    if state[_POSITION] == 0.0 and allowed and confirmed(state, bar[VOLUME], params):
        state[_POSITION], state[_OPENED] = side, close
    # Widths of the range between the close and its middle; a range of nothing counts as one of a millionth.
    reach = max(high - low, 1e-6 * close)
    state[_CONFIDENCE] = conviction(state[_POSITION], (close - 0.5 * (high + low)) / reach)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        if extremes.seen(state[_HEADER:]) >= max(params[0], params[5]):
            judge(state, bar[0], params)
        remember(state, bar[0], params)
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="breakout",
    summary="Goes with a close that leaves a narrow range by a clear margin, on rising volume where it is known.",
    source="Donchian's channel rule, in Kaufman (2013), Trading Systems and Methods",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("breakout_trading", "channel_breakout", "donchian_breakout"),
)
