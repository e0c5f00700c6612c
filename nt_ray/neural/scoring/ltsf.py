"""The long-horizon benchmark of the literature, as its authors ran it: splits, scale, windows, and what they left out.

Series are scaled with mean and population deviation of the training rows, and scored on that scale over windows of
stride 1 whose targets lie in the test rows; inputs reach back into earlier rows. Published tables come from loaders
that drop the last incomplete batch of 32 windows, which moves a row by up to 2 %, so the whole test stands in front
and that other figure beside it. It does not know the forecaster.

Source: Zeng et al. (2023), Are transformers effective for time series forecasting?, AAAI, and its published code.
"""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.naive import repeat_last, truth_at
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray, IntArray

HORIZONS = (96, 192, 336, 720)
DROPPED_BATCH = 32
_MONTH = 30 * 24
_CHUNK = 128
"""Origins scored at a time, so that memory does not grow with the test."""

Predict = Callable[[IntArray], FloatArray]
"""Forecasts (S, O, H) from origins (O,), on the scale of the task."""


@dataclass(frozen=True, slots=True)
class Split:
    """First rows after training, validation and test."""

    train: int
    validation: int
    test: int


def months(rows: int) -> Split:
    """12, 4 and 4 months of hours; the rest is not used."""
    if rows < 20 * _MONTH:
        raise NeuralError(f"{rows} rows are fewer than the {20 * _MONTH} hours of the protocol. Use the whole file.")
    return Split(12 * _MONTH, 16 * _MONTH, 20 * _MONTH)


def shares(rows: int) -> Split:
    """70, 10 and 20 percent, the first and the last rounded down."""
    train, test = int(rows * 0.7), int(rows * 0.2)
    return Split(train, rows - test, rows)


SPLITS: Mapping[str, Callable[[int], Split]] = MappingProxyType({"ett-hour": months, "shares": shares})


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A data set on the scale of the benchmark."""

    name: str
    panel: SeriesPanel
    """Scaled rows up to the end of the test."""
    split: Split

    @property
    def fitting(self) -> SeriesPanel:
        """Rows that a forecaster may be fitted on."""
        return self.panel.rows(0, self.split.train)

    @property
    def developing(self) -> SeriesPanel:
        """Training and validation rows."""
        return self.panel.rows(0, self.split.validation)

    def origins(self, horizon: int) -> IntArray:
        """Origins of all test windows."""
        count = self.split.test - self.split.validation - horizon + 1
        if count < 1:
            raise NeuralError(f"horizon={horizon} does not fit the test rows of {self.name}. Use a shorter one.")
        return self.split.validation - 1 + np.arange(count, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class TaskScore:
    """Mean squared and absolute error over windows, steps and series."""

    windows: int
    mse: float
    mae: float
    dropped_mse: float | None
    """Over the windows of whole batches of 32 alone, as in the published tables; None with fewer than 32."""
    dropped_mae: float | None


def load_task(path: str | Path, split: str, name: str = "") -> Task:
    """Read a file of the benchmark: a CSV with a `date` column, or plain columns of numbers, gzipped or not."""
    if split not in SPLITS:
        raise NeuralError(f"There is no split {split!r}. Use one of: {', '.join(SPLITS)}.")
    path = Path(path)
    values, names, times = _read(path)
    found = SPLITS[split](len(values))
    rows = values[: found.train]
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    if not (deviation > 0.0).all():
        constant = names[int(np.argmin(deviation))]
        raise NeuralError(f"Series {constant!r} is constant over the training rows and has no scale. Leave it out.")
    scaled = ((values - mean) / deviation)[: found.test].T
    panel = SeriesPanel(tuple(names), times[: found.test], np.ascontiguousarray(scaled))
    return Task(name or path.name.split(".")[0], panel, found)


def score_task(task: Task, horizon: int, predict: Predict) -> TaskScore:
    """Score forecasts over all test windows."""
    origins = task.origins(horizon)
    squared, absolute = np.empty(len(origins)), np.empty(len(origins))
    for first in range(0, len(origins), _CHUNK):
        chunk = origins[first : first + _CHUNK]
        errors = predict(chunk) - truth_at(task.panel.target, chunk, horizon)
        if not np.isfinite(errors).all():
            raise NeuralError(f"A forecast from rows {chunk[0]} to {chunk[-1]} is not finite. Mend the forecaster.")
        squared[first : first + _CHUNK] = (errors**2).mean(axis=(0, 2))
        absolute[first : first + _CHUNK] = np.abs(errors).mean(axis=(0, 2))
    kept = len(origins) // DROPPED_BATCH * DROPPED_BATCH
    dropped = (float(squared[:kept].mean()), float(absolute[:kept].mean())) if kept else (None, None)
    return TaskScore(len(origins), float(squared.mean()), float(absolute.mean()), *dropped)


def repeat_score(task: Task, horizon: int) -> TaskScore:
    """Score of repeating the last value: the row that stands beside every other."""
    return score_task(task, horizon, lambda origins: repeat_last(task.panel.target, origins, horizon))


def _read(path: Path) -> tuple[FloatArray, list[str], "np.ndarray[tuple[int], np.dtype[np.datetime64]]"]:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except OSError as error:
        raise NeuralError(f"{str(path)!r} cannot be read ({error}). Give a file of the benchmark.") from error
    dated = raw.startswith(b"date")
    try:
        frame = pl.read_csv(raw, has_header=dated, try_parse_dates=dated)
        values = frame.drop("date").cast(pl.Float64) if dated else frame.cast(pl.Float64)
    except pl.exceptions.PolarsError as error:
        raise NeuralError(
            f"{str(path)!r} holds no table of numbers ({error}). Give a file of the benchmark."
        ) from error
    if dated:
        times = frame["date"].cast(pl.Datetime("us")).to_numpy()
    else:
        # The file carries no dates; its rows are days in order.
        times = np.datetime64("1990-01-01", "us") + np.arange(frame.height) * np.timedelta64(1, "D")
    names = values.columns if dated else [f"series {i + 1}" for i in range(values.width)]
    return values.to_numpy(), names, times
