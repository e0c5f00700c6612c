"""Recent rows of a model's inputs, errors and interval hits, from a CSV or Parquet file."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from nt_ray.errors import BadInputError
from nt_ray.market.files import read_table
from nt_ray.market.tables import numbers
from nt_ray.neural.drift.retraining import Recent


def read_recent(path: Path, inputs: Sequence[str], errors: str, covered: Mapping[float, str]) -> Recent:
    """Read the columns `inputs`, the column of errors where it is named, and the column of hits of each level."""
    columns = _columns(path, (*inputs, *filter(None, (errors,)), *covered.values()))
    hits = {level: _hits(name, columns[name]) for level, name in covered.items()}
    return Recent({name: columns[name] for name in inputs}, columns[errors] if errors else None, hits)


def _columns(path: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.float64]]:
    """Columns of a table as numbers, NaN where a cell is empty."""
    table = read_table(path)
    for name in names:
        if name not in table.columns:
            near = get_close_matches(name, table.columns, n=1)
            hint = f"Is it {near[0]}?" if near else f"It has {', '.join(table.columns)}."
            raise BadInputError(f"{path} has no column {name}. {hint}")
    truths = table.select(names).with_columns(pl.col(pl.Boolean).cast(pl.Int8))
    return {name: numbers(truths[name], path.name) for name in names}


def _hits(name: str, column: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Hits of an interval; rows without one are left out."""
    seen = column[~np.isnan(column)]
    if ((seen != 0) & (seen != 1)).any():
        raise BadInputError(
            f"The column {name} holds other values than 0 and 1. Write 1 where the interval held the truth."
        )
    hits: npt.NDArray[np.bool_] = seen == 1
    return hits
