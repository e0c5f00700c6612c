"""A search for a network's parameters and its training: the space, and how a candidate is trained stage by stage.

A candidate is its stages: values, and the step up to which they trained. Values may change between stages where the
weights can stay (population based training). Stages are all that a candidate depends on, so that one of whom only
these are known is trained again to the same bits. Who chooses candidates is not known here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from nt_ray.backtest.assignment import assignments
from nt_ray.backtest.search.space import Choice, Domain, Span, Values, domain_of
from nt_ray.errors import StrategyError
from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel, unknown
from nt_ray.neural.training.closed_form import check_solvable
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training
from nt_ray.strategies.base import Parameter

FREE: Final = ("lr", "weight_decay", "clip")
"""Fields that may change while a network trains."""

LOOKBACK: Final = Parameter("lookback", 96, 1, 1_000_000, "Rows a window looks back.", integer=True)
TRAINED: Final = (
    Parameter("lr", 1e-3, 1e-8, 10.0, "Learning rate."),
    Parameter("weight_decay", 0.0, 0.0, 10.0, "Decoupled weight decay."),
    Parameter("clip", 1.0, 0.0, 1e6, "Largest norm of the gradient."),
    Parameter("batch", 64, 1, 1_000_000, "Windows of a step.", integer=True),
    LOOKBACK,
)
"""Fields of a recipe that can be searched beside the parameters of the network."""

PENALTY: Final = Parameter("penalty", 1.0, 1e-9, 1e9, "Penalty of ridge.")
SOLVED: Final = (PENALTY, LOOKBACK)
"""What can be searched where weights are solved in closed form, which no other field changes."""

DEFAULT: Final[Mapping[str, Domain]] = {"lr": Span(1e-4, 1e-2, log=True), "weight_decay": Span(1e-6, 1e-2, log=True)}
DEFAULT_SOLVED: Final[Mapping[str, Domain]] = {PENALTY.name: Span(1e-3, 1e3, log=True)}


@dataclass(frozen=True, slots=True)
class ModelSpace:
    """Domains of the searched values of one network."""

    base: Recipe
    domains: Mapping[str, Domain]

    def __post_init__(self) -> None:
        known = {p.name: p for p in searchable(self.base)}
        for name, domain in self.domains.items():
            if name not in known:
                raise NeuralError(unknown("parameter", name, tuple(known)))
            for end in domain.values if isinstance(domain, Choice) else domain.ends:
                try:
                    known[name].check(end)
                except StrategyError as error:
                    raise NeuralError(str(error)) from error

    def sample(self, seed: int, number: int) -> Values:
        """Candidate of this number, evenly from the space."""
        generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, number]))
        return {name: domain.at(float(generator.random())) for name, domain in self.domains.items()}

    def nearest(self, values: Mapping[str, float]) -> Values:
        """Candidate of the space nearest to `values`, parameter by parameter."""
        return {name: domain.nearest(values[name]) for name, domain in self.domains.items()}

    def recipe(self, values: Mapping[str, float]) -> Recipe:
        """Recipe of a candidate."""
        own = dict(values)
        fields: dict[str, Any] = {
            p.name: int(value) if p.integer else value for p in TRAINED if (value := own.pop(p.name, None)) is not None
        }
        if (penalty := own.pop(PENALTY.name, None)) is not None:
            fields["penalties"] = (penalty,)
        return self.base.model_copy(update={**fields, "parameters": {**self.base.parameters, **own}})


@dataclass(frozen=True, slots=True)
class Stage:
    """Values of a candidate, and the step up to which they train it."""

    values: Mapping[str, float]
    until: int


def searchable(recipe: Recipe) -> tuple[Parameter, ...]:
    """What can be searched of a network: fields of its training, then its own parameters; of a closed form its own."""
    return SOLVED if recipe.solver == "ridge" else (*TRAINED, *registry.find(recipe.model).parameters)


def parse_model_space(base: Recipe, texts: Sequence[str]) -> ModelSpace:
    """Read a space from texts such as `lr=1e-4:1e-2:log` or `hidden=32,64`; the solver's own where there are none."""
    solved = base.solver == "ridge"
    if solved:
        check_solvable(base, base.penalties)
    known = {name: p for p in searchable(base) for name in (p.name, *p.aliases)}
    domains: dict[str, Domain] = {}
    for name, terms in assignments(texts).items():
        if name not in known:
            hint = " The weights are solved in closed form, which nothing else changes." if solved else ""
            raise NeuralError(unknown("parameter", name, tuple(p.name for p in searchable(base))) + hint)
        domains[known[name].name] = domain_of(name, terms, known[name])
    return ModelSpace(base, domains or (DEFAULT_SOLVED if solved else DEFAULT))


def lineage(stages: Sequence[Stage], values: Mapping[str, float]) -> int:
    """Number that tells what a candidate was before it had these values; 0 where it always had them."""
    others = [stage for stage in stages if dict(stage.values) != dict(values)]
    if not others:
        return 0
    text = json.dumps([[sorted(stage.values.items()), stage.until] for stage in stages])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") + 1


def trained_through(panel: SeriesPanel, space: ModelSpace, stages: Sequence[Stage], device: str = "cpu") -> Training:
    """Train a candidate through its stages; to the same bits on the same device."""
    run = Training(panel, space.recipe(stages[0].values), device=device)
    run.run(until=stages[0].until)
    for before, stage in pairwise(stages):
        if dict(before.values) != dict(stage.values):
            with TemporaryDirectory() as place:
                run.save(Path(place) / "state")
                run = changed(panel, space, Path(place) / "state", stage.values, device)
        run.run(until=stage.until)
    return run


def changed(
    panel: SeriesPanel, space: ModelSpace, state: Path, values: Mapping[str, float], device: str = "cpu"
) -> Training:
    """Go on from a state with other values."""
    run = Training(panel, space.recipe(values), device=device)
    run.load(state, FREE)
    return run


def staged(space: ModelSpace, ends: Sequence[int], every: int) -> ModelSpace:
    """Space whose candidates validate each `every` steps and train up to the last of `ends`."""
    if not space.base.validation:
        raise NeuralError("A search chooses by validation, and validation = 0. Set neural.training.validation.")
    base = {"steps": ends[-1], "validate_every": every, "patience": 0}
    try:
        recipe = Recipe.model_validate({**space.base.model_dump(), **base})
    except ValueError as problem:
        raise NeuralError(f"{ends[-1]} steps are too few to search with ({problem}). Give more.") from problem
    return replace(space, base=recipe)
