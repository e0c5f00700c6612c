"""Spacing of rows in words: "15m", "1h", "1d", "1w", "1mo", told from the median step between times."""

from typing import Final

import numpy as np
import numpy.typing as npt

_SECOND: Final = 1_000_000
_UNITS: Final = (
    ("w", 7 * 86_400 * _SECOND),
    ("d", 86_400 * _SECOND),
    ("h", 3_600 * _SECOND),
    ("m", 60 * _SECOND),
    ("s", _SECOND),
    ("ms", 1_000),
    ("us", 1),
)
_CALENDAR: Final = ((28, 31, "1mo"), (89, 92, "1q"), (365, 366, "1y"))
"""Median days between rows, from and to, that mean a step of the calendar."""


def frequency_of(times: npt.NDArray[np.datetime64]) -> str:
    """Spacing of times (T,); empty for fewer than two, which have none."""
    if len(times) < 2:
        return ""
    step = int(np.median(np.diff(times).astype("timedelta64[us]").astype(np.int64)))
    days = step / (86_400 * _SECOND)
    for low, high, name in _CALENDAR:
        if low <= days <= high and days != 28:
            return name
    name, size = next((name, size) for name, size in _UNITS if step % size == 0)
    return f"{step // size}{name}"
