"""Tools about networks: what is registered, what it forecasts, how well, and training.

Networks are heavy to import, so each tool imports what it needs when it is called.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of
from deployments.gateway.mcp.schema import Figure, Input, OfData, Output, Parameters, Symbols
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope

if TYPE_CHECKING:
    from nt_ray.config.sections import Training
    from nt_ray.neural.series.panel import SeriesPanel
    from nt_ray.neural.training.recipe import Recipe

Version: TypeAlias = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^[a-z0-9][a-z0-9_-]*(@[a-z][a-z0-9_-]*|/[1-9][0-9]*)$",
        description="NAME@ALIAS or NAME/N.",
    ),
]
ModelName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Name of a model.")]
Network: TypeAlias = Annotated[
    str, Field(max_length=32, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="lstm, gru, transformer, dlinear, ...")
]


class Forecast(OfData):
    """Which model, of which symbols."""

    model_id: Version
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    confidence_level: float = Field(0.9, ge=0.5, le=0.99, description="Share of truths that intervals are to hold.")


class Step(Output):
    """One step ahead; an interval is null where too few errors are known."""

    step: int
    predicted: Figure
    lower: Figure
    upper: Figure


class SymbolForecast(Output):
    """Forecasts of one symbol."""

    symbol: str
    steps: tuple[Step, ...]


class Forecasts(Output):
    """What a model says about the bars after the last."""

    model_id: str
    target: str = Field(description="What is forecast: close, log_close or returns.")
    after: datetime
    confidence_level: float
    history: int = Field(description="Earlier forecasts whose errors set the intervals.")
    forecasts: tuple[SymbolForecast, ...]


@tool(Category.NEURAL, Scope.MODELS_READ, {"model_id": "drinks/1", "symbols": ["KO", "PEP"]})
def neural_forecast(call: Call, asked: Forecast) -> Forecasts:
    """Forecast the bars after the last one with a registered model, with intervals learned from its recent errors."""
    from nt_ray.neural.inference.ahead import forecast_ahead
    from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
    from nt_ray.neural.registry.registry import open_registry

    settings = call.backend.settings.neural
    folder = open_registry(settings).resolve(asked.model_id)
    target = str(describe_bundle(folder).lineage.config.get("target", settings.training.target))
    panel = _panel(call, asked, asked.symbols, settings.training.model_copy(update={"target": target}))
    found = forecast_ahead(load_bundle(folder), panel, (asked.confidence_level,))
    return Forecasts(
        model_id=asked.model_id,
        target=target,
        after=_time(panel, -1),
        confidence_level=asked.confidence_level,
        history=found.history,
        forecasts=tuple(
            SymbolForecast(
                symbol=name,
                steps=tuple(
                    Step(step=h + 1, predicted=float(found.mean[s, h]), lower=float(found.low[s, h, 0]),
                         upper=float(found.high[s, h, 0]))
                    for h in range(found.mean.shape[1])
                ),
            )
            for s, name in enumerate(panel.names)
        ),
    )  # fmt: skip


class Train(OfData):
    """A network and its training; what is left out is as [neural.training] says."""

    model_type: Network
    register_as: ModelName | None = Field(None, description="Store it as the next version of this name.")
    symbols: Symbols = ()
    parameters: Parameters = Field({}, description="Parameters of the network.")
    steps: int | None = Field(None, ge=1, le=100_000)
    lookback: int | None = Field(None, ge=1, le=10_000)
    horizon: int | None = Field(None, ge=1, le=365)
    batch_size: int | None = Field(None, ge=1, le=4096)
    learning_rate: float | None = Field(None, gt=0.0, le=1.0)
    validation_split: float | None = Field(None, ge=0.0, le=0.5)


class Trained(Output):
    """A trained network."""

    run: str
    model_type: str
    registered: str | None
    steps: int
    best_step: int
    training_loss: Figure = Field(description="Of the last step.")
    validation_loss: Figure = Field(description="The best; null without validation.")
    series: tuple[str, ...]
    rows: int


@tool(
    Category.NEURAL,
    Scope.MODELS_WRITE,
    {
        "model_type": "dlinear", "register_as": "drinks", "symbols": ["KO", "PEP"], "start_date": "2019-01-02",
        "end_date": "2021-12-31", "steps": 20, "lookback": 16, "horizon": 2,
    },
    changes=True,
)  # fmt: skip
def neural_train(call: Call, asked: Train) -> Trained:
    """Train a network in the server's process and keep it; the same call again goes on where it was stopped."""
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.neural.serving.keeping import keep
    from nt_ray.neural.training.choice import label_of
    from nt_ray.neural.training.durable import Pace, train_durably

    settings = call.backend.settings
    chosen = _chosen(settings.neural.training, asked)
    panel = _panel(call, asked, asked.symbols, chosen)
    recipe = _recipe(chosen, asked.model_type, asked.parameters, settings.seed)
    folder = Path(settings.runs).resolve() / label_of(panel, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    trained = train_durably(
        panel, recipe, folder, pace=Pace(seconds=chosen.checkpoint_s), threads=chosen.threads,
        on_step=lambda p: call.progress(p.step, p.steps, f"loss {p.loss:.4g}"),
    )  # fmt: skip
    keep(trained, panel, folder / "model", {"data": call.backend.settings.data.source, "target": chosen.target})
    registered = None
    if asked.register_as is not None:
        version = open_registry(settings.neural).register(folder / "model", asked.register_as)
        registered = f"{asked.register_as}/{version}"
    return Trained(
        run=folder.name,
        model_type=recipe.model,
        registered=registered,
        steps=trained.step,
        best_step=trained.best,
        training_loss=float(trained.losses[-1]) if len(trained.losses) else None,
        validation_loss=min((loss for _, loss in trained.validations), default=None),
        series=panel.names,
        rows=len(panel),
    )


def _chosen(training: "Training", asked: Train) -> "Training":
    named: dict[str, Any] = {
        "steps": asked.steps, "lookback": asked.lookback, "horizon": asked.horizon, "batch": asked.batch_size,
        "lr": asked.learning_rate, "validation": asked.validation_split, "workers": "0", "shards": 0,
    }  # fmt: skip
    return training.model_copy(update={name: value for name, value in named.items() if value is not None})


def _recipe(chosen: "Training", model: str, values: Mapping[str, float], seed: int) -> "Recipe":
    from nt_ray.neural.training.choice import recipe_of

    return recipe_of(chosen, model, values, seed)


def _panel(call: Call, asked: OfData, symbols: tuple[str, ...], chosen: "Training") -> "SeriesPanel":
    from nt_ray.neural.training.choice import panel_of

    return panel_of(bars_of(call.backend, asked, symbols), chosen)


def _time(panel: "SeriesPanel", row: int) -> datetime:
    found: datetime = panel.times[row].astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)


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
    from nt_ray.neural.registry.fresh_scores import contestants, score_fresh
    from nt_ray.neural.registry.registry import open_registry

    settings = call.backend.settings.neural
    candidate, holder = contestants(open_registry(settings), asked.model_id, "champion")
    chosen = settings.training.model_copy(update={"target": candidate.target or settings.training.target})
    found = score_fresh(candidate, holder, _panel(call, asked, asked.symbols, chosen))
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


