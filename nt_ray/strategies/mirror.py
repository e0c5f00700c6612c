"""Mirror: find the past patterns most like the present one and do what would have been right after them.

The pattern is the shape of the last `window` log closes: standardised, so neither level nor size counts. It is
compared with the shapes of the `lookback` windows whose next `horizon` bars lie in the past as well. Of those at
least `similarity` alike, the `neighbours` most alike are taken, best first, no two of them ending within `horizon`
bars of each other, so that none is counted twice. With their similarities s and the log returns r over the
`horizon` bars after them::

    forecast   = sum(s * r) / sum(s)
    confidence = |sum(s * r)| / sum(s * |r|) * mean(s) * found / neighbours

Where confidence >= `min_confidence` a long position is opened on a positive forecast, a short one on a negative one
if `short` is 1. It is held for `horizon` bars, the span of the forecast; then the question is put anew. Standing
aside is worth 1 - confidence. `warp` 0 compares by cosine, 1 by dynamic time warping within `band` bars. Abstains
until all the windows are there; on a bar without a close nothing changes.

Source: Lo, Mamaysky and Wang (2000), Foundations of technical analysis, Journal of Finance 55; Yakowitz (1987),
Nearest-neighbour methods for time series analysis; similarity measures as in `features.similarity`.
"""

import math

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features import similarity, window
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import FLOOR
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("window", 20, 3, 252, "Bars of a pattern.", integer=True, aliases=("pattern_length",)),
    Parameter("lookback", 100, 1, 2520, "Past patterns looked at.", integer=True, aliases=("lookback_bars",)),
    Parameter(
        "similarity", 0.85, 0.0, 1.0, "Least similarity of a neighbour.",
        aliases=("pattern_similarity_threshold", "min_similarity"),
    ),
    Parameter("neighbours", 5, 1, 100, "Most similar patterns taken.", integer=True),
    Parameter("horizon", 5, 1, 252, "Bars of the forecast, and of a position.", integer=True),
    Parameter("min_confidence", 0.5, 0.0, 1.0, "Least confidence at which a position is opened."),
    Parameter("warp", 0, 0, 1, "0 compares by cosine, 1 by dynamic time warping.", integer=True),
    Parameter("band", 3, 0, 252, "Bars by which warping may shift.", integer=True),
    Parameter("short", 0, 0, 1, "1 sells short on a negative forecast, 0 never does.", integer=True),
)  # fmt: skip

_POSITION, _CONFIDENCE, _HELD, _FORECAST, _BELIEF = range(5)
_HEADER = 5

_TAKEN = -2.0
"""Below every similarity: a pattern that is out of the question."""


@njit(int64(float64[::1]), cache=True, nogil=True)
def history(params: FloatArray) -> int:
    """Bars kept: the patterns looked at and what came after them."""
    return int(params[0]) + int(params[1]) + int(params[4]) - 1


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, bars held, last forecast; the log closes."""
    return _HEADER + int(window.state_size(int(history(np.array(params, dtype=np.float64)))))


@njit(void(float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def compare(closes: FloatArray, params: FloatArray, alike: FloatArray) -> None:
    """Similarity of the present pattern to each past one, oldest first; patterns without a shape are out."""
    length, band = int(params[0]), int(params[7])
    present = closes[closes.shape[0] - length :].copy()
    alike[:] = _TAKEN
    if not similarity.standardise(present):
        return
    past = np.empty(length)
    for i in range(alike.shape[0]):
        past[:] = closes[i : i + length]
        if similarity.standardise(past):
            alike[i] = similarity.warped(present, past, band) if params[6] == 1.0 else similarity.cosine(present, past)


@njit(void(float64[::1], float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def forecast(state: FloatArray, closes: FloatArray, alike: FloatArray, params: FloatArray) -> None:
    """Weigh what came after the nearest patterns; write forecast and confidence. `alike` is used up."""
    length, wanted, horizon = int(params[0]), int(params[3]), int(params[4])
    weights, drift, way, found = 0.0, 0.0, 0.0, 0
    while found < wanted:
        best = int(np.argmax(alike))
        weight = alike[best]
        if weight < params[2] or weight <= 0.0:
            break
        end = best + length - 1
        after = closes[end + horizon] - closes[end]
        weights, drift, way, found = weights + weight, drift + weight * after, way + weight * abs(after), found + 1
        alike[max(best - horizon + 1, 0) : best + horizon] = _TAKEN
    state[_FORECAST] = drift / weights if found > 0 else 0.0
    state[_BELIEF] = abs(drift) / way * weights / wanted if way > 0.0 else 0.0


@njit(void(float64[::1], float64[::1]), cache=True, nogil=True)
def decide(state: FloatArray, params: FloatArray) -> None:
    """Ask the past and take the position it speaks for."""
    bars = history(params)
    closes, alike = np.empty(bars), np.empty(int(params[1]))
    window.copy_ordered(state[_HEADER:], bars, closes)
    compare(closes, params, alike)
    forecast(state, closes, alike, params)
    belief, side = state[_BELIEF], np.sign(state[_FORECAST])
    taken = side != 0.0 and belief >= params[5] and (side > 0.0 or params[8] == 1.0)
    state[_POSITION] = side if taken else 0.0
    state[_CONFIDENCE] = max(min(belief if taken else 1.0 - belief, 1.0), FLOOR)
    state[_HELD] = 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        bars = history(params)
        window.push(state[_HEADER:], math.log(close), bars)
        if window.seen(state[_HEADER:]) >= bars:
            state[_HELD] += 1.0
            if state[_POSITION] == 0.0 or state[_HELD] >= params[4]:
                decide(state, params)
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="mirror",
    summary="Finds past patterns like the present one and follows what came after them.",
    source="Lo, Mamaysky and Wang (2000), Foundations of technical analysis, JF 55",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("mirror_trading", "mirror_trader", "pattern_matching"),
)
