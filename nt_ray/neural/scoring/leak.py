"""The leak test: change everything after an origin, and what was made at or before it must stay, bit for bit.

A pipeline is any function from a panel to dated outputs: features, scales, weights, forecasts, each row with the row of
the panel by which everything in it was known. At several origins the values after them are disturbed, multiplied and
removed; the pipeline runs anew and its outputs up to the origin are compared. Inputs that are known in advance stay as
they are. A pass is evidence at the origins tried and no proof; a future that does not come from the panel (weights
trained elsewhere on these very rows) is not seen.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.evaluation import Plan, fold_origins, walk_forward
from nt_ray.neural.scoring.intervals import interval_of, quantiles_of
from nt_ray.neural.scoring.method import Fitted, Forecasts, Method
from nt_ray.neural.scoring.naive import truth_at
from nt_ray.neural.scoring.scoreboard import Terms
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.philox import generator
from nt_ray.types import BoolArray, FloatArray, IntArray

STREAM = 22
REMOVED: Final = "removed"
CHANGES: Final = ("disturbed", "multiplied", REMOVED)
"""What is done to the values after an origin."""


class Dated(NamedTuple):
    """An output of R entries and when each was known."""

    rows: IntArray
    """(R,) row of the panel: entry i may depend on rows up to and including rows[i] alone."""
    values: FloatArray
    """(R, ...)."""


Produce = Callable[[SeriesPanel], Mapping[str, Dated]]


@dataclass(frozen=True, slots=True)
class Leak:
    """The first entry of an output that changed with its future."""

    output: str
    row: int
    time: str
    origin: int
    change: str
    before: float
    after: float
    entries: int
    """Numbers of this output at or before the origin that changed."""

    def sentence(self) -> str:
        """Say it to a person."""
        return (
            f"{self.output} of row {self.row} ({self.time}) is {self.before!r}, and {self.after!r} once {self.change} "
            f"after row {self.origin}; {self.entries} of its numbers changed. It knows what comes later: compute it "
            "from rows up to its own, and fit scales on training rows alone."
        )


class LeakError(NeuralError):
    """A pipeline that knows the future."""

    code = "neural_leak"

    def __init__(self, leaks: Sequence[Leak]) -> None:
        super().__init__(" ".join(leak.sentence() for leak in leaks))
        self.leaks = tuple(leaks)


def changed_futures(
    panel: SeriesPanel, origin: int, seed: int = 0, changes: Collection[str] = CHANGES
) -> Iterator[tuple[str, SeriesPanel]]:
    """Panels that differ from this one after row `origin` alone, with what was done to that future."""
    rng = generator(seed, STREAM, origin)
    known: Mapping[str, Callable[[FloatArray], FloatArray]] = {
        "disturbed": lambda v: v + rng.normal(0.0, 1.0, v.shape) * _size(v),
        "multiplied": lambda v: -100.0 * v + 50.0,
        REMOVED: lambda v: np.full(v.shape, np.nan),
    }
    for name in changes:
        target, past = (_after(values, origin, known[name]) for values in (panel.target, panel.past))
        yield f"the values are {name}", replace(panel, target=target, past=past)


def find_leaks(
    panel: SeriesPanel,
    produce: Produce,
    origins: Sequence[int] | None = None,
    seed: int = 0,
    changes: Collection[str] = CHANGES,
) -> tuple[Leak, ...]:
    """Find what a pipeline knows too early: the earliest changed entry of each output that leaks.

    Parameters
    ----------
    panel
        T rows.
    produce
        Runs the pipeline; called anew for every changed future, so it must not keep what it fitted on another panel.
    origins
        Rows after which the future is changed; six spread over the last two thirds where None.
    """
    chosen = default_origins(len(panel)) if origins is None else sorted(origins)
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(panel) - 1:
        raise NeuralError(f"Origins {chosen} do not all have a future in {len(panel)} rows. Give rows before the last.")
    base = {name: Dated(d.rows.copy(), np.array(d.values, copy=True)) for name, d in produce(panel).items()}
    found: dict[str, Leak] = {}
    for origin in chosen:
        for change, changed in changed_futures(panel, origin, seed, changes):
            for leak in _compare(panel, base, produce(changed), origin, change):
                known = found.get(leak.output)
                if known is None or leak.row < known.row:
                    found[leak.output] = leak
    return tuple(found[name] for name in base if name in found)


def refuse_leaks(panel: SeriesPanel, produce: Produce, origins: Sequence[int] | None = None, seed: int = 0) -> None:
    """Raise `LeakError` naming every output that leaks and its row; return where none does."""
    leaks = find_leaks(panel, produce, origins, seed)
    if leaks:
        raise LeakError(leaks)


def default_origins(rows: int) -> list[int]:
    """Six rows spread over the last two thirds of the panel, each with a future."""
    if rows < 2:
        raise NeuralError(f"{rows} row(s) have no past and future. Give at least 2.")
    return sorted({int(r) for r in np.linspace(rows // 3, rows - 2, 6)})


def evaluated(method: Method, plan: Plan, terms: Terms | None = None) -> Produce:
    """Pipeline of a whole walk-forward: means and quantiles, dated by their origins, and the state of the first fit.

    With `terms` the intervals and quantiles too that these make of the forecasts, as they learn from errors on the way.
    """

    def produce(panel: SeriesPanel) -> Mapping[str, Dated]:
        made = walk_forward(panel, method, plan)
        split, _ = fold_origins(len(panel), method.horizon, plan)[0]
        until = int(split.train[-1])
        first = method.fit(panel.rows(int(split.train[0]), until + 1), plan.seeds[0], None)
        outputs = dict(_state(first, until))
        for seed, forecasts in zip(made.seeds, made.forecasts, strict=True):
            outputs |= _forecasts(panel, f"seed {seed}: ", forecasts)
            if terms is not None:
                outputs |= _learned(panel, f"seed {seed}: ", forecasts, terms)
        return outputs

    return produce


def predicted(fitted: Fitted, origins: IntArray) -> Produce:
    """Pipeline of a predictor that is fitted already: its forecasts, dated by their origins."""

    def produce(panel: SeriesPanel) -> Mapping[str, Dated]:
        return _forecasts(panel, "", fitted.forecast(panel, origins))

    return produce


def _forecasts(panel: SeriesPanel, whose: str, made: Forecasts) -> dict[str, Dated]:
    outputs = _by_series(panel, f"{whose}forecast", made.origins, made.mean)
    if made.quantiles is not None:
        outputs |= _by_series(panel, f"{whose}quantiles", made.origins, made.quantiles)
    return outputs


def _learned(panel: SeriesPanel, whose: str, made: Forecasts, terms: Terms) -> dict[str, Dated]:
    """Intervals and quantiles that learn from the errors of forecasts, dated by their origins."""
    truth = truth_at(panel.target, made.origins, made.mean.shape[2])
    moved = quantiles_of(made, truth, terms.levels, terms.calibration)
    outputs = _by_series(panel, f"{whose}scored quantiles", made.origins, moved)
    for share in terms.coverages:
        bounds = interval_of(made, truth, share, terms.calibration)
        ends = np.stack([bounds.low, bounds.high], axis=-1)
        outputs |= _by_series(panel, f"{whose}{share:.0%} interval", made.origins, ends)
    return outputs


def _by_series(panel: SeriesPanel, what: str, origins: IntArray, values: FloatArray) -> dict[str, Dated]:
    return {f"{what} of {name}": Dated(origins, values[s]) for s, name in enumerate(panel.names)}


def _state(fitted: Fitted, until: int) -> Iterator[tuple[str, Dated]]:
    for name, values in fitted.state().items():
        yield name, Dated(np.array([until], dtype=np.int64), np.asarray(values, dtype=np.float64)[None])


def _after(values: FloatArray, origin: int, change: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Copy of values (S, T, ...) with a change of the rows after `origin`."""
    if not values.size:
        return values
    result = values.copy()
    result[:, origin + 1 :] = change(values[:, origin + 1 :])
    return result


