"""Volume profile: at which prices the last `length` bars traded, as point of control and value area.

The range of the window is cut into `bins` of equal height, and each bar's volume is spread evenly over its own
range. The point of control is the middle of the fullest bin, the lowest of equals. The value area grows from it,
bin by bin to the fuller side, upwards of equals, until it holds `share` of the volume. NaN where the window has no
volume.

Source: Steidlmayer's market profile, in Dalton, Jones and Dalton (1993), Mind over Markets.
"""

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features import window
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.features.money_flow import FIELDS, is_known
from nt_ray.market.bars import HIGH, LOW, VOLUME
from nt_ray.types import FloatArray, IntArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: windows of highs, lows and volumes."""
    return 3 * window.state_size(int(params[0]))


@njit(void(float64[:, ::1], float64, float64, float64[::1]), cache=True, nogil=True)
def spread(rows: FloatArray, bottom: float, height: float, bins: FloatArray) -> None:
    """Spread volumes over bins of this height from `bottom`; rows are highs, lows and volumes."""
    last = bins.shape[0] - 1
    for i in range(rows.shape[1]):
        high, low, volume = rows[0, i], rows[1, i], rows[2, i]
        first = min(int((low - bottom) / height), last)
        for k in range(first, min(int((high - bottom) / height), last) + 1):
            if high > low:
                inside = min(high, bottom + (k + 1) * height) - max(low, bottom + k * height)
                bins[k] += volume * max(inside, 0.0) / (high - low)
            elif k == first:
                bins[k] += volume


@njit(int64(float64[::1], float64, int64[::1]), cache=True, nogil=True)
def value_area(bins: FloatArray, share: float, edges: IntArray) -> int:
    """Write first and last bin of the value area; return the fullest bin."""
    fullest = int(np.argmax(bins))
    first, last, held, wanted = fullest, fullest, bins[fullest], share * bins.sum()
    while held < wanted and (first > 0 or last < bins.shape[0] - 1):
        below = bins[first - 1] if first > 0 else -1.0
        above = bins[last + 1] if last < bins.shape[0] - 1 else -1.0
        if above >= below:
            last += 1
        else:
            first -= 1
        held += max(above, below)
    edges[0], edges[1] = first, last
    return fullest


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write point of control, and bottom and top of the value area."""
    out[:] = np.nan
    if not is_known(bar):
        return
    length = int(params[0])
    size = window.state_size(length)
    window.push(state[:size], bar[HIGH], length)
    window.push(state[size : 2 * size], bar[LOW], length)
    window.push(state[2 * size :], bar[VOLUME], length)
    if window.seen(state) < length:
        return
    rows = np.empty((3, length))
    for i in range(3):
        window.copy_ordered(state[i * size : (i + 1) * size], length, rows[i])
    if not rows[2].sum() > 0.0:
        return
    bottom, bins, edges = rows[1].min(), np.zeros(int(params[1])), np.zeros(2, dtype=np.int64)
    height = (rows[0].max() - bottom) / bins.shape[0]
    if height <= 0.0:
        out[:] = bottom
        return
    spread(rows, bottom, height, bins)
    fullest = value_area(bins, params[2], edges)
    out[0] = bottom + (fullest + 0.5) * height
    out[1], out[2] = bottom + edges[0] * height, bottom + (edges[1] + 1) * height


VOLUME_PROFILE = BarFeature(
    "volume_profile",
    update,
    state_size,
    FIELDS,
    (FeatureParameter("length", 60), FeatureParameter("bins", 24), FeatureParameter("share", 0.7, 0.0, integer=False)),
    ("point_of_control", "value_low", "value_high"),
)
