"""Trade sentiment: hold what good news speaks of while it is fresh.

Reads the field `score`: the sentiment of the news of a bar in [-1, 1], NaN where there is none; a score beyond
counts as the bound. What is heard fades by half every `half_life` bars and adds up, within [-1, 1]::

    level(t) = clip(level(t-1) * 0.5^(1 / half_life) + score(t), -1, 1)

Long above `threshold`; short below -`threshold` where `short` is 1; closed once the level in the direction of the
position is below `exit`. Abstains until the first score; on a bar without a close nothing changes.

Source: Tetlock (2007), Giving content to investor sentiment, Journal of Finance 62 (news moves prices for days
and then fades).
"""

import math
from collections.abc import Mapping

from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE, FIELDS
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("half_life", 5.0, 0.1, 2520.0, "Bars in which what was heard fades by half."),
    Parameter(
        "threshold",
        0.6,
        0.01,
        1.0,
        "Level beyond which a position is opened.",
        aliases=("sentiment_threshold",),
    ),
    Parameter("exit", 0.2, 0.0, 1.0, "Level below which it is closed; below threshold."),
    Parameter("short", 1, 0, 1, "1 sells short on bad news, 0 never does.", integer=True),
)

_POSITION, _CONFIDENCE, _LEVEL, _HEARD = range(4)


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, level, whether anything was heard."""
    return 4


def validate(values: Mapping[str, float]) -> None:
    """Refuse an exit that is not below the threshold."""
    if values["exit"] >= values["threshold"]:
        raise StrategyError(
            f"sentiment: exit={values['exit']:g} is not below threshold={values['threshold']:g}. Use a smaller exit."
        )


@njit(void(float64[::1], float64, float64), cache=True, nogil=True)
def hear(state: FloatArray, score: float, half_life: float) -> None:
    """Let the level fade by one bar and add a score."""
    level = state[_LEVEL] * 0.5 ** (1.0 / half_life)
    if math.isfinite(score):
        level += min(max(score, -1.0), 1.0)
        state[_HEARD] = 1.0
    state[_LEVEL] = min(max(level, -1.0), 1.0)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        hear(state, bar[0, len(FIELDS)], params[0])
        if state[_HEARD] == 1.0:
            level, threshold = state[_LEVEL], params[1]
            if state[_POSITION] * level < params[2]:
                state[_POSITION] = 0.0
            if state[_POSITION] == 0.0 and (level > threshold or (level < -threshold and params[3] == 1.0)):
                state[_POSITION] = math.copysign(1.0, level)
            state[_CONFIDENCE] = conviction(state[_POSITION], level / threshold)
    targets[0] = state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="sentiment",
    summary="Holds what fresh news speaks well of, until it has faded.",
    source="Tetlock (2007), Giving content to investor sentiment, Journal of Finance 62",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    aliases=("news", "news_trader", "neural_sentiment", "sentiment_trading"),
    validate=validate,
    inputs=("score",),
)