def _size(values: FloatArray) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.mean()) + 1.0 if known.size else 1.0


def _flat_shape(values: FloatArray, rows: BoolArray) -> tuple[int, int]:
    """Rows that are chosen, and numbers of each; told apart from each other also where there is none of either."""
    return int(rows.sum()), int(np.prod(values.shape[1:]))


def _compare(
    panel: SeriesPanel, base: Mapping[str, Dated], other: Mapping[str, Dated], origin: int, change: str
) -> Iterator[Leak]:
    for name, (rows, values) in base.items():
        given = other.get(name)
        if given is None or not np.array_equal(given.rows, rows) or given.values.shape != values.shape:
            raise NeuralError(f"{name!r} has other rows once the future is changed. Give the same rows for any values.")
        past = rows <= origin
        before = np.ascontiguousarray(values[past], dtype=np.float64).reshape(_flat_shape(values, past))
        after = np.ascontiguousarray(given.values[past], dtype=np.float64).reshape(before.shape)
        apart = (before.view(np.int64) != after.view(np.int64)) & ~(np.isnan(before) & np.isnan(after))
        if apart.any():
            entry, column = (int(i) for i in np.argwhere(apart)[int(np.argmin(rows[past][np.nonzero(apart)[0]]))])
            row = int(rows[past][entry])
            time = str(panel.times[row])
            pair = float(before[entry, column]), float(after[entry, column])
            yield Leak(name, row, time, origin, change, *pair, int(apart.sum()))
