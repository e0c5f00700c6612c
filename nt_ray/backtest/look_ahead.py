"""Does something look ahead? The future is changed, and the past must stay as it was, bit for bit.

At several bars the bars from there on are cut off, perturbed or removed; everything that is computed from the
panel is computed anew and compared before that bar. This finds whatever reads the future of the panel it is
given: a step, a plain function, a column prepared over the whole panel. It cannot find a future that does not
come from the panel: an array frozen into compiled code stays what it was whatever is done to the panel, so
`frozen_arrays` lists those. A pass is evidence at the bars tried and no proof.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import Any, Final

import numpy as np
from numba import float64, int64, njit, types, void

from nt_ray.errors import BadInputError
from nt_ray.market.bars import CLOSE, VOLUME, BarPanel
from nt_ray.strategies.base import STEP_TYPE, Strategy
from nt_ray.strategies.fault import find_fault, located
from nt_ray.strategies.inputs import input_values
from nt_ray.types import FloatArray, IntArray

Outputs = Mapping[str, FloatArray]
"""What is computed from a panel, by name, each of T rows: row t may depend on bars up to t alone."""

Produce = Callable[[BarPanel], Outputs]

LARGEST_TABLE: Final = 64
"""Numbers in a constant array of a step that may pass for a table of the method and not for data."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The first place at which the past changed with the future."""

    field: str
    row: int
    time: str
    cut: int
    change: str
    before: float
    after: float

    def sentence(self) -> str:
        """Say it to a person."""
        return (
            f"{self.field} at bar {self.row} ({self.time}) is {self.before!r}, and {self.after!r} once "
            f"{self.change} from bar {self.cut} on. It knows what comes {self.cut - self.row} bar(s) later."
        )


def changes(panel: BarPanel, cut: int, seed: int = 0) -> Iterator[tuple[str, BarPanel]]:
    """Panels that differ from this one in bars from `cut` on alone, with what was done to those."""
    generator = np.random.Generator(np.random.Philox(key=[seed, cut]))
    yield "the bars are cut off", replace(panel, timestamps=panel.timestamps[:cut], values=panel.values[:cut].copy())
    values = panel.values.copy()
    rest = values[cut:]
    rest[:, :, :VOLUME] *= np.exp(generator.normal(0.0, 0.2, (len(rest), rest.shape[1], 1)))
    rest[:, :, VOLUME] *= np.exp(generator.normal(0.0, 1.0, rest.shape[:2]))
    rest[:, :, VOLUME + 1 :] = -2.0 * rest[:, :, VOLUME + 1 :] + generator.normal(0.0, 1.0, rest[:, :, 5:].shape)
    yield "the prices are perturbed", replace(panel, values=values)
    values = panel.values.copy()
    values[cut:] = np.nan
    yield "the prices are removed", replace(panel, values=values)


def first_leak(panel: BarPanel, produce: Produce, cuts: Sequence[int] | None = None, seed: int = 0) -> Leak | None:
    """Find the earliest bar at which an output changes with the future, or None.

    Parameters
    ----------
    panel
        T bars.
    produce
        Computes outputs from a panel, each with one row a bar; it is called anew for every change.
    cuts
        First bars of the futures that are changed; eight spread over the panel where None.
    seed
        Of the perturbation.
    """
    chosen = default_cuts(len(panel)) if cuts is None else sorted(cuts)
    if not chosen or not 1 <= chosen[0] <= chosen[-1] < len(panel):
        raise BadInputError(f"Cuts {chosen} do not all lie within 1 and {len(panel) - 1}. Give bars inside the panel.")
    base = {name: np.array(values, copy=True) for name, values in produce(panel).items()}
    for cut in chosen:
        for change, changed in changes(panel, cut, seed):
            leak = _difference(base, produce(changed), cut)
            if leak is not None:
                name, row, before, after = leak
                return Leak(name, row, panel.time(row).isoformat(), cut, change, before, after)
    return None


def default_cuts(bars: int) -> list[int]:
    """Eight bars spread over the panel, the last one among them."""
    if bars < 2:
        raise BadInputError(f"{bars} bar(s) have no past and future. Give at least 2.")
    return sorted({max(1, round((bars - 1) * share)) for share in np.linspace(0.3, 1.0, 8)})


def _difference(base: Outputs, other: Outputs, cut: int) -> tuple[str, int, float, float] | None:
    """Earliest difference before `cut` in the bits; NaN equals NaN."""
    first: tuple[str, int, float, float] | None = None
    for name, values in base.items():
        before = np.ascontiguousarray(values[:cut], dtype=np.float64).reshape(cut, -1)
        given = other.get(name)
        if given is None or len(given) < cut:
            raise BadInputError(f"{name!r} has fewer rows than bars once the future is changed. Give a row a bar.")
        after = np.ascontiguousarray(given[:cut], dtype=np.float64).reshape(cut, -1)
        if before.shape != after.shape:
            raise BadInputError(f"{name!r} changes its shape with the future. Give a row of one width a bar.")
        apart = (before.view(np.int64) != after.view(np.int64)) & ~(np.isnan(before) & np.isnan(after))
        if apart.any():
            row, column = (int(i) for i in np.argwhere(apart)[0])
            if first is None or row < first[1]:
                first = (name, row, float(before[row, column]), float(after[row, column]))
    return first


