"""A grid of parameters: what a search may choose from.

A space is a mapping of parameter names to values. `parse_space` reads the form of the command line,
`lookback=20:200:20` (both ends included) or `entry=0.5,1,1.5`. Combinations that a strategy refuses as senseless
together are left out; a value that is out of its range is an error.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray

MAX_CANDIDATES = 1_000_000


def parse_space(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Read NAME=LOW:HIGH:STEP, NAME=A,B,C or NAME=A; steps are counted in decimals, so no end is lost."""
    space: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not name or not values:
            raise ResearchError(f"--param {text} has no NAME=VALUES form. Write it like lookback=20:200:20.")
        if name in space:
            raise ResearchError(f"--param names {name} twice. Join its values with commas.")
        space[name] = _values(text, values)
    return space


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
            listed = ", ".join(p.name for p in strategy.parameters)
            raise StrategyError(f"{strategy.name} has no parameter {name!r}. It has: {listed}.")
        for value in values:
            known[name].check(value)


def _values(text: str, values: str) -> tuple[float, ...]:
    try:
        if ":" not in values:
            return tuple(float(_number(v)) for v in values.split(","))
        low, high, step = (_number(v) for v in values.split(":"))
    except (InvalidOperation, ValueError):
        raise ResearchError(
            f"--param {text} cannot be read. Write NAME=LOW:HIGH:STEP or NAME=A,B,C with plain numbers."
        ) from None
    if step <= 0 or high < low:
        raise ResearchError(f"--param {text} runs nowhere. Give LOW not above HIGH and a STEP above zero.")
    count = int((high - low) / step) + 1
    if count > MAX_CANDIDATES:
        raise ResearchError(f"--param {text} has {count:,} values. Use at most {MAX_CANDIDATES:,}.")
    return tuple(float(low + i * step) for i in range(count))


def _number(text: str) -> Decimal:
    value = Decimal(text.strip())
    if not value.is_finite():
        raise ValueError(text)
    return value
