"""Where a strategy's step goes wrong: the symbol, the bar and the value, found by running the step once more.

Compiled kernels stop at a step that raises and no longer know where they were. A step depends on nothing but its bars,
so the same bars bring it to the same place: here they are given to it once more. Costs nothing while all is well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numba import float64, int64, njit, types
from numba.core.dispatcher import Dispatcher

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.strategies.base import STEP_TYPE, Strategy
from nt_ray.strategies.inputs import input_values
from nt_ray.types import FloatArray, IntArray

MEND: Final = "Mend the step, or leave these parameters out."

_FINE, _BAD_CONFIDENCE, _BAD_TARGET = range(3)


class StepError(StrategyError):
    """A step that raised, or said what is no vote."""

    code = "strategy_step"


def find_fault(
    strategy: Strategy,
    params: FloatArray,
    panel: BarPanel,
    groups: Sequence[Sequence[int]],
    *,
    first: int = 0,
    after: int | None = None,
) -> StepError | None:
    """Return the first fault of a step, by bar and then by group; None where it has none.

    Parameters
    ----------
    params
        `strategy.vector(...)`.
    groups
        Columns of the panel, `strategy.width` to a group; each group has a state of its own.
    first, after
        The step sees rows first..after-1; all that follow where `after` is None.
    """
    values = input_values(strategy, panel)
    # A compiled step takes arrays it could write to; what comes from a cluster's memory is none.
    params = np.array(params, dtype=np.float64)
    walk = _walk if isinstance(strategy.step, Dispatcher) else _walk.py_func
    found: StepError | None = None
    stop = len(panel) if after is None else after
    for group in groups:
        at, said = np.array([first, 0]), np.zeros(1)
        state = np.zeros(strategy.state_size(params))
        columns = np.array(group, dtype=np.int64)
        try:
            kind = walk(strategy.step, values, columns, params, state, first, stop, at, said)
        except Exception as error:  # noqa: BLE001 a strategy's own step may raise anything
            reason = f"the step raised {type(error).__name__} ({error}) for {_place(panel, int(at[0]), group)}. {MEND}"
            fault = StepError(f"{strategy.name}: {reason}")
        else:
            if kind == _FINE:
                continue
            fault = _fault(strategy, panel, int(at[0]), group, int(at[1]), kind, float(said[0]))
        # Only an earlier bar of a later group comes before this one.
        found, stop = fault, int(at[0])
    return found


@njit(
    int64(
        STEP_TYPE, types.Array(float64, 3, "C", readonly=True), int64[::1], float64[::1], float64[::1], int64, int64,
        int64[::1], float64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _walk(
    step: Any,
    values: FloatArray,
    columns: IntArray,
    params: FloatArray,
    state: FloatArray,
    first: int,
    stop: int,
    at: IntArray,
    said: FloatArray,
) -> int:
    """Let a step see rows `first` to `stop` - 1; return what is wrong with its first bad vote.

    `at` is where it is, row and place in the group, also where the step raises; `said` takes the bad number.
    """
    width, fields = columns.shape[0], values.shape[2]
    bar, targets = np.empty((width, fields)), np.empty(width)
    for row in range(first, stop):
        at[0] = row
        for i in range(width):
            for f in range(fields):
                bar[i, f] = values[row, columns[i], f]
        targets[:] = 0.0
        confidence = step(state, bar, params, targets)
        if not 0.0 <= confidence <= 1.0:
            said[0] = confidence
            return _BAD_CONFIDENCE
        for i in range(width):
            if confidence > 0.0 and not -1.0 <= targets[i] <= 1.0:
                at[1], said[0] = i, targets[i]
                return _BAD_TARGET
    return _FINE


@contextmanager
def located(find: Callable[[], StepError | None]) -> Iterator[None]:
    """Turn what a step raises in compiled code into the fault that `find` finds, or let it pass where it finds none."""
    failure: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 a strategy's own step may raise anything
        failure = error
    if failure is not None:
        raise find() or failure


def _place(panel: BarPanel, row: int, columns: Sequence[int]) -> str:
    """Symbols, time, number and closes of a bar."""
    symbols = "/".join(panel.symbols[c] for c in columns)
    closes = "/".join(f"{panel.values[row, c, CLOSE]:g}" for c in columns)
    return f"{symbols} at {panel.time(row).isoformat()} (bar {row}, close {closes})"


def _fault(
    strategy: Strategy, panel: BarPanel, row: int, group: Sequence[int], place: int, kind: int, value: float
) -> StepError:
    """Error of a vote that is out of range."""
    what, low = ("confidence", 0) if kind == _BAD_CONFIDENCE else ("target", -1)
    columns = group if kind == _BAD_CONFIDENCE else [group[place]]
    return StepError(
        f"{strategy.name} gave the {what} {value:g} for {_place(panel, row, columns)}. "
        f"A {what} must lie in [{low}, 1]; mend the step."
    )