class WhichModel(Input):
    """One version, or all models."""

    model_id: Version | None = None


class ModelStatus(Output):
    """One model with its versions and aliases."""

    name: str
    versions: tuple[int, ...]
    aliases: dict[str, int]


class VersionStatus(Output):
    """One version: where it comes from and what it takes."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created: datetime
    by: str
    digest: str
    tags: dict[str, str]
    signature: dict[str, Any]
    lineage: dict[str, Any]


class Models(Output):
    """Registered models."""

    models: tuple[ModelStatus, ...]
    version: VersionStatus | None = Field(description="The one that was asked for.")
    networks: tuple[str, ...] = Field(description="What can be trained.")


@tool(Category.NEURAL, Scope.MODELS_READ)
def neural_model_status(call: Call, asked: WhichModel) -> Models:
    """List registered models with versions and aliases, or describe one version: signature, lineage, tags."""
    from nt_ray.neural.models.registry import NAMES
    from nt_ray.neural.registry.registry import open_registry

    registry = open_registry(call.backend.settings.neural)
    version = None
    if asked.model_id is not None:
        told = registry.describe(asked.model_id)
        held = told.manifest
        version = VersionStatus(
            name=held.name, version=held.version, aliases=told.aliases, created=held.created, by=held.by,
            digest=held.digest, tags=held.tags, signature=held.signature, lineage=held.lineage,
        )  # fmt: skip
    return Models(
        models=tuple(ModelStatus(name=m.name, versions=m.versions, aliases=dict(m.aliases)) for m in registry.list()),
        version=version,
        networks=NAMES,
    )


class Optimise(OfData):
    """A network, and what of it is searched."""

    model_type: Network
    symbols: Symbols = ()
    parameter_ranges: dict[Annotated[str, Field(max_length=64)], tuple[float, float]] = Field(
        {}, max_length=8, description="Lowest and highest value; lr and weight_decay if left out."
    )
    trials: int = Field(10, ge=1, le=200)
    steps: int | None = Field(None, ge=1, le=100_000)
    lookback: int | None = Field(None, ge=1, le=10_000)
    horizon: int | None = Field(None, ge=1, le=365)


class Trial(Output):
    """One candidate and its best validation."""

    parameters: dict[str, float]
    validation_loss: Figure


class Optimised(Output):
    """Candidates from best to worst."""

    model_type: str
    trials: tuple[Trial, ...]
    optimization_metric: Literal["validation_loss"] = "validation_loss"


@tool(
    Category.NEURAL,
    Scope.JOBS_WRITE,
    {"model_type": "dlinear", "symbols": ["KO"], "start_date": "2020-01-02", "trials": 2, "steps": 10, "lookback": 16,
     "horizon": 2},
)  # fmt: skip
def neural_optimize(call: Call, asked: Optimise) -> Optimised:
    """Draw parameters of a network evenly from ranges, train each candidate, and rank them by validation loss."""
    from nt_ray.neural.training.device import on_threads
    from nt_ray.neural.training.search import Stage, parse_model_space, staged, trained_through

    settings = call.backend.settings
    own: dict[str, Any] = {"steps": asked.steps, "lookback": asked.lookback, "horizon": asked.horizon}
    chosen = settings.neural.training.model_copy(update={k: v for k, v in own.items() if v is not None})
    panel = _panel(call, asked, asked.symbols, chosen)
    recipe = _recipe(chosen, asked.model_type, {}, settings.seed)
    ranges = [f"{name}={low!r}:{high!r}" for name, (low, high) in asked.parameter_ranges.items()]
    space = staged(parse_model_space(recipe, ranges), (recipe.steps,), max(1, recipe.steps // 5))
    found: list[Trial] = []
    with on_threads(chosen.threads):
        for number in range(asked.trials):
            call.progress(number, asked.trials, "trials")
            values = space.sample(settings.seed, number)
            run = trained_through(panel, space, (Stage(values, recipe.steps),))
            found.append(Trial(parameters=dict(values), validation_loss=run.best.loss))
    ranked = sorted(found, key=lambda t: float("inf") if t.validation_loss is None else t.validation_loss)
    return Optimised(model_type=recipe.model, trials=tuple(ranked))


TOOLS = (neural_forecast, neural_train, neural_evaluate, neural_model_status, neural_optimize)
