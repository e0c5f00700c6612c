"""Order-flow imbalance: how much more size arrived at the bid than at the ask over the last `length` quotes.

Reads the best bid, its size, the best ask and its size, in this order, behind the volume of a bar. From one quote
to the next::

    e = size_bid [bid >= bid before] - size_bid before [bid <= bid before]
      - size_ask [ask <= ask before] + size_ask before [ask >= ask before]

where [.] is 1 if true, else 0; the imbalance is the sum of the last `length` e, in units of size.

Source: Cont, Kukanov and Stoikov (2014), The price impact of order book events, Journal of Financial Econometrics
12.
"""

from typing import Final

import numpy as np
from numba import float64, njit

from nt_ray.features import sma
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.types import FloatArray

BID, BID_SIZE, ASK, ASK_SIZE = range(5, 9)
"""Positions of the quote in a bar, behind the volume."""

_SEEN: Final = 0
_QUOTE: Final = 1
_SUM: Final = 5


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: quotes seen, the last quote, the mean of what arrived."""
    return _SUM + sma.state_size(int(params[0]))


@njit(float64(float64[::1], float64[::1]), cache=True, nogil=True)
def arrived(before: FloatArray, now: FloatArray) -> float:
    """Size that arrived at the bid less that at the ask, between two quotes (4,)."""
    size = 0.0
    if now[0] >= before[0]:
        size += now[1]
    if now[0] <= before[0]:
        size -= before[1]
    if now[2] <= before[2]:
        size -= now[3]
    if now[2] >= before[2]:
        size += before[3]
    return size


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar with its quote; write the imbalance."""
    out[0] = np.nan
    quote, length = bar[BID : ASK_SIZE + 1], int(params[0])
    if not np.isfinite(quote).all():
        return
    if state[_SEEN] > 0.0:
        out[0] = length * sma.update(state[_SUM:], arrived(state[_QUOTE:_SUM], quote), length)
    state[_SEEN] = 1.0
    state[_QUOTE:_SUM] = quote


ORDER_FLOW = BarFeature(
    "order_flow_imbalance",
    update,
    state_size,
    (BID, BID_SIZE, ASK, ASK_SIZE),
    (FeatureParameter("length", 20),),
    ("imbalance",),
)
