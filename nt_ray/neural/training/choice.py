"""From settings to a training: recipe, panel, and the name under which the same training is found again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from nt_ray.config.sections import Data, Training
from nt_ray.market.bars import BarPanel
from nt_ray.market.files import bar_files
from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.traded import Unit
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.series.sources import Field, from_bars
from nt_ray.neural.training.recipe import Recipe

FIELDS: Final[Mapping[str, Field]] = {"close": "close", "log_close": "log_close", "returns": "return"}
UNITS: Final[Mapping[str, Unit]] = {"close": "close", "log_close": "log", "returns": "return"}


def recipe_of(settings: Training, model: str, values: Mapping[str, float], seed: int) -> Recipe:
    """Recipe of a network with these parameters (names or aliases) as the settings train it."""
    name = registry.find(model).name
    shared = Recipe.model_fields.keys() & Training.model_fields.keys()
    fields = {key: getattr(settings, key) for key in shared}
    if settings.solver == "ridge":
        fields["head"] = "mse"
    try:
        return Recipe(model=name, parameters=registry.parameters(name, values), seed=seed, **fields)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise NeuralError(f"neural.training: {first['msg'].removeprefix('Value error, ')}") from problem


def device_of(settings: Training) -> str:
    """Device that the settings train on: a GPU, which has to be there, or the CPU."""
    return "cuda" if settings.gpu else "cpu"


def panel_of(bars: BarPanel, settings: Training) -> SeriesPanel:
    """Panel of bars with the target and the inputs of the settings."""
    field, past, future = FIELDS[settings.target], settings.past, settings.future
    return from_bars(bars, field, past=past, future=future, ahead=settings.horizon)


def panel_for(bars: BarPanel, target: str, *signatures: Signature) -> SeriesPanel:
    """Panel of bars with this target and the inputs that trained networks take, as far ahead as they forecast."""
    past, future = (
        tuple(dict.fromkeys(n for s in signatures for n in getattr(s, kind))) for kind in ("past", "future")
    )
    return from_bars(bars, FIELDS[target], past=past, future=future, ahead=max(s.horizon for s in signatures))


def shards_key(data: Data, settings: Training) -> str:
    """Name of the shards of the data that settings name: another where a file, a choice or the number differs."""
    source = Path(data.source)
    files = bar_files(source) if source.is_dir() else [source] if source.is_file() else []
    told = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    chosen = (settings.target, settings.past, settings.future, settings.shards)
    words = (data.model_dump_json(), *chosen, str(source.absolute()), told)
    return hashlib.sha256(repr(words).encode()).hexdigest()[:16]


def workers_of(settings: Training) -> tuple[int, int]:
    """Least and most workers."""
    least, _, most = settings.workers.partition(":")
    return int(least), int(most or least)


def label_of(panel: SeriesPanel, recipe: Recipe) -> str:
    """Name of the training of a recipe on a panel: the same for the same, whoever trains it."""
    return label_by(panel.digest(), recipe)


def label_by(digest: str, recipe: Recipe) -> str:
    """Name of the training of a recipe on the data of this digest."""
    text = json.dumps({"recipe": recipe.model_dump(mode="json"), "data": digest}, sort_keys=True)
    return f"train-{recipe.model}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
