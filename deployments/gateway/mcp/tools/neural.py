"""Tools about networks: what is registered, what it forecasts, how well, and training.

Networks are heavy to import, so each tool imports what it needs when it is called.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of
from deployments.gateway.mcp.schema import Figure, Input, OfData, Output, Symbols
from deployments.gateway.mcp.tool import job, tool
from deployments.gateway.mcp.twin import JOBS, KEY, KIND, OfJob, Settled, Twin, part_of
from deployments.gateway.platform import models
from nt_ray.access.roles import Scope
from nt_ray.errors import BadInputError
from nt_ray.trader.jobs import spec as jobs

Version: TypeAlias = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^[a-z0-9][a-z0-9_-]*(@[a-z][a-z0-9_-]*|/[1-9][0-9]*)$",
        description="NAME@ALIAS or NAME/N.",
    ),
]


class Forecast(models.Asked):
    """Which version is to forecast which series, as the platform's API takes it."""

    name: models.ModelName


@tool(
    Category.NEURAL,
    Scope.MODELS_READ,
    {"name": "drinks", "version": 1, "symbols": ["KO", "PEP"]},
    Twin("POST /api/v1/models/{name}/forecasts", answers=True),
)
def neural_forecast(call: Call, asked: Forecast) -> models.ForecastView:
    """Forecast the bars after the last one with a registered model, with intervals learned from its recent errors."""
    return models.forecast_of(call.backend.settings, asked.name, asked)


class Train(OfJob, jobs.Train):
    """A training as the platform's API takes it; what is left out is as [neural.training] says."""

    kind: Settled[Literal["train"]] = "train"


class Trained(Output):
    """A trained network."""

    job: str
    run: str
    model_type: str
    registered: str | None
    steps: int
    best_step: int
    training_loss: Figure = Field(description="Of the last step.")
    validation_loss: Figure = Field(description="The best; null without validation.")
    series: tuple[str, ...]


def _kept(_: Call, __: Train, done: Done) -> Trained:
    told = done.summary
    measured = told["metrics"]
    return Trained(
        job=done.job,
        run=done.run,
        model_type=told["model"],
        registered=told.get("registered"),
        steps=told["steps"],
        best_step=told["best_step"],
        training_loss=measured.get("training_loss"),
        validation_loss=measured.get("validation_loss"),
        series=told["series"],
    )


@job(
    _kept,
    Category.NEURAL,
    Scope.MODELS_WRITE,
    {
        "model": "dlinear", "register_as": "drinks", "symbols": ["KO", "PEP"], "start": "2019-01-02",
        "end": "2021-12-31", "steps": 20, "lookback": 16, "horizon": 2,
    },
    Twin(JOBS, "train", more=KEY, settled=KIND),
    changes=True,
)  # fmt: skip
def neural_train(_: Call, asked: Train) -> jobs.Train:
    """Train a network and keep it; the same call again goes on where it was stopped."""
    return part_of(asked, jobs.Train)


class Evaluate(OfData):
    """Which version, on which bars."""

    model_id: Version
    symbols: Symbols = ()


class Evaluation(Output):
    """Errors on bars that nothing was trained on, beside the naive forecast and the champion."""

    model_id: str
    metric: str
    score: Figure
    naive: Figure
    naive_name: str
    champion_version: int | None
    champion: Figure
    windows: int
    start: datetime
    end: datetime
    better_than_naive: bool


@tool(Category.NEURAL, Scope.MODELS_READ, {"model_id": "drinks/1", "symbols": ["KO", "PEP"]})
def neural_evaluate(call: Call, asked: Evaluate) -> Evaluation:
    """Score a registered version on bars after all its training, beside the champion and a naive forecast."""
    from nt_ray.neural.registry.fresh_scores import contestants, score_fresh, signatures
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.neural.training.choice import panel_for

    settings = call.backend.settings.neural
    candidate, holder = contestants(open_registry(settings), asked.model_id, "champion")
    bars = bars_of(call.backend, asked, asked.symbols)
    panel = panel_for(bars, candidate.target or settings.training.target, *signatures((candidate, holder)))

    def tell(done: int, total: int) -> None:
        call.progress(done, total, f"{done} of {total} windows")

    found = score_fresh(candidate, holder, panel, tell=tell)
    return Evaluation(
        model_id=asked.model_id,
        metric=found.metric,
        score=found.score,
        naive=found.naive,
        naive_name=found.naive_name,
        champion_version=found.champion_version,
        champion=found.champion,
        windows=found.windows,
        start=found.start,
        end=found.end,
        better_than_naive=found.score < found.naive,
    )


class WhichVersion(Input):
    """One version, or all models."""

    name: models.ModelName | None = None
    version: models.Version | None = Field(None, description="Of `name`; the newest if left out.")


class Models(models.ModelList):
    """Registered models."""

    version: models.VersionView | None = Field(description="The one that was asked for.")
    networks: tuple[str, ...] = Field(description="What can be trained.")


@tool(Category.NEURAL, Scope.MODELS_READ, {}, Twin("GET /api/v1/models/{name}/versions/{version}"))
def neural_model_status(call: Call, asked: WhichVersion) -> Models:
    """List registered models with versions and aliases, or describe one version: signature, lineage, tags."""
    from nt_ray.neural.models.registry import NAMES

    settings = call.backend.settings
    version = None
    if asked.name is not None:
        number = asked.version or max(models.model_of(settings, asked.name).versions)
        version = models.version_of(settings, f"{asked.name}/{number}")
    elif asked.version is not None:
        raise BadInputError(f"Version {asked.version} is of no model. Name the model too.")
    return Models(models=models.models_of(settings).models, version=version, networks=NAMES)


class Optimise(OfJob, jobs.Search):
    """A search as the platform's API takes it."""

    kind: Settled[Literal["search"]] = "search"


class Trial(Output):
    """One candidate and its best validation."""

    parameters: dict[str, float]
    validation_loss: Figure
    error: str | None = Field(description="Why it has none.")


class Optimised(Output):
    """Candidates from best to worst."""

    job: str
    run: str
    model_type: str
    trials: tuple[Trial, ...]
    optimization_metric: Literal["validation_loss"] = "validation_loss"


def _searched(_: Call, __: Optimise, done: Done) -> Optimised:
    told = done.summary
    trials = tuple(
        Trial(
            parameters={name: row[name] for name in told["parameters"]},
            validation_loss=row["validation_loss"],
            error=row["error"],
        )
        for row in told["candidates"]
    )
    return Optimised(job=done.job, run=done.run, model_type=told["model"], trials=trials)


@job(
    _searched,
    Category.NEURAL,
    Scope.JOBS_WRITE,
    {"model": "dlinear", "symbols": ["KO"], "start": "2020-01-02", "trials": 2, "steps": 10, "lookback": 16,
     "horizon": 2},
    Twin(JOBS, "search", more=KEY, settled=KIND),
    changes=True,
)  # fmt: skip
def neural_optimize(_: Call, asked: Optimise) -> jobs.Search:
    """Draw parameters of a network evenly from ranges, train each candidate, and rank them by validation loss."""
    return part_of(asked, jobs.Search)


TOOLS = (neural_forecast, neural_train, neural_evaluate, neural_model_status, neural_optimize)
