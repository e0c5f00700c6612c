"""Windows that forecasts are asked for: look-backs in the units of their series, checked against a signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nt_ray.neural.series.signature import Signature
from nt_ray.neural.serving.problems import (
    MissingValueError,
    ShortSeriesError,
    TooLargeError,
    WrongDatatypeError,
    WrongFrequencyError,
    WrongInputsError,
    WrongLevelsError,
    WrongShapeError,
)
from nt_ray.types import FloatArray

TARGET: Final = "target"
KINDS: Final = (TARGET, "past", "future", "static")
LOWEST: Final = 1e-4
"""Lowest level, and what the highest is short of 1: as far as quantiles in 32 bits are exact to the last digit."""
MOST_LEVELS: Final = 100
LARGEST_ANSWER: Final = 1 << 23
"""Means and quantiles of one answer."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowSet:
    """B windows: target (B, L), past (B, L, P), future (B, L + H, F), static (B, Z), all float64.

    NaN is a missing value, of kinds that were missing in training too; nothing is infinite.
    `series` names the series of each window, where the model scales by series; else it is empty.
    """

    target: FloatArray
    past: FloatArray
    future: FloatArray
    static: FloatArray
    series: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.target)

    def part(self, first: int, last: int) -> "WindowSet":
        """Windows `first` to `last` (not included)."""
        cut = slice(first, last)
        return WindowSet(self.target[cut], self.past[cut], self.future[cut], self.static[cut], self.series[cut])


def join(sets: Sequence[WindowSet]) -> WindowSet:
    """Put windows of one model under each other."""
    if len(sets) == 1:
        return sets[0]
    return WindowSet(
        np.concatenate([one.target for one in sets]),
        np.concatenate([one.past for one in sets]),
        np.concatenate([one.future for one in sets]),
        np.concatenate([one.static for one in sets]),
        tuple(name for one in sets for name in one.series),
    )


def shapes(signature: Signature) -> dict[str, tuple[int, ...]]:
    """Shape of one window of each input that a model takes."""
    rows, ahead = signature.lookback, signature.lookback + signature.horizon
    found: dict[str, tuple[int, ...]] = {TARGET: (rows,)}
    if signature.past:
        found["past"] = (rows, len(signature.past))
    if signature.future:
        found["future"] = (ahead, len(signature.future))
    if signature.static:
        found["static"] = (len(signature.static),)
    return found


def windows(
    signature: Signature, given: Mapping[str, npt.NDArray[Any]], series: Sequence[str] = (), names: Sequence[str] = ()
) -> WindowSet:
    """Check tensors against a signature; `names` are the series whose scale the model knows, where it scales so.

    NaN is taken for a missing value where some were missing in training, and refused elsewhere.
    """
    wanted = shapes(signature)
    _same_inputs(wanted, given)
    count = _count(given[TARGET])
    arrays = {kind: _shaped(kind, given[kind], (count, *shape)) for kind, shape in wanted.items()}
    for kind, values in arrays.items():
        _check_gaps(kind, values, allowed=kind in signature.gaps)
    rows, ahead = signature.lookback, signature.lookback + signature.horizon
    for kind, shape in (("past", (rows, 0)), ("future", (ahead, 0)), ("static", (0,))):
        arrays.setdefault(kind, np.empty((count, *shape)))
    target, past, future, static = (arrays[kind] for kind in KINDS)
    return WindowSet(target, past, future, static, _series(count, series, names))


def check_frequency(signature: Signature, frequency: str) -> None:
    """Refuse rows of another spacing; an unknown one is taken at its word."""
    if frequency and signature.frequency and frequency != signature.frequency:
        raise WrongFrequencyError(
            f"The model forecasts rows of {signature.frequency}, and these are {frequency} apart. "
            f"Send rows of {signature.frequency}, or ask another model."
        )


def with_gaps(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Read an array of numbers and nulls, which become NaN; as it is where anything else is in it."""
    flat = values.ravel()
    if not all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in flat):
        return values
    return values.astype(np.float64)


def checked_levels(levels: Sequence[Any]) -> tuple[float, ...]:
    """Read quantile levels: increasing, at most `MOST_LEVELS`, none nearer to 0 or 1 than `LOWEST`."""
    if len(levels) > MOST_LEVELS:
        raise WrongLevelsError(f"{len(levels)} levels are more than {MOST_LEVELS}. Ask for fewer at once.")
    try:
        found = tuple(float(level) for level in levels)
    except (TypeError, ValueError, OverflowError):
        found = (float("nan"),)
    if not all(LOWEST <= level <= 1.0 - LOWEST for level in found) or list(found) != sorted(set(found)):
        raise WrongLevelsError(
            f"levels are {str(list(levels))[:80]}. Give numbers from {LOWEST} to {1.0 - LOWEST}, each once, the "
            "smallest first."
        )
    return found


def check_answer(count: int, horizon: int, levels: int) -> None:
    """Refuse to make more numbers than one answer has room for."""
    size = count * horizon * (1 + levels)
    if size > LARGEST_ANSWER:
        raise TooLargeError(
            f"{count} windows of {horizon} rows at {levels} levels are {size} numbers, and an answer has at most "
            f"{LARGEST_ANSWER}. Ask for fewer at once."
        )


def _same_inputs(wanted: Mapping[str, object], given: Mapping[str, object]) -> None:
    for name in given:
        if name not in wanted:
            raise WrongInputsError(f"The model has no input {name}. Its inputs: {', '.join(wanted)}.")
    for name in wanted:
        if name not in given:
            raise WrongInputsError(f"The input {name} is missing. The model's inputs: {', '.join(wanted)}.")


def _count(target: npt.NDArray[Any]) -> int:
    if not target.ndim or not len(target):
        raise WrongShapeError("The request holds no window. Send at least one.")
    return len(target)


def _shaped(kind: str, values: npt.NDArray[Any], shape: tuple[int, ...]) -> FloatArray:
    if values.dtype.kind != "f":
        raise WrongDatatypeError(f"Input {kind} is of {values.dtype}. Send FP32 or FP64.")
    if values.ndim == len(shape) > 1 and values.shape[1] < shape[1] and values.shape[2:] == shape[2:]:
        raise ShortSeriesError(
            f"Input {kind} has {values.shape[1]} rows a window, and the model needs {shape[1]}. Send as many."
        )
    if values.shape != shape:
        raise WrongShapeError(f"Input {kind} has the shape {list(values.shape)}. Send {list(shape)}.")
    return np.ascontiguousarray(values, dtype=np.float64)


def _check_gaps(kind: str, values: FloatArray, *, allowed: bool) -> None:
    bad = np.isinf(values) if allowed else ~np.isfinite(values)
    if not bad.any():
        return
    place = [int(i) for i in np.argwhere(bad)[0]]
    value = values[tuple(place)]
    remedy = "" if np.isinf(value) else f", or train a model on data where {kind} has gaps"
    raise MissingValueError(f"Input {kind} is {value} at {place}. Fill it, leave the window out{remedy}.")


def _series(count: int, series: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        # Each window is scaled by itself, so it does not matter whose it is.
        return ()
    if not series and len(names) == 1:
        return (names[0],) * count
    if len(series) != count:
        raise WrongInputsError(
            f"The model scales by series, and {len(series)} names came for {count} windows. Name the series of each."
        )
    for name in series:
        if name not in names:
            raise WrongInputsError(f"The model knows no series {name!r}. It was trained on {', '.join(names[:20])}.")
    return tuple(series)
