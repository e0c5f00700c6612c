"""Market making as a target inventory: quote round a fair price, lean against the inventory that builds up.

Before each bar it has a bid and an ask round the fair price m, the exponential mean of the last `fair` log closes;
with the inventory q in units, sigma the standard deviation of the last `window` log returns::

    bid, ask = reservation -/+ half spread

    model 0  reservation = m - q * gamma * sigma^2 * horizon                       Avellaneda and Stoikov
             half spread = gamma * sigma^2 * horizon / 2 + log(1 + gamma / kappa) / gamma
    model 1  reservation = m - skew * half spread * q / inventory                  a fixed spread, skewed
             half spread = spread / 2

A bar that closes at or below the bid adds one unit, one that closes at or above the ask takes one away, within
+/- `inventory` (0 to `inventory` where `short` is 0). The target is q / `inventory`. As a target it is filled like
any other, at the next bar, and so pays the spread that a resting order would earn: it is the inventory rule; the
quotes are in `market_making_quotes`. Abstains until mean and deviation are known; on a bar without a close nothing
changes.

Source: Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8.
"""

import math

import numpy as np
from numba import float64, njit, types

from nt_ray.features import ema, moments
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import STEP_SIGNATURE, Foreign, Parameter, Strategy
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

PARAMETERS = (
    Parameter("fair", 20, 1, 2520, "Bars of the fair price.", integer=True),
    Parameter("window", 60, 2, 2520, "Bars of returns of the volatility.", integer=True),
    Parameter("gamma", 1.0, 0.001, 1000.0, "Aversion to inventory.", aliases=("risk_aversion",)),
    Parameter("kappa", 500.0, 0.1, 1e6, "How fast fills thin out away from the fair price, per unit of log price."),
    Parameter("horizon", 10.0, 0.1, 2520.0, "Bars for which inventory is at risk."),
    Parameter("inventory", 10, 1, 1000, "Units of the largest inventory.", integer=True, aliases=("max_inventory",)),
    Parameter("short", 1, 0, 1, "1 lets the inventory become negative, 0 does not.", integer=True),
    Parameter("model", 0, 0, 1, "0 Avellaneda and Stoikov, 1 a fixed spread skewed by the inventory.", integer=True),
    Parameter("spread", 0.002, 1e-5, 0.5, "Bid to ask in model 1, 0.002 is 20 bp.", aliases=("spread_target",)),
    Parameter(
        "skew", 0.5, 0.0, 1.0, "Half spreads by which a full inventory moves both quotes of model 1.",
        aliases=("skew_factor",),
    ),
)  # fmt: skip

_QUANTITY, _CONFIDENCE, _LAST, _BID, _ASK, _QUOTED = range(6)
_HEADER = 6


def state_size(params: FloatArray) -> int:
    """Floats of state: inventory, last vote, last close, quotes, the fair price, the moments of returns."""
    return _HEADER + int(ema.state_size(int(params[0]))) + int(moments.state_size(int(params[1])))


@njit(types.UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64), cache=True, nogil=True)  # type: ignore[no-untyped-call]
def quotes(
    fair: float, quantity: float, deviation: float, gamma: float, kappa: float, horizon: float
) -> tuple[float, float]:
    """Bid and ask of Avellaneda and Stoikov in log price for an inventory of `quantity` units.

    `deviation` is that of one bar's return. Equations 29 and 30 of the paper, `horizon` for the time that is left.
    """
    risk = gamma * deviation * deviation * horizon
    half = 0.5 * risk + math.log1p(gamma / kappa) / gamma
    reservation = fair - quantity * risk
    return reservation - half, reservation + half


@njit(types.UniTuple(float64, 2)(float64, float64, float64, float64[::1]), cache=True, nogil=True)  # type: ignore[no-untyped-call]
def quotes_of(fair: float, quantity: float, deviation: float, params: FloatArray) -> tuple[float, float]:
    """Bid and ask in log price of the model that the parameters name."""
    if params[7] == 0.0:
        return quotes(fair, quantity, deviation, params[2], params[3], params[4])
    half = 0.5 * params[8]
    reservation = fair - params[9] * half * quantity / params[5]
    return reservation - half, reservation + half


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Vote on one symbol; see the module for the rule."""
    close = bar[0, CLOSE]
    if close > 0.0 and math.isfinite(close):
        price, length, most = math.log(close), int(params[1]), params[5]
        split = _HEADER + ema.state_size(int(params[0]))
        if state[_QUOTED] == 1.0:
            if price <= state[_BID]:
                state[_QUANTITY] = min(state[_QUANTITY] + 1.0, most)
            elif price >= state[_ASK]:
                state[_QUANTITY] = max(state[_QUANTITY] - 1.0, -most if params[6] == 1.0 else 0.0)
        fair = ema.update(state[_HEADER:split], price, int(params[0]))
        full = state[_LAST] > 0.0 and moments.push(state[split:], math.log(close / state[_LAST]), length)
        state[_LAST] = close
        if full and not np.isnan(fair):
            deviation = moments.deviation(state[split:], length)
            bid, ask = quotes_of(fair, state[_QUANTITY], deviation, params)
            state[_BID], state[_ASK], state[_QUOTED] = bid, ask, 1.0
            state[_CONFIDENCE] = conviction(state[_QUANTITY], 2.0 * (price - fair) / (ask - bid))
    targets[0] = state[_QUANTITY] / params[5]
    return float(state[_CONFIDENCE])


STRATEGY = Strategy(
    name="market_making",
    summary="Leans against moves away from a fair price, and against the inventory this builds up.",
    source="Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8",
    parameters=PARAMETERS,
    width=1,
    state_size=state_size,
    step=step,
    foreign=(
        Foreign(
            "inventory_limit",
            "As a target a unit has no number of shares: use inventory, the limit over the size of a quote, or "
            "market_making_quotes, which has both.",
        ),
    ),
    aliases=("market_maker", "market_making_trading", "avellaneda_stoikov"),
)
