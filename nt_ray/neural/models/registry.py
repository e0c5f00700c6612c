"""The networks there are, and how they are found by name and built.

A network's file is imported when it is asked for; an alias or a wrong name imports them all.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Final

from nt_ray.errors import StrategyError
from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.problems import NeuralError
from nt_ray.strategies.base import checked_values

NAMES: Final = (
    "lstm",
    "gru",
    "tcn",
    "transformer",
    "nbeats",
    "nhits",
    "deepar",
    "dlinear",
    "nlinear",
    "rlinear",
)
"""Each names a module of this package that holds `MODEL`."""


def find(name: str) -> Model:
    """Return the model of this name or alias, whatever its case, hyphens or blanks."""
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in NAMES:
        return _load(wanted)
    known = {key: model for model in every() for key in (model.name, *model.aliases)}
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=1, cutoff=0.0)
    raise NeuralError(f"Unknown model {name!r}; did you mean {near[0]!r}? There are: {', '.join(NAMES)}.")


def every() -> tuple[Model, ...]:
    """Return all models, in the order of `NAMES`."""
    return tuple(_load(name) for name in NAMES)


def parameters(name: str, values: Mapping[str, float] | None = None) -> dict[str, float]:
    """Value of every parameter of a model: its defaults overridden by `values` (names or aliases), each checked."""
    model = find(name)
    try:
        return checked_values(model.name, model.parameters, values or {})
    except StrategyError as error:
        raise NeuralError(str(error)) from error


def build(name: str, shape: Shape, values: Mapping[str, float] | None = None) -> Forecaster:
    """Build a network with fresh weights from torch's random state."""
    model = find(name)
    for kind in ("past", "future", "static"):
        given = getattr(shape, kind)
        if given and kind not in model.inputs:
            able = ", ".join(other.name for other in every() if kind in other.inputs)
            raise NeuralError(
                f"{model.name} takes no {kind} inputs, and {given} are given. Leave them out or use {able}."
            )
    return model.build(shape, parameters(name, values))


@cache
def _load(name: str) -> Model:
    model: Model = import_module(f"nt_ray.neural.models.{name}").MODEL
    return model
