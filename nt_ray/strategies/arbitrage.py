"""Cross-venue arbitrage: one asset at two venues, bought where it is cheap and sold where it is dear.

The two symbols are the same asset; with their closes a and b::

    gap = 10000 * log(b / a)                                        in basis points
    costs = 2 * (fee_a + fee_b) + 4 * slippage                      of the two trades in and the two trades out

A position is opened where |gap| is above costs + `edge` + `exit`, so that the edge is left after all costs once
the gap has shrunk to `exit`. It holds +1 of the cheap and -1 of the dear one and is closed once the gap in its
direction is not above `exit`, or after `max_bars` bars, after which none is opened until the gap has once been
small. Never abstains after the first bar with both closes; on a bar without one of them nothing changes.

Source: Makarov and Schoar (2020), Trading and arbitrage in cryptocurrency markets, Journal of Financial
Economics 135.
"""

import math
from collections.abc import Mapping

from numba import float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.spread import all_priced
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("fee_a", 5.0, 0.0, 1000.0, "Fee of a trade at the first venue, basis points."),
    Parameter("fee_b", 5.0, 0.0, 1000.0, "Fee of a trade at the second venue, basis points."),
    Parameter("slippage", 2.0, 0.0, 1000.0, "Slippage of each trade, basis points."),
    Parameter("edge", 30.0, 0.0, 1000.0, "Least gain after costs, basis points.", aliases=("min_edge_bps",)),
    Parameter("exit", 0.0, 0.0, 1000.0, "Gap at which the position is closed, basis points."),
    Parameter("max_bars", 0, 0, 25200, "Most bars a position is held; 0: no limit.", integer=True),
)

_POSITION, _CONFIDENCE, _HELD, _TIRED = range(4)


def state_size(params: FloatArray) -> int:
    """Floats of state: position, last vote, bars held, time-stop flag."""
    return 4


def validate(values: Mapping[str, float]) -> None:
    """Refuse an arbitrage that costs nothing and asks for nothing: it would trade on every tick."""
    if threshold_of(*(values[p.name] for p in PARAMETERS[:5])) <= 0.0:
        raise StrategyError("arbitrage: fees, slippage, edge and exit are all 0. Give at least one above 0.")


@njit(float64(float64, float64, float64, float64, float64), cache=True, nogil=True)
def threshold_of(fee_a: float, fee_b: float, slippage: float, edge: float, leave: float) -> float:
    """Gap in basis points beyond which a position pays for itself and the edge."""
    return 2.0 * (fee_a + fee_b) + 4.0 * slippage + edge + leave


@njit(void(float64[::1], float64, float64, float64[::1]), cache=True, nogil=True)
def trade(state: FloatArray, gap: float, threshold: float, params: FloatArray) -> None:
    """Move the position (+1 long the first venue) at this gap."""
    if abs(gap) <= threshold:
        state[_TIRED] = 0.0
    if state[_POSITION] != 0.0:
        state[_HELD] += 1.0
        if state[_POSITION] * gap <= params[4]:
            state[_POSITION] = 0.0
        elif params[5] > 0.0 and state[_HELD] >= params[5]:
            state[_POSITION] = 0.0
            state[_TIRED] = 1.0
    if state[_POSITION] == 0.0 and state[_TIRED] == 0.0 and abs(gap) > threshold:
        state[_POSITION] = math.copysign(1.0, gap)
        state[_HELD] = 0.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on the two venues; see the module for the rule."""
    if all_priced(bar):
        gap = 1e4 * math.log(bar[1, CLOSE] / bar[0, CLOSE])
        threshold = threshold_of(params[0], params[1], params[2], params[3], params[4])
        trade(state, gap, threshold, params)
        state[_CONFIDENCE] = conviction(state[_POSITION], gap / threshold)
    targets[0], targets[1] = state[_POSITION], -state[_POSITION]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="arbitrage",
    summary="Buys an asset at the venue where it is cheap and sells it where it is dear, if the gap pays all costs.",
    source="Makarov and Schoar (2020), Trading and arbitrage in cryptocurrency markets, JFE 135",
    parameters=PARAMETERS,
    width=2,
    state_size=state_size,
    step=step,
    aliases=("cross_venue_arbitrage", "neural_arbitrage"),
    validate=validate,
)
