"""What the data and errors looked like when a model was trained: kept in the lineage of its bundle, compared later.

A sample of at most `POINTS` values stands for each input: all of them where there are no more, else those at evenly
spaced ranks, which moves a distribution function by less than 1 / `POINTS`.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from nt_ray.neural.drift.drift_statistics import autocorrelation_time, lag_one
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.manifest import Record
from nt_ray.neural.registry.registry_problems import CorruptModelError

Floats = npt.NDArray[np.float64]

REFERENCE: Final = "reference"
"""Key of the lineage."""

POINTS: Final = 400
FEWEST: Final = 20


class Sketch(Record):
    """One column: values in ascending order, how many there were, share that was missing, and how they hang together.

    `time` is the integrated autocorrelation time in rows, `carry` the autocorrelation at lag one, both of ranks.
    """

    values: tuple[float, ...] = Field(min_length=1, max_length=POINTS)
    rows: int = Field(ge=1)
    missing: float = Field(ge=0, le=1)
    time: float = Field(ge=1)
    carry: float = Field(ge=0, le=0.95)


class Reference(Record):
    """Inputs by name, and the absolute errors of the model on its validation windows, one for each origin."""

    format: Literal["nt-ray-reference/1"] = "nt-ray-reference/1"
    inputs: dict[str, Sketch]
    errors: Sketch | None = None


def reference_of(inputs: Mapping[str, Floats], errors: Floats | None = None) -> Reference:
    """Sketch the columns (n,) that a model was trained on, in the order of time; NaN is missing."""
    sketches = {name: sketch(name, values) for name, values in inputs.items()}
    return Reference(inputs=sketches, errors=None if errors is None else sketch("errors", np.abs(errors)))


def sketch(name: str, column: Floats) -> Sketch:
    """Sketch one column (n,), in the order of time; NaN is missing, infinity refused."""
    column = np.asarray(column, np.float64)
    seen = column[~np.isnan(column)]
    if seen.size < FEWEST or not np.isfinite(seen).all():
        raise NeuralError(
            f"The column {name} has {seen.size} values, and a reference needs {FEWEST} or more, all finite. "
            "Give more rows or leave it out."
        )
    ordered = np.sort(seen)
    if ordered.size > POINTS:
        ordered = ordered[((np.arange(POINTS) + 0.5) * ordered.size / POINTS).astype(np.int64)]
    return Sketch(
        values=tuple(ordered.tolist()),
        rows=int(seen.size),
        missing=1 - seen.size / column.size,
        time=autocorrelation_time(seen),
        carry=min(max(lag_one(seen), 0.0), 0.95),
    )


def reference_in(description: Mapping[str, Any], place: str) -> Reference:
    """Read the reference in the lineage of a bundle's `model.json`; raises `CorruptModelError` where there is none."""
    found = description.get("lineage", {}).get(REFERENCE)
    if not found:
        raise CorruptModelError(
            f"Model {place} does not say what its training data looked like (lineage.{REFERENCE}). Train it again."
        )
    try:
        return Reference.model_validate(found)
    except ValidationError as error:
        raise CorruptModelError(
            f"The reference of model {place} cannot be read: {error.errors(include_url=False)[0]['msg']}. "
            "Train it again."
        ) from error
