"""Questions for forecasts of series, longer than the look-back if they like: JSON, or a table in Arrow's IPC format.

JSON: {"model", "version", "frequency", "levels", "intervals", "names", "target": [[...], ...], "past", "future",
"static"}; `target` and what follows have one entry a series, the newest value last, null where it is missing. A table
has one row a series: a column `target` of lists, and where wanted `name`; the rest are parameters of the address.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic_core import from_json, to_json

from nt_ray.neural.inference.quantiles import Intervals, checked_intervals
from nt_ray.neural.serving.arrow_size import FILE, arrow_size
from nt_ray.neural.serving.model import Answer, ServedModel
from nt_ray.neural.serving.problems import (
    MalformedRequestError,
    MissingValueError,
    ShortSeriesError,
    TooLargeError,
    WrongShapeError,
)
from nt_ray.neural.serving.windows import KINDS, WindowSet, check_frequency, checked_levels, shapes, windows, with_gaps
from nt_ray.types import FloatArray

TEXTS: Final = ("model", "version", "frequency")
KEYS: Final = frozenset({*TEXTS, "levels", "intervals", "names", *KINDS})
LARGEST_TABLE: Final = 64 << 20
"""Bytes of a table once it is unpacked, where nothing else is said."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesQuestion:
    """What is asked: a model, spacing of the rows, levels and kind of quantiles, names of series, values by kind."""

    model: str
    version: str
    frequency: str
    levels: tuple[float, ...]
    intervals: Intervals
    names: tuple[str, ...]
    values: Mapping[str, Sequence[Any]]

    def windows(self, model: ServedModel) -> WindowSet:
        """Cut the newest look-back of each series."""
        check_frequency(model.signature, self.frequency)
        wanted = shapes(model.signature)
        given = {kind: _cut(kind, rows, wanted.get(kind)) for kind, rows in self.values.items()}
        return windows(model.signature, given, self.names, model.series)


def from_json_text(body: bytes) -> SeriesQuestion:
    """Read a question in JSON."""
    try:
        asked = from_json(body)
    except ValueError as error:
        raise MalformedRequestError(f"The request is no JSON: {error}. Send one JSON object.") from error
    if not isinstance(asked, dict):
        raise MalformedRequestError("The request is no object. Send one with model and target.")
    if unknown := sorted(set(asked) - KEYS):
        raise MalformedRequestError(f"The request has {unknown[0]!r}. There are: {', '.join(sorted(KEYS))}.")
    for key in ("names", "levels", *KINDS):
        if not isinstance(asked.get(key, []), list):
            raise MalformedRequestError(f"{key} is {str(asked[key])[:40]!r}. Give a list.")
    return _question(asked, {kind: asked[kind] for kind in KINDS if kind in asked})


