"""Which columns of the bars a strategy's step sees: the five of every bar, then the extra fields it names.

Resolved by name before a run, so a field that is missing is an error that names it and never a wrong column.
"""

from collections.abc import Sequence

import numpy as np

from nt_ray.errors import StrategyError
from nt_ray.market.bars import FIELDS, BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray, IntArray


class MissingInputError(StrategyError):
    """The bars lack a field that the strategy reads."""

    code = "missing_input"

    def __init__(self, strategy: Strategy, missing: str, fields: Sequence[str]) -> None:
        has = f"Extra fields there are: {', '.join(fields)}" if fields else "There are no extra fields"
        super().__init__(
            f"{strategy.name} reads the field {missing!r}, which the bars do not have. {has}; add it with "
            f"BarPanel.with_field, or keep it when reading with data.extra = [{missing!r}]."
        )


def input_columns(strategy: Strategy, fields: Sequence[str]) -> IntArray:
    """Positions in the last axis of the bars of what the step sees, (5 + len(inputs),), int64.

    `fields` are the extra fields of the bars in their order, as `BarPanel.fields`.
    """
    missing = [name for name in strategy.inputs if name not in fields]
    if missing:
        raise MissingInputError(strategy, missing[0], fields)
    extra = [len(FIELDS) + list(fields).index(name) for name in strategy.inputs]
    return np.array([*range(len(FIELDS)), *extra], dtype=np.int64)


def input_values(strategy: Strategy, panel: BarPanel) -> FloatArray:
    """Bars as the step sees them, (T, N, 5 + len(inputs)), C-contiguous; the panel's own array where it fits."""
    columns = input_columns(strategy, panel.fields)
    if strategy.inputs == panel.fields:
        return panel.values
    return np.ascontiguousarray(panel.values[:, :, columns])
