"""Series on one time axis, with what is known about them: the one shape in which data enter the forecasters.

S series over T rows, NaN where a value is missing. Inputs are of three kinds: `past` is known up to the row it stands
in, `future` is known in advance and may reach further than the target, `static` does not change. Infinite values are
refused. What is scaled, masked or cut into windows is not known here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.spacing import frequency_of
from nt_ray.types import FloatArray


def _none() -> FloatArray:
    """Inputs that were not given; they take their shape from the panel."""
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPanel:
    """Target and inputs of S series.

    Attributes
    ----------
    names
        S unique names.
    times
        datetime64[us], (T,), UTC, strictly increasing.
    target
        float64, (S, T); NaN = missing.
    past, future, static
        float64, (S, T, P), (S, T + A, F) with A rows that are known ahead, and (S, Z); NaN = missing. Empty where
        not given.
    frequency
        Spacing of the rows, such as "1h" or "1d"; told from the times where empty.
    """

    names: tuple[str, ...]
    times: npt.NDArray[np.datetime64]
    target: FloatArray
    past: FloatArray = field(default_factory=_none)
    past_names: tuple[str, ...] = ()
    future: FloatArray = field(default_factory=_none)
    future_names: tuple[str, ...] = ()
    static: FloatArray = field(default_factory=_none)
    static_names: tuple[str, ...] = ()
    frequency: str = ""

    def __post_init__(self) -> None:
        _check_axes(self)
        s, t = self.target.shape
        _fill(self, "past", self.past_names, (s, t, 0))
        _fill(self, "future", self.future_names, (s, t, 0))
        _fill(self, "static", self.static_names, (s, 0))
        if self.past.shape[1] != t or self.future.shape[1] < t:
            raise NeuralError(
                f"Inputs have {self.past.shape[1]} past and {self.future.shape[1]} future rows for {t} rows of the "
                "target. Give a row of past inputs for each, and future inputs at least as far."
            )
        for name in ("target", "past", "future", "static"):
            _refuse_infinite(self, name)
        if not self.frequency:
            object.__setattr__(self, "frequency", frequency_of(self.times))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def ahead(self) -> int:
        """Rows of future inputs after the last row of the target."""
        return int(self.future.shape[1]) - len(self)

    def rows(self, first: int, last: int) -> "SeriesPanel":
        """Rows `first` to `last` (not included); future inputs stay known as far as they are."""
        if not 0 <= first < last <= len(self):
            raise NeuralError(f"Rows {first} to {last} are not in a panel of {len(self)}. Cut inside it.")
        return replace(
            self,
            times=self.times[first:last],
            target=self.target[:, first:last],
            past=self.past[:, first:last],
            # Without future inputs there is nothing to know ahead, and their rows stay those of the target.
            future=self.future[:, first:] if self.future_names else self.future[:, first:last],
        )

    def select(self, names: Sequence[str]) -> "SeriesPanel":
        """Series of these names, in this order."""
        for name in names:
            if name not in self.names:
                raise NeuralError(unknown("series", name, self.names))
        order = [self.names.index(name) for name in names]
        return replace(
            self,
            names=tuple(names),
            target=self.target[order],
            past=self.past[order],
            future=self.future[order],
            static=self.static[order],
        )

    def until(self, ahead: int) -> "SeriesPanel":
        """The same with future inputs for at most this many rows after the last."""
        return replace(self, future=self.future[:, : len(self) + ahead]) if self.ahead > ahead else self

    def with_inputs(self, past: Sequence[str], future: Sequence[str]) -> "SeriesPanel":
        """The same with these of its past and future inputs alone, in this order."""
        for kind, names, known in (("past", past, self.past_names), ("future", future, self.future_names)):
            for name in names:
                if name not in known:
                    raise NeuralError(unknown(f"{kind} input", name, known))
        # Without future inputs there is nothing to know ahead.
        reach = self.future.shape[1] if future else len(self)
        return replace(
            self,
            past=self.past[:, :, [self.past_names.index(name) for name in past]],
            past_names=tuple(past),
            future=self.future[:, :reach, [self.future_names.index(name) for name in future]],
            future_names=tuple(future),
        )

    def digest(self) -> str:
        """SHA-256 of everything in the panel, in hexadecimal."""
        sha = hashlib.sha256()
        words = (self.names, self.past_names, self.future_names, self.static_names, self.frequency)
        sha.update(repr((words, self.target.shape, self.future.shape)).encode())
        sha.update(np.ascontiguousarray(self.times.astype(np.int64)).tobytes())
        for values in (self.target, self.past, self.future, self.static):
            # One pattern of bits for all that is missing: a NaN carries bits of its own.
            sha.update(np.where(np.isnan(values), np.nan, values).tobytes())
        return sha.hexdigest()


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Sentence about a name that is not among those known."""
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"Unknown {kind} {name!r}{hint} There are: {', '.join(known) or 'none'}."


def _check_axes(panel: SeriesPanel) -> None:
    if panel.target.ndim != 2 or panel.target.shape != (len(panel.names), len(panel.times)) or not panel.target.size:
        raise NeuralError(
            f"The target has the shape {panel.target.shape} for {len(panel.names)} series and {len(panel.times)} "
            "times. Give one row a series and one column a time, at least one of each."
        )
    if len(set(panel.names)) != len(panel.names):
        twice = sorted({name for name in panel.names if panel.names.count(name) > 1})
        raise NeuralError(f"Series {twice} stand twice in one panel. Name each series once.")
    steps = np.diff(panel.times)
    if np.isnat(panel.times).any() or not bool(np.all(steps > np.timedelta64(0, "us"))):
        row = int(np.argmax(steps <= np.timedelta64(0, "us"))) + 1
        raise NeuralError(f"Times do not increase strictly at row {row}. Sort them and keep each once.")


def _fill(panel: SeriesPanel, name: str, names: tuple[str, ...], empty: tuple[int, ...]) -> None:
    """Give inputs their shape, and check it."""
    values = getattr(panel, name)
    if not names and not values.size:
        object.__setattr__(panel, name, np.empty(empty))
        return
    if values.ndim != len(empty) or values.shape[0] != empty[0] or values.shape[-1] != len(names):
        raise NeuralError(
            f"{name} inputs have the shape {values.shape} for {empty[0]} series and the names {list(names)}. "
            "Give series first and one column a name last."
        )
    if len(set(names)) != len(names):
        raise NeuralError(f"{name} inputs are named {list(names)}. Name each once.")


def _refuse_infinite(panel: SeriesPanel, name: str) -> None:
    values = getattr(panel, name)
    infinite = np.isinf(values)
    if infinite.any():
        place = tuple(int(i) for i in np.argwhere(infinite)[0])
        row = f", row {place[1]}" if len(place) > 1 and name != "static" else ""
        raise NeuralError(
            f"{name} is infinite in series {panel.names[place[0]]!r}{row}. Give a number, or NaN where it is missing."
        )
