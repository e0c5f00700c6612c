"""What a feature is: a state size and one compiled `update`, streaming and vectorised alike.

An update sees one value at a time and keeps all it remembers in a flat float64 state that starts as zeros, so
it cannot look ahead. The vectorised form is a loop over the very same update. A value that is not finite is
*no bar*: the state stays as it is and the output there is NaN.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import float64, int64, njit, types

from nt_ray.errors import BadInputError
from nt_ray.types import FloatArray

UPDATE_SIGNATURE = float64(float64[::1], float64, int64)
"""`value = update(state, x, length)`; NaN while warming up."""

PAIR_UPDATE_SIGNATURE = float64(float64[::1], float64, float64, int64)
"""`value = update(state, x, y, length)` of a feature of two series."""

UPDATE_TYPE = types.FunctionType(UPDATE_SIGNATURE)
PAIR_UPDATE_TYPE = types.FunctionType(PAIR_UPDATE_SIGNATURE)

SERIES_TYPE = types.Array(float64, 1, "C", readonly=True)
"""A series that is only read; writable ones are taken as well."""


class FeatureError(BadInputError):
    """A length or a series of which a feature cannot be computed."""

    code = "feature"


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature as data: name, compiled update, size of its state, number of input series, least length."""

    name: str
    update: Any
    state_size: Any
    inputs: int = 1
    minimum_length: int = 1

    def __call__(self, *series: FloatArray, length: int) -> FloatArray:
        """Compute the feature over whole series.

        Parameters
        ----------
        series
            `inputs` series, float64 (T,); NaN means no bar.
        length
            Length of the window in bars.

        Returns
        -------
        (T,) the feature; NaN while it warms up and wherever an input is not finite.
        """
        columns = [np.ascontiguousarray(s, dtype=np.float64) for s in series]
        self._check(columns, length)
        size = int(self.state_size(length))
        if self.inputs == 1:
            return vectorise(self.update, size, columns[0], length)
        return vectorise_pair(self.update, size, columns[0], columns[1], length)

    def _check(self, columns: list[FloatArray], length: int) -> None:
        if length != int(length) or length < self.minimum_length:
            raise FeatureError(
                f"{self.name}: length {length} is not usable. Give a whole number from {self.minimum_length}."
            )
        if len(columns) != self.inputs:
            raise FeatureError(f"{self.name}: {len(columns)} series given. It takes {self.inputs}.")
        shapes = {c.shape for c in columns}
        if len(shapes) != 1 or columns[0].ndim != 1:
            raise FeatureError(f"{self.name}: shapes {sorted(shapes)} do not fit. Give series of one shape (T,).")


@njit(float64[::1](UPDATE_TYPE, int64, SERIES_TYPE, int64), cache=True, nogil=True)
def vectorise(update: Any, size: int, series: FloatArray, length: int) -> FloatArray:
    """Run an update over a series, (T,) to (T,)."""
    state = np.zeros(size)
    result = np.empty(series.shape[0])
    for t in range(series.shape[0]):
        result[t] = update(state, series[t], length)
    return result


@njit(float64[::1](PAIR_UPDATE_TYPE, int64, SERIES_TYPE, SERIES_TYPE, int64), cache=True, nogil=True)
def vectorise_pair(update: Any, size: int, first: FloatArray, second: FloatArray, length: int) -> FloatArray:
    """Run an update of two series over them, (T,) and (T,) to (T,)."""
    state = np.zeros(size)
    result = np.empty(first.shape[0])
    for t in range(first.shape[0]):
        result[t] = update(state, first[t], second[t], length)
    return result
