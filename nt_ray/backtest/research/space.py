"""A grid of parameters: what a search may choose from.

A space is a mapping of parameter names to values. Combinations that a strategy refuses as senseless together are left
out; a value that is out of its range is an error.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Strategy, no_parameter
from nt_ray.types import FloatArray

MAX_CANDIDATES = 1_000_000


def candidates(strategy: Strategy, space: Mapping[str, Sequence[float]]) -> FloatArray:
    """Parameter vectors of every combination, shape (K, parameters), last name fastest.

    An empty space gives the defaults alone. Raises where a value is out of range or no combination makes sense.
    """
    size = 1
    for name, values in space.items():
        if len(values) == 0:
            raise ResearchError(f"Parameter {name} has no values. Give at least one.")
        size *= len(values)
    if size > MAX_CANDIDATES:
        raise ResearchError(f"The grid has {size:,} combinations. Use at most {MAX_CANDIDATES:,}.")
    _check_each(strategy, space)
    found = []
    refusal: StrategyError | None = None
    for combination in product(*space.values()):
        try:
            found.append(strategy.vector(dict(zip(space, combination, strict=True))))
        except StrategyError as error:
            refusal = error
    if not found:
        raise ResearchError(f"No combination of the grid makes sense: {refusal}")
    return np.unique(np.array(found), axis=0)


def as_mapping(strategy: Strategy, vector: FloatArray) -> dict[str, float]:
    """Names and values of a parameter vector."""
    return {p.name: float(v) for p, v in zip(strategy.parameters, vector, strict=True)}


def _check_each(strategy: Strategy, space: Mapping[str, Sequence[float]]) -> None:
    known = {name: p for p in strategy.parameters for name in (p.name, *p.aliases)}
    for name, values in space.items():
        if name not in known:
            raise StrategyError(no_parameter(strategy.name, name, strategy.parameters, strategy.foreign))
        for value in values:
            known[name].check(value)
