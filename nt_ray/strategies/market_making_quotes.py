"""Market making with resting orders: the quotes of `market_making` as limit orders on the first instrument.

After each bar a bid and an ask stand for the next one, as DAY limit orders of `size` lots at the prices of `model`
(`market_making.quotes_of`), q being the position in units of `size`. Nothing is quoted on a side on which the
inventory has reached `inventory` units (0 on the short side where `short` is 0), and nothing at a price below one
tick or beyond `FARTHEST` times the close, where nobody trades. The bid is rounded down and the ask up to whole ticks,
and neither crosses the last close. Quotes begin once mean and deviation are known; on a bar without a close there are
none.

Source: Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8.
"""

import math
from collections.abc import Mapping

import numpy as np
from numba import njit

from nt_ray.errors import StrategyError
from nt_ray.features import ema, moments
from nt_ray.market.bars import CLOSE
from nt_ray.strategies import market_making
from nt_ray.strategies.base import Foreign, Parameter
from nt_ray.strategies.order_step import DAY, ORDER_STEP_SIGNATURE, OrderStrategy, limit_order
from nt_ray.types import FloatArray, IntArray

PARAMETERS = (
    *market_making.PARAMETERS,
    Parameter("size", 100, 1, 1e9, "Lots of a quote.", integer=True, aliases=("quote_size",)),
)


def inventory_of(limit: float, values: Mapping[str, float]) -> float:
    """Units of an inventory that is given in lots."""
    units = limit / values["size"]
    if units != int(units):
        raise StrategyError(
            f"market_making_quotes: inventory_limit={limit:g} is no multiple of size={values['size']:g}. "
            "Give a whole number of quotes."
        )
    return units


FARTHEST = 1000.0
"""Closes beyond which an ask is no price."""

_SIZE = len(market_making.PARAMETERS)

_LAST = 0
_HEADER = 1


def state_size(params: FloatArray) -> int:
    """Floats of state: last close, the fair price, the moments of returns."""
    return _HEADER + int(ema.state_size(int(params[0]))) + int(moments.state_size(int(params[1])))


@njit(ORDER_STEP_SIGNATURE, cache=True, nogil=True)
def step(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Quote both sides for the next bar; see the module for the rule."""
    close, count = bar[0, CLOSE], 0
    if not (close > 0.0 and math.isfinite(close)):
        return count
    split = _HEADER + ema.state_size(int(params[0]))
    fair = ema.update(state[_HEADER:split], math.log(close), int(params[0]))
    length = int(params[1])
    full = state[_LAST] > 0.0 and moments.push(state[split:], math.log(close / state[_LAST]), length)
    state[_LAST] = close
    if full and not np.isnan(fair):
        size, most = int(params[_SIZE]), int(params[5])
        deviation = moments.deviation(state[split:], length)
        bid, ask = market_making.quotes_of(fair, lots[0] / size, deviation, params)
        # Ticks in one unit of price times the price: the close and its ticks are the same number twice.
        scale = ticks[0, CLOSE] / close
        below, above = math.exp(bid) * scale, math.exp(ask) * scale
        least = -most * size if params[6] == 1.0 else 0
        if lots[0] + size <= most * size and below >= 1.0:
            price = int(min(math.floor(below), float(ticks[0, CLOSE])))
            count = limit_order(requests, count, 0, size, price, DAY)
        if lots[0] - size >= least and above <= FARTHEST * ticks[0, CLOSE]:
            price = int(max(math.ceil(above), float(ticks[0, CLOSE])))
            count = limit_order(requests, count, 0, -size, price, DAY)
    return count


ORDER_STRATEGY = OrderStrategy(
    name="market_making_quotes",
    summary="Quotes both sides of a fair price and leans against the inventory that builds up.",
    parameters=PARAMETERS,
    state_size=state_size,
    step=step,
    foreign=(Foreign("inventory_limit", "Use inventory, the limit over size.", "inventory", inventory_of),),
)
