"""Volume-synchronised probability of informed trading: how one-sided the last `buckets` equal volumes were, 0 to 1.

Each bar's volume is split into bought and sold by its change of the close: bought is volume * Phi(change / sd), with
sd the deviation of the last `length` changes and Phi the normal distribution function. Volumes fill buckets of
`bucket` units, a bar as many as it takes. The measure is the mean of |bought - sold| / `bucket` over the last
`buckets` full ones; between two it stays.

Source: Easley, Lopez de Prado and O'Hara (2012), Flow toxicity and liquidity in a high-frequency world, Review of
Financial Studies 25.
"""

import math

import numpy as np
from numba import float64, njit, void

from nt_ray.features import moments, sma
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE, VOLUME
from nt_ray.types import FloatArray

_SEEN, _CLOSE, _FILLED, _BOUGHT, _MEASURE = range(5)
_HEADER = 5


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the last close, the open bucket, the moments of changes, the full buckets."""
    return _HEADER + moments.state_size(int(params[2])) + sma.state_size(int(params[1]))


@njit(float64(float64[::1], float64, float64[::1]), cache=True, nogil=True)
def bought_share(state: FloatArray, change: float, params: FloatArray) -> float:
    """Share of a bar's volume that was bought; NaN while the deviation is unknown."""
    length = int(params[2])
    changes = state[_HEADER:]
    if not moments.push(changes, change, length):
        return np.nan
    deviation = moments.deviation(changes, length)
    return 0.5 * math.erfc(-change / (deviation * math.sqrt(2.0))) if deviation > 0.0 else 0.5


@njit(void(float64[::1], float64, float64, float64[::1]), cache=True, nogil=True)
def fill(state: FloatArray, share: float, volume: float, params: FloatArray) -> None:
    """Pour a bar's volume into the buckets."""
    bucket, buckets = params[0], int(params[1])
    full = state[_HEADER + moments.state_size(int(params[2])) :]
    room = bucket - state[_FILLED]
    if volume < room:
        state[_FILLED] += volume
        state[_BOUGHT] += share * volume
        return
    first = abs(2.0 * (state[_BOUGHT] + share * room) - bucket) / bucket
    state[_MEASURE] = sma.update(full, first, buckets)
    whole = math.floor((volume - room) / bucket)
    # Buckets beyond the window would only be displaced again.
    for _ in range(int(min(whole, float(buckets)))):
        state[_MEASURE] = sma.update(full, abs(2.0 * share - 1.0), buckets)
    state[_FILLED] = volume - room - whole * bucket
    state[_BOUGHT] = share * state[_FILLED]


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the measure."""
    out[0] = np.nan
    close, volume = bar[CLOSE], bar[VOLUME]
    if not (math.isfinite(close) and math.isfinite(volume)):
        return
    change = close - state[_CLOSE]
    state[_CLOSE] = close
    if state[_SEEN] == 0.0:
        state[_SEEN], state[_MEASURE] = 1.0, np.nan
        return
    share = bought_share(state, change, params)
    if not np.isnan(share):
        fill(state, share, volume, params)
    out[0] = state[_MEASURE]


VPIN = BarFeature(
    "vpin",
    update,
    state_size,
    (CLOSE, VOLUME),
    (
        FeatureParameter("bucket", 1e6, 1.0, integer=False),
        FeatureParameter("buckets", 50),
        FeatureParameter("length", 50, 2),
    ),
    ("vpin",),
)
