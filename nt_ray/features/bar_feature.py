"""What a feature of whole bars is: named parameters and outputs, and one compiled `update`.

As in `base`, the update sees one bar at a time, keeps all it remembers in a flat float64 state that starts as
zeros, and the vectorised form is a loop over it. A bar on which a field that it needs is not finite is *no
bar*: the state stays as it is and every output there is NaN.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import float64, int64, njit, types, void

from nt_ray.features.base import FeatureError
from nt_ray.market.bars import FIELDS
from nt_ray.types import FloatArray

BAR_UPDATE_SIGNATURE = void(float64[::1], float64[::1], float64[::1], float64[::1])
"""`update(state, bar, params, out)`.

state   float64: zeros before the first bar.
bar     float64 (5 or more,): open, high, low, close, volume; what comes after only by features that need it.
params  float64: in the order of `BarFeature.parameters`.
out     float64: in the order of `BarFeature.outputs`, written; NaN while warming up and where there is no bar.
"""

BAR_SIZE_SIGNATURE = int64(float64[::1])
"""`floats = state_size(params)`."""

BAR_UPDATE_TYPE = types.FunctionType(BAR_UPDATE_SIGNATURE)

BARS_TYPE = types.Array(float64, 2, "C", readonly=True)
"""Bars of one instrument, (T, 5 or more), only read; writable ones are taken as well."""


@dataclass(frozen=True, slots=True)
class FeatureParameter:
    """One parameter of a bar feature: its default and its least value; `integer` for counts of bars."""

    name: str
    default: float
    low: float = 1.0
    integer: bool = True

    def check(self, feature: str, value: float) -> float:
        """Return `value` as float, or raise with what is allowed."""
        if not np.isfinite(value) or value < self.low or (self.integer and value != int(value)):
            kind = "whole number" if self.integer else "number"
            raise FeatureError(f"{feature}: {self.name}={value} is not usable. Give a {kind} from {self.low:g}.")
        return float(value)


@dataclass(frozen=True, slots=True)
class BarFeature:
    """A feature of whole bars as data.

    `fields` are the positions in a bar that it needs; of the others it looks at none, or does without.
    `parameters` and `outputs` are in the order of the compiled update. `ascending` names parameters that must
    rise strictly.
    """

    name: str
    update: Any
    state_size: Any
    fields: tuple[int, ...]
    parameters: tuple[FeatureParameter, ...]
    outputs: tuple[str, ...]
    ascending: tuple[str, ...] = ()

    def vector(self, **values: float) -> FloatArray:
        """Parameter vector: defaults overridden by `values`, each checked."""
        known = ", ".join(p.name for p in self.parameters) or "none"
        for name in values:
            if name not in (p.name for p in self.parameters):
                raise FeatureError(f"{self.name} has no parameter {name!r}. It has: {known}.")
        full = {p.name: p.check(self.name, values.get(p.name, p.default)) for p in self.parameters}
        order = [full[name] for name in self.ascending]
        if any(b <= a for a, b in pairwise(order)):
            raise FeatureError(f"{self.name}: {order} are out of order. Use {' < '.join(self.ascending)}.")
        return np.array([full[p.name] for p in self.parameters], dtype=np.float64)

    def __call__(self, bars: FloatArray, **values: float) -> FloatArray:
        """Compute the feature over all bars of an instrument.

        Parameters
        ----------
        bars
            float64 (T, 5 or more): open, high, low, close, volume, further fields; NaN where unknown.
        values
            Parameters by name; what is not named keeps its default.

        Returns
        -------
        (T, len(outputs)) the outputs in their order; NaN while it warms up and where a needed field is unknown.
        """
        bars = np.ascontiguousarray(bars, dtype=np.float64)
        width = max(len(FIELDS), *(field + 1 for field in self.fields))
        if bars.ndim != 2 or bars.shape[1] < width:
            raise FeatureError(f"{self.name}: bars of shape {bars.shape} do not fit. Give (T, {width}).")
        params = self.vector(**values)
        return vectorise_bars(self.update, int(self.state_size(params)), bars, params, len(self.outputs))


@njit(float64[:, ::1](BAR_UPDATE_TYPE, int64, BARS_TYPE, float64[::1], int64), cache=True, nogil=True)
def vectorise_bars(update: Any, size: int, bars: FloatArray, params: FloatArray, outputs: int) -> FloatArray:
    """Run an update over bars, (T, 5 or more) to (T, outputs)."""
    state = np.zeros(size)
    bar = np.empty(bars.shape[1])
    result = np.empty((bars.shape[0], outputs))
    for t in range(bars.shape[0]):
        bar[:] = bars[t]
        update(state, bar, params, result[t])
    return result
