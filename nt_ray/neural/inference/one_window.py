"""One look-back on the host, scaled in float64 by the rules of `scaling` without starting tensor operations.

It is filled anew for each forecast and read by the network where it lies, so one thread at a time may use it.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from numba import njit, types

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import unknown
from nt_ray.neural.series.scaling import FLAT, MAD_TO_DEVIATION
from nt_ray.neural.series.signature import Signature
from nt_ray.types import FloatArray

AS_IT_IS, STANDARD, ROBUST, LAST = range(4)
_RULES: Final = {"standard": STANDARD, "robust": ROBUST, "last": LAST}
_VALUES: Final = types.Array(types.float64, 1, "A", readonly=True)
_ROOM: Final = types.Array(types.float32, 1, "C")
_PAIR: Final = types.UniTuple(types.float64, 2)  # type: ignore[no-untyped-call]
_ROWS: Final = types.Array(types.float64, 2, "C", readonly=True)
_PAIRS: Final = types.Array(types.float64, 2, "C")


@njit(_PAIR(_VALUES, types.int64), cache=True, nogil=True)
def _measured(values: FloatArray, rule: int) -> tuple[float, float]:
    """Location and spread of values (L,); (0, 1) where windows are not scaled."""
    if rule == AS_IT_IS:
        return 0.0, 1.0
    if rule == ROBUST:
        location = np.median(values)
        return location, np.median(np.abs(values - location)) * MAD_TO_DEVIATION
    location = values.mean() if rule == STANDARD else values[-1]
    total = 0.0
    for value in values:
        total += (value - location) ** 2
    return location, math.sqrt(total / len(values))


@njit(types.boolean(_VALUES, types.float64, types.float64, _ROOM), cache=True, nogil=True)
def _put(values: FloatArray, location: float, scale: float, room: npt.NDArray[np.float32]) -> bool:
    """Write scaled values into a room of their length, and say whether all were finite."""
    total = 0.0
    for i, value in enumerate(values):
        total += value
        room[i] = (value - location) / scale
    return math.isfinite(total)


@njit(_PAIRS(_ROWS, types.int64), cache=True, nogil=True)
def _measured_rows(rows: FloatArray, rule: int) -> FloatArray:
    """Location and spread (B, 2) of each row of (B, L), of its finite values alone."""
    found = np.empty((len(rows), 2))
    room = np.empty(rows.shape[1])
    for i, row in enumerate(rows):
        count = 0
        for value in row:
            if math.isfinite(value):
                room[count] = value
                count += 1
        found[i, 0], found[i, 1] = _measured(room[:count], rule)
    return found


class GapError(NeuralError):
    """A value is missing or infinite."""


class OneWindow:
    """A window of one series without inputs, nothing of it missing.

    `scales` are location and scale by series where they were fitted on the training rows.
    """

    def __init__(self, signature: Signature, scales: Mapping[str, tuple[float, float]], device: torch.device) -> None:
        self._lookback = signature.lookback
        self._rule = _RULES.get(signature.scaling, AS_IT_IS)
        self._scales = scales
        self._device = device
        target = torch.zeros((1, signature.lookback))
        self._room = target.numpy()[0]
        rows = signature.lookback + signature.horizon
        past, future = (torch.zeros((1, length, 0), device=device) for length in (signature.lookback, rows))
        mask = torch.ones((1, 1), device=device).expand(1, signature.lookback)
        self._batch = Batch(target, mask, past, future, torch.zeros((1, 0), device=device))

    def fill(self, values: FloatArray, name: str) -> tuple[float, float]:
        """Scale the look-back (L,) of a series into the window, and return its location and scale."""
        location, scale = self._frozen(name) if self._scales else _measured(values, self._rule)
        if not _put(values, location, scale or 1.0, self._room):
            raise GapError(
                f"The series has a missing or infinite value in its last {self._lookback}. "
                "Fill it, or use forecast with a panel, which masks what is missing."
            )
        if is_flat(location, scale):
            raise NeuralError(flat("The series", self._lookback, location))
        return location, scale

    def batch(self) -> Batch:
        """Window as a network reads it."""
        if self._device.type == "cpu":
            return self._batch
        return self._batch._replace(target=self._batch.target.to(self._device))

    def _frozen(self, name: str) -> tuple[float, float]:
        if not name and len(self._scales) == 1:
            return next(iter(self._scales.values()))
        if name not in self._scales:
            raise NeuralError(unknown("series", name, tuple(self._scales)) + " The scale was fitted by series.")
        return self._scales[name]


def measure(scaling: str, values: FloatArray) -> tuple[float, float]:
    """Location and spread of values (L,) without missing ones; (0, 1) where windows are not scaled."""
    found: tuple[float, float] = _measured(values, _RULES.get(scaling, AS_IT_IS))
    return found


def measure_rows(scaling: str, rows: FloatArray) -> FloatArray:
    """Location and spread (B, 2) of the finite values of rows (B, L), at least one each, as `measure` finds them."""
    found: FloatArray = _measured_rows(np.ascontiguousarray(rows), _RULES.get(scaling, AS_IT_IS))
    return found


def is_flat(location: float, spread: float) -> bool:
    """Say whether a window has no scale of its own."""
    return spread <= abs(location) * FLAT


def flat(what: str, lookback: int, location: float) -> str:
    """Sentence about a look-back without a spread."""
    return (
        f"{what} is {location:g} in the last {lookback} rows: there is no spread to scale it by. "
        "Repeat its last value, or leave it out."
    )