def strategy_outputs(strategy: Strategy, params: FloatArray, prepare: Callable[[BarPanel], BarPanel]) -> Produce:
    """What a strategy says and what it reads: targets and confidences of each symbol, and the prepared fields.

    `prepare` makes the panel that the strategy sees from the one that is changed: it adds the fields it reads.
    """

    def produce(panel: BarPanel) -> Outputs:
        seen = prepare(panel)
        fields = {f"field {name}": seen.field(name) for name in seen.fields if name not in panel.fields}
        return fields | votes(strategy, params, seen)

    return produce


def votes(strategy: Strategy, params: FloatArray, panel: BarPanel) -> dict[str, FloatArray]:
    """Targets and confidences of a strategy over each group of its width, (T,) each, by the group's symbols.

    Raises `StepError` with symbol, bar and value where the step raises or a vote on known closes is out of range.
    """
    values = input_values(strategy, panel)
    count = len(panel.instruments) // strategy.width
    result: dict[str, FloatArray] = {}
    for group in range(count):
        columns = np.arange(group * strategy.width, (group + 1) * strategy.width, dtype=np.int64)
        state = np.zeros(strategy.state_size(params))
        targets, confidences = np.zeros((len(panel), strategy.width)), np.zeros(len(panel))
        find = partial(find_fault, strategy, params, panel, [columns.tolist()])
        with located(find):
            _run(strategy.step, params, state, columns, values, targets, confidences)
        fault = find() if _nonsense(values[:, columns, CLOSE], targets, confidences) else None
        if fault is not None:
            raise fault
        names = [panel.symbols[c] for c in columns.tolist()]
        result |= {f"target of {name}": targets[:, i] for i, name in enumerate(names)}
        result[f"confidence of {'/'.join(names)}"] = confidences
    return result


def _nonsense(closes: FloatArray, targets: FloatArray, confidences: FloatArray) -> bool:
    """Whether a vote on a bar of known closes is none: (T, width), (T, width), (T,)."""
    known = np.isfinite(closes).all(axis=1)
    sure = (confidences >= 0.0) & (confidences <= 1.0)
    within = (np.abs(targets) <= 1.0).all(axis=1) | (confidences == 0.0)
    return bool((known & ~(sure & within)).any())


@njit(
    void(
        STEP_TYPE,
        float64[::1],
        float64[::1],
        int64[::1],
        types.Array(float64, 3, "C", readonly=True),
        float64[:, ::1],
        float64[::1],
    ),
    cache=True,
    nogil=True,
)
def _run(
    step: Any,
    params: FloatArray,
    state: FloatArray,
    columns: IntArray,
    values: FloatArray,
    targets: FloatArray,
    confidences: FloatArray,
) -> None:
    bar = np.empty((columns.shape[0], values.shape[2]))
    said = np.zeros(columns.shape[0])
    for t in range(values.shape[0]):
        for i in range(columns.shape[0]):
            bar[i] = values[t, columns[i]]
        confidences[t] = step(state, bar, params, said)
        targets[t] = said


def frozen_arrays(step: Any) -> list[str]:
    """Names of arrays of data that a step, or a function it calls, reads from its module or closure.

    Compiled code holds such an array as it was when it was compiled: with the future in it, if it has one.
    """
    found: list[str] = []
    pending, seen = [step], set[int]()
    while pending:
        called = pending.pop()
        function = getattr(called, "py_func", called)
        if not isinstance(function, FunctionType) or id(function) in seen:
            continue
        seen.add(id(function))
        for name, value in _read_by(function):
            if isinstance(value, np.ndarray | list | tuple) and _numbers(value) > LARGEST_TABLE:
                found.append(f"{function.__name__} reads {name} ({_numbers(value)} numbers)")
            elif hasattr(value, "py_func") or isinstance(value, FunctionType):
                pending.append(value)
    return sorted(found)


def _read_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Global names and closure cells that a function reads, attributes of modules among them."""
    names = function.__code__.co_names
    for name in names:
        value = function.__globals__.get(name)
        if value is not None:
            yield name, value
            if type(value).__name__ == "module":
                yield from ((f"{name}.{n}", getattr(value, n)) for n in names if hasattr(value, n))
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _numbers(value: Any) -> int:
    """Numbers in an array or in a sequence of numbers; 0 in one of other things."""
    if isinstance(value, np.ndarray):
        return int(value.size) if value.dtype.kind in "iufb" else 0
    return len(value) if all(isinstance(v, int | float) for v in value) else 0
