"""What a measure is: a function of the evidence with a name, a unit and a source; its docstring is its convention."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

from nt_ray.backtest.measures.evidence import Evidence

FRACTION = "fraction"
"""0.05 is five percent."""
RATIO = "ratio"
BARS = "bars"
COUNT = "count"
MONEY = "money"
PROBABILITY = "probability"

Function = Callable[[Evidence], float | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; call it with evidence. None is undefined, never infinite and never NaN."""

    name: str
    title: str
    unit: str
    convention: str
    source: str
    function: Function

    def __call__(self, evidence: Evidence) -> float | None:
        """Measure the evidence."""
        value = self.function(evidence)
        return None if value is None or not math.isfinite(value) else float(value)


def measured(title: str, unit: str, source: str = "") -> Callable[[Function], Measure]:
    """Make a measure of a function: its name is the function's, its convention the docstring."""

    def wrap(function: Function) -> Measure:
        convention = " ".join(inspect.cleandoc(function.__doc__ or "").split())
        return Measure(function.__name__, title, unit, convention, source, function)

    return wrap
