"""The networks there are, and how they are found by name and built.

Names that are joined by a plus, such as dlinear+lstm, are an ensemble of these: a network like any other, whose
parameters are its members' with the member's name before them, as in lstm.hidden. A network's file is imported when it
is asked for; an alias or a wrong name imports them all.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from typing import Final

from nt_ray.errors import StrategyError
from nt_ray.neural.ensemble import Ensemble
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
JOINT: Final = "+"
KINDS: Final = ("past", "future", "static")


def find(name: str) -> Model:
    """Return the model of this name or alias, whatever its case, hyphens or blanks."""
    if JOINT in name:
        return _together(tuple(find(part) for part in name.split(JOINT)))
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
    for kind in KINDS:
        given = getattr(shape, kind)
        if given and kind not in model.inputs:
            able = ", ".join(other.name for other in every() if kind in other.inputs)
            raise NeuralError(
                f"{model.name} takes no {kind} inputs, and {given} are given. Leave them out or use {able}."
            )
    return model.build(shape, parameters(name, values))


def _together(members: tuple[Model, ...]) -> Model:
    """Ensemble of models as a model."""
    inputs = tuple(kind for kind in KINDS if any(kind in member.inputs for member in members))
    return Model(
        name=JOINT.join(member.name for member in members),
        summary=f"Mean of {', '.join(member.name for member in members)}.",
        source="Lichtendahl et al. (2013)",
        parameters=tuple(
            replace(p, name=f"{member.name}.{p.name}", aliases=tuple(f"{member.name}.{alias}" for alias in p.aliases))
            for member in dict.fromkeys(members)
            for p in member.parameters
        ),
        build=partial(_build_together, members),
        inputs=inputs,
    )


def _build_together(members: tuple[Model, ...], shape: Shape, values: Mapping[str, float]) -> Forecaster:
    """Network of an ensemble, whose outputs its members share evenly; each gets the inputs that it takes."""
    each = shape.outputs // len(members)
    networks = []
    for member in members:
        widths = {kind: getattr(shape, kind) if kind in member.inputs else 0 for kind in KINDS}
        own = {p.name: values[f"{member.name}.{p.name}"] for p in member.parameters}
        networks.append(member.build(replace(shape, outputs=each, **widths), own))
    return Ensemble(networks)


@cache
def _load(name: str) -> Model:
    model: Model = import_module(f"nt_ray.neural.models.{name}").MODEL
    return model