def from_arrow(body: bytes, parameters: Mapping[str, str], largest: int = LARGEST_TABLE) -> SeriesQuestion:
    """Read a question as a table in Arrow's IPC format, stream or file, with parameters beside it.

    `largest` are the bytes that it may hold once it is unpacked, and in them its values as 64-bit numbers.
    """
    size = arrow_size(body)
    if max(size.nbytes, 8 * size.values) > largest:
        raise TooLargeError(
            f"The table unpacks to {size.nbytes} bytes and {size.values} values, and at most {largest} bytes of 64-bit "
            "numbers are taken. Send fewer series at once."
        )
    reader = pl.read_ipc if body.startswith(FILE) else pl.read_ipc_stream
    try:
        table = reader(io.BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # Damaged bodies may make the reader panic, which is no `Exception`.
        raise MalformedRequestError(f"The table cannot be read: {error}. Send Arrow IPC.") from error
    if "target" not in table.columns or not isinstance(table.schema["target"], pl.List | pl.Array):
        raise MalformedRequestError("The table has no column target of lists. Send one row a series.")
    levels = [text for text in parameters.get("levels", "").split(",") if text]
    names = _names(table["name"], largest) if "name" in table.columns else []
    asked: dict[str, Any] = {key: parameters.get(key, "") for key in (*TEXTS, "intervals")}
    asked |= {"levels": levels, "names": names}
    return _question(asked, {kind: table[kind].to_list() for kind in KINDS if kind in table.columns})


def to_json_text(question: SeriesQuestion, model: ServedModel, answer: Answer) -> bytes:
    """Write an answer in JSON."""
    told: dict[str, Any] = {
        "model": model.name,
        "version": str(model.version),
        "frequency": model.signature.frequency,
        "names": list(question.names),
        "levels": list(question.levels),
        "mean": answer.mean.tolist(),
    }
    if question.levels:
        told["quantiles"] = answer.quantiles.tolist()
    return to_json(told)


def to_arrow(question: SeriesQuestion, answer: Answer) -> bytes:
    """Write an answer as a table in Arrow's IPC stream: name, mean, and a column a level, lists of the horizon."""
    columns: dict[str, Any] = {"name": list(question.names)} if question.names else {}
    columns["mean"] = answer.mean
    columns |= {f"q{level!r}": answer.quantiles[..., i] for i, level in enumerate(question.levels)}
    room = io.BytesIO()
    pl.DataFrame(columns).write_ipc_stream(room)
    return room.getvalue()


def _names(column: pl.Series, largest: int) -> list[str]:
    """Names of a column, of which many may stand at the same bytes."""
    try:
        names = column.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise MalformedRequestError("The column name holds no texts. Send one text a series.") from error
    if int(names.str.len_bytes().sum()) > largest:
        raise TooLargeError(f"The names take more than {largest} bytes. Send shorter ones.")
    found: list[str] = names.to_list()
    return found


def _question(asked: Mapping[str, Any], values: Mapping[str, Sequence[Any]]) -> SeriesQuestion:
    texts = {key: str(asked.get(key) or "") for key in TEXTS}
    if not texts["model"]:
        raise MalformedRequestError("The request names no model. Give model, such as lstm or lstm@challenger.")
    names = tuple(str(name) for name in asked.get("names") or ())
    if names and len(names) != len(values.get("target", ())):
        raise WrongShapeError(f"{len(names)} names came for {len(values.get('target', ()))} series. Name each once.")
    return SeriesQuestion(
        **texts,
        levels=checked_levels(asked.get("levels") or ()),
        intervals=checked_intervals(asked.get("intervals") or ""),
        names=names,
        values=values,
    )


def _cut(kind: str, given: Sequence[Any], shape: tuple[int, ...] | None) -> FloatArray:
    """Newest rows of each series, one under the other."""
    rows = [_numbers(kind, values) for values in given]
    if shape is None or not rows:
        # What the model does not know is refused by name, later.
        return np.empty((len(rows), 0))
    if kind == "static":
        return _stacked(kind, rows)
    for row, values in enumerate(rows):
        if values.ndim != len(shape):
            raise WrongShapeError(f"{kind} of series {row} has {values.ndim} dimensions. Give {len(shape)}.")
        if len(values) < shape[0]:
            raise ShortSeriesError(
                f"{kind} of series {row} has {len(values)} rows, and the model needs {shape[0]}. Send as many."
            )
    return _stacked(kind, [values[len(values) - shape[0] :] for values in rows])


def _stacked(kind: str, rows: Sequence[FloatArray]) -> FloatArray:
    if len({values.shape for values in rows}) > 1:
        raise WrongShapeError(f"{kind} has another width in one series than in the next. Give each the same.")
    return np.stack(rows)


def _numbers(kind: str, values: Any) -> FloatArray:
    try:
        found: npt.NDArray[Any] = np.array(values)
        if found.dtype == object:
            found = with_gaps(found)
    except ValueError as error:
        raise WrongShapeError(f"{kind} has rows of different lengths. Give each as many columns.") from error
    except OverflowError as error:
        raise MissingValueError(f"{kind} holds a number beyond those of 64 bits. Give it in a larger unit.") from error
    if found.size and found.dtype.kind not in "iuf":
        raise MalformedRequestError(f"{kind} holds something that is no number. Send numbers alone.")
    return found.astype(np.float64)
