"""Drift: whether the data, the errors and the intervals of a model are still those it was trained for.

Three questions, each with a stated rate of false alarms while nothing changes:

* inputs: a column has drifted where its Kolmogorov-Smirnov test stays below `level` after Benjamini and Hochberg's
  adjustment over all columns, and the change is large enough to matter: its stability index reaches `least_index` and
  what chance explains, or its Wasserstein distance `least_shift` standard deviations. One check raises a false alarm
  with probability `level` at most. A column that is missing more often by `least_missing` has drifted too;
* errors: a cumulated sum over their ranks among the errors of validation, mean rows to a false alarm `run_length`;
* intervals: a cumulated sum over misses, against a miss rate of 1 - coverage + `tolerance`, with the same run length.

Errors and hits are one for each origin, of forecasts that do not overlap; for overlapping ones the rates do not hold.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nt_ray.neural.drift.cusum import Watch, cusum, miss_ratios, normal_ratios
from nt_ray.neural.drift.drift_reference import FEWEST, Reference, Sketch
from nt_ray.neural.drift.drift_statistics import (
    adjusted,
    autocorrelation_time,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p,
    normal_scores,
    stability_index,
    stability_limit,
    wasserstein,
)
from nt_ray.neural.problems import NeuralError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as drift; see the module."""

    level: float = 0.01
    least_index: float = 0.25
    least_shift: float = 0.25
    least_missing: float = 0.2
    run_length: float = 10_000.0
    tolerance: float = 0.02


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One input: distance and adjusted p-value, stability index, shift in standard deviations, share missing."""

    name: str
    rows: int
    distance: float
    p: float
    index: float
    shift: float
    missing: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class CoverageDrift:
    """Intervals of one level: the share of truths inside, and what the detector saw."""

    level: float
    share: float
    watch: Watch


@dataclass(frozen=True, slots=True)
class Drift:
    """Everything found, and the verdict: reasons to retrain, empty where there are none."""

    inputs: tuple[ColumnDrift, ...]
    errors: Watch | None
    coverage: tuple[CoverageDrift, ...]
    reasons: tuple[str, ...]

    @property
    def retrain(self) -> bool:
        """Whether the model should be trained anew."""
        return bool(self.reasons)

    def resolved(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"retrain": self.retrain, **asdict(self)}


def assess(
    reference: Reference,
    inputs: Mapping[str, Floats],
    errors: Floats | None = None,
    covered: Mapping[float, Bools] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Drift:
    """Compare recent rows with the reference of a model.

    `inputs` are columns (n,) by name, in the order of time, NaN missing; `errors` (m,) forecast errors, one for each
    origin; `covered` says for each nominal level whether the truth lay in the interval, (m,).
    """
    columns = _columns(reference, inputs, limits)
    watched = None if errors is None else error_drift(reference, errors, limits)
    coverage = tuple(coverage_drift(level, hits, limits) for level, hits in sorted((covered or {}).items()))
    return Drift(columns, watched, coverage, tuple(_reasons(columns, watched, coverage)))


def error_drift(reference: Reference, errors: Floats, limits: Limits = DEFAULT_LIMITS) -> Watch:
    """Watch absolute errors (m,), oldest first, for a rise; NaN is left out."""
    if reference.errors is None:
        raise NeuralError(
            f"The model does not say what its errors were in validation: it had no {FEWEST} rows of it. Train it with "
            "a larger neural.training.validation or on more bars, or leave errors out."
        )
    found = np.asarray(errors, np.float64)
    scores = normal_scores(np.array(reference.errors.values), np.abs(found[~np.isnan(found)]))
    carry = reference.errors.carry
    # What one error says of the next is taken out, so that the rest are independent.
    fresh = scores.copy()
    fresh[1:] = (scores[1:] - carry * scores[:-1]) / np.sqrt(1 - carry**2)
    return cusum(normal_ratios(fresh), limits.run_length)


def coverage_drift(level: float, covered: Bools, limits: Limits = DEFAULT_LIMITS) -> CoverageDrift:
    """Watch whether intervals of a nominal level miss more often than they may; hits (m,), oldest first."""
    if not 0 < level < 1:
        raise NeuralError(f"Intervals of level {level} cannot be judged. Use a level between 0 and 1, such as 0.9.")
    hits = np.asarray(covered, np.bool_)
    before = min(1 - level + limits.tolerance, 0.99)
    after = min(2 * before, (1 + before) / 2)
    watch = cusum(miss_ratios(~hits, before, after), limits.run_length)
    return CoverageDrift(level, float(hits.mean()) if hits.size else float(level), watch)


def _columns(reference: Reference, inputs: Mapping[str, Floats], limits: Limits) -> tuple[ColumnDrift, ...]:
    for name in reference.inputs:
        if name not in inputs:
            near = get_close_matches(name, list(inputs), n=1)
            hint = f"Is it {near[0]}?" if near else "Give the columns that the model was trained on."
            raise NeuralError(f"The recent data have no column {name}. {hint}")
    pairs = [(name, sketch, np.asarray(inputs[name], np.float64)) for name, sketch in reference.inputs.items()]
    found = [_column(name, sketch, column, limits) for name, sketch, column in pairs]
    p_values = adjusted(np.array([p for _, p, _ in found]))
    return tuple(
        ColumnDrift(**{**drift, "p": float(p)}, drifted=bool(gone or (p <= limits.level and large)))
        for (drift, _, (gone, large)), p in zip(found, p_values, strict=True)
    )


def _column(
    name: str, sketch: Sketch, column: Floats, limits: Limits
) -> tuple[dict[str, Any], float, tuple[bool, bool]]:
    """Figures of one column, its p-value, and whether it went missing and whether the change is large."""
    if np.isinf(column).any() or not column.size:
        raise NeuralError(
            f"The recent column {name} is empty or holds infinite values. Give finite ones, NaN if missing."
        )
    seen = column[~np.isnan(column)]
    missing = 1 - seen.size / column.size
    gone = missing - sketch.missing >= limits.least_missing
    told = {"name": name, "rows": int(seen.size), "missing": missing}
    if seen.size < FEWEST:
        if not gone:
            raise NeuralError(f"The recent column {name} has {seen.size} values. Give {FEWEST} or more.")
        return {**told, "distance": 0.0, "index": 0.0, "shift": 0.0}, 1.0, (True, False)
    before, recent = np.array(sketch.values), np.sort(seen)
    time = max(sketch.time, autocorrelation_time(seen))
    rows = max(sketch.rows / time, 1.0), max(seen.size / time, 1.0)
    distance = kolmogorov_smirnov(before, recent)
    index, bins = stability_index(before, recent)
    spread = max(float(before.std()), 1e-9 * max(1.0, abs(float(before.mean()))))
    shift = wasserstein(before, recent) / spread
    limit = max(limits.least_index, stability_limit(bins, *rows, limits.level))
    large = index >= limit or shift >= limits.least_shift
    figures = {**told, "distance": distance, "index": index, "shift": shift}
    return figures, kolmogorov_smirnov_p(distance, *rows), (gone, large)


def _reasons(columns: tuple[ColumnDrift, ...], errors: Watch | None, coverage: tuple[CoverageDrift, ...]) -> list[str]:
    reasons = [
        f"input {c.name} drifted by {c.shift:.2f} standard deviations (index {c.index:.2f}, {c.missing:.0%} missing)"
        for c in columns
        if c.drifted
    ]
    if errors is not None and errors.alarm is not None:
        reasons.append(f"errors rose from row {errors.began}, seen at row {errors.alarm}")
    reasons += [
        f"intervals of {c.level:.0%} cover {c.share:.1%}, fewer from row {c.watch.began}"
        for c in coverage
        if c.watch.alarm is not None
    ]
    return reasons
