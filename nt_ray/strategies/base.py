"""What a strategy is: documented parameters and one compiled `step`.

The same `step` drives the sweep kernel, the event simulator and the live agent. It sees one bar at a time, in
order, and keeps everything it remembers in a flat float64 state, so it cannot look ahead and costs the same on
the millionth bar as on the first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numba import float64, types

from nt_ray.errors import StrategyError
from nt_ray.types import FloatArray

STEP_SIGNATURE = float64(float64[::1], float64[:, ::1], float64[::1], float64[::1])
"""`confidence = step(state, bar, params, targets)`.

state    float64 (state_size,): zeros before the first bar; the step's whole memory.
bar      float64 (width, 5 + X): open, high, low, close, volume of each symbol, then the fields that
         `Strategy.inputs` names, in its order; NaN where unknown.
params   float64 (len(parameters),): in the order of `Strategy.parameters`.
targets  float64 (width,): written by the step, target exposure in [-1, 1] for each symbol.
returns  confidence in [0, 1]; 0 abstains (still warming up, or no valid model), whatever the targets say.
"""

STEP_TYPE = types.FunctionType(STEP_SIGNATURE)
"""First-class function type of a step: kernels that take it compile once for all strategies."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One documented parameter with its default and the range in which it makes sense (bounds included).

    `aliases` are further names under which a value may be given.
    """

    name: str
    default: float
    low: float
    high: float
    description: str
    integer: bool = False
    aliases: tuple[str, ...] = ()

    def check(self, value: float) -> float:
        """Return `value` as float, or raise with the range."""
        if not np.isfinite(value) or not self.low <= value <= self.high:
            raise StrategyError(f"Parameter {self.name}={value:g} is out of range. Use {self.low:g} to {self.high:g}.")
        if self.integer and value != int(value):
            raise StrategyError(f"Parameter {self.name}={value:g} must be a whole number.")
        return float(value)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A name that is used elsewhere for something that is measured differently here, or not at all.

    `remedy` says what to use instead. Where there is a true conversion, `convert(value, values)` gives the value of
    `parameter`, `values` being those of the other parameters.
    """

    name: str
    remedy: str
    parameter: str = ""
    convert: Callable[[float, Mapping[str, float]], float] | None = None


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy as data: name, documentation, parameters, width, state size and compiled step.

    `width` is the number of symbols one step looks at (1 for single-name strategies, 2 for pairs).
    `state_size` gives the length of the state for a parameter vector. `validate` may raise `StrategyError`
    for combinations of parameters that are each in range but make no sense together. `inputs` names the extra
    fields of the panel that the step reads, as `bar[:, 5]`, `bar[:, 6]` and so on. `foreign` are names of parameters
    from elsewhere that mean something else here.
    """

    name: str
    summary: str
    source: str
    parameters: tuple[Parameter, ...]
    width: int
    state_size: Callable[[FloatArray], int]
    step: Any
    aliases: tuple[str, ...] = ()
    validate: Callable[[Mapping[str, float]], None] | None = None
    inputs: tuple[str, ...] = ()
    foreign: tuple[Foreign, ...] = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Travel by name where a user's own file holds the strategy: another process has not imported that file."""
        from nt_ray.strategies import loader

        if loader.is_reference(self.name):
            return loader.load, (self.name,)
        return object.__reduce_ex__(self, protocol)

    def vector(self, values: Mapping[str, float] | None = None) -> FloatArray:
        """Parameter vector for `step`: defaults overridden by `values` (names or aliases), each checked."""
        full = checked_values(self.name, self.parameters, values or {}, self.foreign)
        if self.validate is not None:
            self.validate(full)
        return np.array([full[p.name] for p in self.parameters], dtype=np.float64)


def checked_values(
    owner: str, parameters: Sequence[Parameter], values: Mapping[str, float], foreign: Sequence[Foreign] = ()
) -> dict[str, float]:
    """Value of every parameter by its own name: defaults overridden by `values` (names or aliases), each checked."""
    names = {key: p.name for p in parameters for key in (p.name, *p.aliases)}
    converted = {f.name: f for f in foreign if f.convert is not None}
    given: dict[str, float] = {}
    for key, value in values.items():
        name = names.get(key) or (converted[key].parameter if key in converted else None)
        if name is None:
            raise StrategyError(no_parameter(owner, key, parameters, foreign))
        if name in given:
            raise StrategyError(f"{owner}: {name} is given twice, once as {key!r}. Give it once.")
        given[name] = value
    full = {p.name: given.get(p.name, p.default) for p in parameters}
    for key in values:
        other = converted.get(key)
        if other is not None and other.convert is not None:
            full[other.parameter] = other.convert(values[key], full)
    return {p.name: p.check(full[p.name]) for p in parameters}


def no_parameter(owner: str, name: str, parameters: Sequence[Parameter], foreign: Sequence[Foreign] = ()) -> str:
    """Sentence for a name that is none of a strategy's parameters, with what to use where that is known."""
    known = ", ".join(p.name for p in parameters) or "none"
    remedy = next((f"{f.remedy} " for f in foreign if f.name == name), "")
    return f"{owner} has no parameter {name!r}. {remedy}It has: {known}."
