"""Where a strategy's step goes wrong: the symbol, the bar and the value, found by running the step once more.

Compiled kernels stop at a step that raises and no longer know where they were. A step depends on nothing but its bars,
so the same bars bring it to the same place: here they are given to it one by one. Costs nothing while all is well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.inputs import input_values
from nt_ray.types import FloatArray

MEND = "Mend the step, or leave these parameters out."


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
    states = [np.zeros(strategy.state_size(params)) for _ in groups]
    targets = np.zeros(strategy.width)
    for row in range(first, len(panel) if after is None else after):
        for group, state in zip(groups, states, strict=True):
            columns = list(group)
            bar = np.ascontiguousarray(values[row, columns])
            targets[:] = 0.0
            try:
                confidence = float(strategy.step(state, bar, params, targets))
            except Exception as error:  # noqa: BLE001 a strategy's own step may raise anything
                where = _place(panel, row, columns)
                return StepError(
                    f"{strategy.name}: the step raised {type(error).__name__} ({error}) for {where}. {MEND}"
                )
            fault = _fault(strategy, panel, row, columns, targets, confidence)
            if fault is not None:
                return fault
    return None


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
    strategy: Strategy, panel: BarPanel, row: int, columns: Sequence[int], targets: FloatArray, confidence: float
) -> StepError | None:
    """Error of a vote that is out of range, None where it is in it."""
    if not 0.0 <= confidence <= 1.0:
        return StepError(
            f"{strategy.name} gave the confidence {confidence:g} for {_place(panel, row, columns)}. "
            "A confidence must lie in [0, 1]; mend the step."
        )
    for column, target in zip(columns, targets.tolist(), strict=True):
        if confidence > 0.0 and not -1.0 <= target <= 1.0:
            return StepError(
                f"{strategy.name} gave the target {target:g} for {_place(panel, row, [column])}. "
                "A target must lie in [-1, 1]; mend the step."
            )
    return None
