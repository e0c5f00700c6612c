"""A search for a network's parameters in one process: candidates drawn evenly, each trained, ranked by validation.

The same settings and ranges draw the same candidates and train them to the same bits, so the folder is named by them.
It holds a table of the candidates and the summary; the best one is not kept as a model, since `train` makes it again.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from nt_ray.config import Settings
from nt_ray.errors import StorageError
from nt_ray.trader.data import load_bars
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.jobs.spec import Search
from nt_ray.trader.run_owners import claim

if TYPE_CHECKING:
    from nt_ray.neural.series.panel import SeriesPanel
    from nt_ray.neural.training.recipe import Recipe
    from nt_ray.neural.training.search import ModelSpace
    from nt_ray.neural.training.training import Progress

TABLE: Final = "candidates.parquet"
GOAL: Final = "validation_loss"
VALIDATIONS: Final = 5
"""Times that a candidate is validated at least while it trains."""

OnStep = Callable[[int, int], None]
"""Takes steps of training done and steps in all, over all candidates; what it raises ends the search."""


def space_of_search(settings: Settings, spec: Search) -> "ModelSpace":
    """Space that a search draws from; raises where a range fits no parameter of the network."""
    from nt_ray.neural.training.choice import recipe_of
    from nt_ray.neural.training.search import parse_model_space, staged

    recipe = recipe_of(settings.neural.training, spec.model, {}, settings.seed)
    ranges = [f"{name}={low!r}:{high!r}" for name, (low, high) in spec.ranges.items()]
    return staged(parse_model_space(recipe, ranges), (recipe.steps,), max(1, recipe.steps // VALIDATIONS))


def search_model(settings: Settings, spec: Search, on_step: OnStep) -> dict[str, Any]:
    """Draw, train and rank; return the summary that it leaves in its folder."""
    from nt_ray.neural.training.choice import panel_of
    from nt_ray.neural.training.device import on_threads

    chosen, space = settings.neural.training, space_of_search(settings, spec)
    panel = panel_of(load_bars(settings.data), chosen)
    steps, began = space.base.steps, time.perf_counter()
    rows: list[dict[str, Any]] = []
    with on_threads(chosen.threads):
        for number in range(spec.trials):
            values = space.sample(settings.seed, number)
            told = _Told(on_step, number * steps, spec.trials * steps)
            found = _trained(panel, space.recipe(values), told)
            rows.append({"trial": number, **values, **found})
    table = pl.DataFrame(rows, infer_schema_length=None).sort(GOAL, "trial", nulls_last=True)
    summary = {
        "model": space.base.model,
        "data": settings.data.source,
        "series": list(panel.names),
        "goal": GOAL,
        "trials": spec.trials,
        "steps": steps,
        "parameters": list(space.domains),
        "candidates": table.to_dicts(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return _kept(settings, f"{panel.digest()}{space.base.model_dump_json()}{spec.model_dump_json()}", table, summary)


@dataclass(frozen=True, slots=True)
class _Told:
    """Tells of one candidate as part of all."""

    on_step: OnStep
    before: int
    total: int

    def __call__(self, progress: "Progress") -> None:
        self.on_step(self.before + progress.step, self.total)


def _trained(panel: "SeriesPanel", recipe: "Recipe", on_step: "Callable[[Progress], None]") -> dict[str, Any]:
    """Best validation of a candidate, or why it has none: one whose loss runs off stops no other."""
    from nt_ray.neural.problems import NeuralError
    from nt_ray.neural.training.training import Training

    try:
        run = Training(panel, recipe)
        run.run(on_step=on_step)
    except NeuralError as error:
        return {GOAL: None, "error": str(error)}
    return {GOAL: float(run.best.loss), "error": None}


def _kept(settings: Settings, identity: str, table: pl.DataFrame, summary: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(f"{identity}{settings.seed}".encode()).hexdigest()[:12]
    folder = Path(settings.runs).resolve() / f"search-{summary['model']}-{digest}"
    summary = {**summary, "folder": str(folder)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claim(folder)
        table.write_parquet(folder / TABLE)
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be written ({error.strerror}). Give another --runs.") from error
    return summary
