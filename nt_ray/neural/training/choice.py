"""From settings to a training: recipe, panel, and the name under which the same training is found again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from nt_ray.config.sections import Training
from nt_ray.market.bars import BarPanel
from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.traded import Unit
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.sources import Field, from_bars
from nt_ray.neural.training.recipe import Recipe

FIELDS: Final[Mapping[str, Field]] = {"close": "close", "log_close": "log_close", "returns": "return"}
UNITS: Final[Mapping[str, Unit]] = {"close": "close", "log_close": "log", "returns": "return"}


def recipe_of(settings: Training, model: str, values: Mapping[str, float], seed: int) -> Recipe:
    """Recipe of a network with these parameters (names or aliases) as the settings train it."""
    name = registry.find(model).name
    shared = Recipe.model_fields.keys() & Training.model_fields.keys()
    fields = {key: getattr(settings, key) for key in shared}
    try:
        return Recipe(model=name, parameters=registry.parameters(name, values), seed=seed, **fields)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise NeuralError(f"neural.training: {first['msg'].removeprefix('Value error, ')}") from problem


def panel_of(bars: BarPanel, settings: Training) -> SeriesPanel:
    """Panel of bars with the target of the settings."""
    return from_bars(bars, FIELDS[settings.target])


def workers_of(settings: Training) -> tuple[int, int]:
    """Least and most workers."""
    least, _, most = settings.workers.partition(":")
    return int(least), int(most or least)


def label_of(panel: SeriesPanel, recipe: Recipe) -> str:
    """Name of the training of a recipe on a panel: the same for the same, whoever trains it."""
    text = json.dumps({"recipe": recipe.model_dump(mode="json"), "data": panel.digest()}, sort_keys=True)
    return f"train-{recipe.model}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
