"""Spaces of parameters: grids and random draws, by number, so that no space need ever lie in memory as a whole.

Combination i of a space is the same on every machine and for every chunk size. Parameters that a space does not name
keep their defaults. Names and ranges are checked when the space meets a strategy; combinations whose parameters make
no sense together are left to the sweep, which reports them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nt_ray.backtest.assignment import MOST_VALUES, grids
from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Parameter, Strategy, no_parameter
from nt_ray.types import FloatArray


class SweepError(StrategyError):
    """A space that cannot be swept, or a sweep that does not fit."""

    code = "sweep"


class Space(Protocol):
    """Combinations of parameter values, counted from 0."""

    def size(self, strategy: Strategy) -> int:
        """How many combinations there are for a strategy; raises where a name or a value does not fit it."""
        ...

    def rows(self, strategy: Strategy, first: int, last: int) -> FloatArray:
        """Parameter vectors of combinations `first` to `last - 1`, (last - first, parameters)."""
        ...

    def facts(self) -> dict[str, object]:
        """What the space is, as JSON can hold it."""
        ...


@dataclass(frozen=True)
class Grid:
    """Every combination of the given values; the last name changes fastest.

    A name is a parameter or one of its aliases; its values are numbers, each once.
    """

    values: Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        plain = {name: _plain(name, values) for name, values in self.values.items()}
        if not plain:
            raise SweepError("The grid names no parameter. Give at least one, such as lookback=20:200:20.")
        object.__setattr__(self, "values", plain)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Grid":
        """Read `name=1,2,3` and `name=low:high:step` (both ends included where the steps hit them)."""
        return cls(grids(texts))

    def size(self, strategy: Strategy) -> int:
        """Product of the numbers of values."""
        self._columns(strategy)
        return math.prod(len(v) for v in self.values.values())

    def rows(self, strategy: Strategy, first: int, last: int) -> FloatArray:
        """Vectors of combinations `first` to `last - 1`."""
        result = np.tile([p.default for p in strategy.parameters], (last - first, 1)).astype(np.float64)
        number = np.arange(first, last)
        for column, values in reversed(self._columns(strategy)):
            result[:, column] = values[number % len(values)]
            number = number // len(values)
        return result

    def facts(self) -> dict[str, object]:
        """Values by name."""
        return {"grid": {name: list(values) for name, values in self.values.items()}}

    def _columns(self, strategy: Strategy) -> list[tuple[int, FloatArray]]:
        columns = [(_column(strategy, name), np.array(values)) for name, values in self.values.items()]
        twice = {c for c, _ in columns if [k for k, _ in columns].count(c) > 1}
        if twice:
            name = strategy.parameters[min(twice)].name
            raise SweepError(f"{strategy.name}: {name} is swept under two names. Name it once.")
        for column, values in columns:
            for value in values.tolist():
                strategy.parameters[column].check(value)
        return columns


@dataclass(frozen=True)
class Random:
    """Seeded draws: from a grid without repetition, or from the whole range of every parameter.

    Draws over ranges are uniform (whole numbers where the parameter is one); a draw whose parameters make no sense
    together is drawn anew. Give names to draw only these.
    """

    count: int
    seed: int
    over: Grid | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_VALUES:
            raise SweepError(f"{self.count} random draws are not possible. Ask for 1 to {MOST_VALUES}.")
        if self.seed < 0:
            raise SweepError(f"Seed {self.seed} is negative. Give a whole number from 0.")

    def size(self, strategy: Strategy) -> int:
        """Number of draws; all of a grid that has fewer."""
        if self.over is not None:
            return min(self.count, self.over.size(strategy))
        self._drawn(strategy)
        return self.count

    def rows(self, strategy: Strategy, first: int, last: int) -> FloatArray:
        """Vectors of draws `first` to `last - 1`."""
        if self.over is None:
            return self._ranges(strategy)[first:last]
        total = self.over.size(strategy)
        chosen = np.sort(np.random.default_rng(self.seed).choice(total, min(self.count, total), replace=False))
        rows = [self.over.rows(strategy, int(i), int(i) + 1) for i in chosen[first:last]]
        return np.concatenate(rows) if rows else np.zeros((0, len(strategy.parameters)))

    def facts(self) -> dict[str, object]:
        """Count, seed and what is drawn from."""
        over = self.over.facts() if self.over is not None else {"names": list(self.names)}
        return {"random": self.count, "seed": self.seed, **over}

    def _drawn(self, strategy: Strategy) -> list[int]:
        return [_column(strategy, name) for name in self.names] or list(range(len(strategy.parameters)))

    def _ranges(self, strategy: Strategy) -> FloatArray:
        generator = np.random.default_rng(self.seed)
        columns = self._drawn(strategy)
        result = np.tile([p.default for p in strategy.parameters], (self.count, 1)).astype(np.float64)
        for row in result:
            for _ in range(100):
                for column in columns:
                    row[column] = _draw(strategy.parameters[column], generator)
                if refusal(strategy, row) is None:
                    break
        return result


def refusal(strategy: Strategy, vector: FloatArray) -> str | None:
    """Why the parameters of a vector make no sense together; None where they do."""
    if strategy.validate is None:
        return None
    try:
        strategy.validate({p.name: float(v) for p, v in zip(strategy.parameters, vector, strict=True)})
    except StrategyError as error:
        return str(error)
    return None


def _draw(parameter: Parameter, generator: np.random.Generator) -> float:
    if parameter.integer:
        return float(generator.integers(int(parameter.low), int(parameter.high), endpoint=True))
    return float(generator.uniform(parameter.low, parameter.high))


def _column(strategy: Strategy, name: str) -> int:
    for column, parameter in enumerate(strategy.parameters):
        if name in (parameter.name, *parameter.aliases):
            return column
    raise SweepError(no_parameter(strategy.name, name, strategy.parameters, strategy.foreign))


def _plain(name: str, values: Sequence[float]) -> tuple[float, ...]:
    plain = tuple(float(v) for v in values)
    if not plain:
        raise SweepError(f"Parameter {name!r} has no values. Give at least one.")
    if len(plain) > MOST_VALUES:
        raise SweepError(f"Parameter {name!r} has {len(plain)} values. Use at most {MOST_VALUES}.")
    if not np.isfinite(plain).all():
        raise SweepError(f"Parameter {name!r} has a value that is not finite. Give numbers.")
    if len(set(plain)) != len(plain):
        twice = next(v for v in plain if plain.count(v) > 1)
        raise SweepError(f"Parameter {name!r} has the value {twice:g} twice. Give each value once.")
    return plain
