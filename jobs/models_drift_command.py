"""`nt-ray models drift` and `models watch`: whether models still see what they were trained on, and what follows.

Exit codes as those of `nt-ray models`.
"""

import json
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.models_display import show_drift, show_retrained
from jobs.options import AsJson, by_settings, help_text
from nt_ray.errors import BadInputError, NeuralTraderError, ServiceError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.neural.drift.retraining import Recent, RetrainPlan
    from nt_ray.neural.registry.registry import Registry

FOUND = 1
DRIFT_HELP = help_text(
    "Compare recent rows with those a version was trained on: the bars of --data after its training, or a table. Of "
    "bars its errors of one bar ahead and the hits of its 90 % interval are judged too. A table has one row for each "
    "time, in order: the model's columns (a series' target under its name, an input as SERIES.INPUT), and where they "
    "are known the error of the forecast made there (one bar ahead, the mean absolute one over the series, in units of "
    "the target) and whether its interval held the truth (1 or 0). Exit code 1 where the model should be trained anew. "
    "With --retrain it is: from the weights of the version, on the bars of --data but for the last ones, which judge "
    "it beside the holder. The new version becomes the challenger, once for each drift; exit code 1 where the gate "
    "would refuse it.",
    "nt-ray models drift lstm@champion --data prices/",
    "nt-ray models drift lstm@champion recent.parquet --errors error --covered 0.9=inside90 --json",
    "nt-ray models drift lstm@champion recent.csv --ask",
    "nt-ray models drift lstm@champion recent.csv --retrain --data prices/",
)
WATCH_HELP = help_text(
    "Look at models again and again, until interrupted: the bars of --data since their training against those they "
    "were trained on. The registry's actor notes the first drift of each holder in the history, and with --retrain "
    "tasks on Ray train it anew, as `models drift` does. All models with the alias where none is named. After --rounds "
    "the exit code is 1 where the last one found drift, or a retraining failed.",
    "nt-ray models watch --data prices/ --every 3600",
    "nt-ray models watch lstm gru --alias champion --retrain --rounds 1 --json",
)

Text: TypeAlias = Annotated[str, typer.Argument(metavar="NAME@ALIAS|NAME/N", help="A version of a model.")]


@by_settings()
def drift(
    settings: "Settings",
    what: Text,
    table: Annotated[
        Path | None, typer.Argument(metavar="[TABLE]", help="CSV or Parquet file of recent rows; else bars of --data.")
    ] = None,
    errors: Annotated[str, typer.Option(metavar="COLUMN", help="Column of forecast errors.")] = "",
    covered: Annotated[
        list[str] | None, typer.Option(metavar="LEVEL=COLUMN", help="Column of hits of an interval; may be repeated.")
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Note in the history that a retraining is due.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train anew where it is due.")] = False,
    as_json: AsJson = False,
) -> int:
    """Compare recent rows with training; exit code 1 where a retraining is due, or its version would be refused."""
    from actors.training_run import train
    from nt_ray.neural.drift.retraining import drift_of, due_retraining, plan_retraining
    from nt_ray.neural.registry.model_names import reference
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.trader.retraining import retrain_on_bars

    name, alias = reference(what).name, reference(what).alias
    if (ask or retrain) and alias is None:
        raise BadInputError(
            f"--ask and --retrain are for an alias, and {what} names none. Write it like lstm@champion."
        )
    registry = open_registry(settings.neural)
    found = drift_of(registry, what, _recent(settings, registry, what, table, errors, covered or ()))
    plan: RetrainPlan | None = None
    if alias is not None and (ask or retrain):
        plan = plan_retraining(registry, name, alias, found)
        if plan is None and retrain:
            # One that was asked for before, and cut off.
            plan = due_retraining(registry, name, alias)
    made = retrain_on_bars(settings, plan, partial(train, settings)) if retrain and plan is not None else None
    if as_json:
        told = {"plan": None if plan is None else plan.resolved(), "made": None if made is None else made.resolved()}
        typer.echo(json.dumps(found.resolved() | told))
    else:
        show_drift(found, what)
        if made is not None:
            show_retrained(made)
    due = bool(made.objections) if made is not None else found.retrain
    return FOUND if due else 0


@by_settings()
def watch(
    settings: "Settings",
    models: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Models; all that hold the alias.")
    ] = None,
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="Whose holder is watched.")] = "champion",
    every: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="From one look to the next.")] = 3600.0,
    rounds: Annotated[int, typer.Option(min=0, metavar="N", help="Looks after which it ends; 0 never does.")] = 0,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train anew on Ray where it is due.")] = False,
    as_json: AsJson = False,
) -> int:
    """Watch models; one line, of JSON where wanted, for each look at one."""
    from actors.environment import prepare

    prepare(settings.ray.address)
    from actors.cluster import connected
    from nt_ray.neural.registry.registry import open_registry

    registry, ray, done = open_registry(settings.neural), settings.ray, 0
    names = [registry.model(name).name for name in models or ()]
    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        look = _Look(settings, registry, alias, retrain=retrain)
        while True:
            told = _round(look, registry, names, alias)
            for one in told:
                typer.echo(json.dumps(one) if as_json else _line(one))
            done += 1
            if done == rounds:
                return FOUND if any(one["error"] or (one["reasons"] and not one["made"]) for one in told) else 0
            time.sleep(every)


def _round(look: "_Look", registry: "Registry", names: list[str], alias: str) -> list[dict[str, Any]]:
    """Look at the models named, or at all that hold the alias; a registry that is away is told and ends nothing."""
    try:
        held = names or [model.name for model in registry.list() if alias in model.aliases]
    except NeuralTraderError as error:
        return [_nothing(f"*@{alias}") | {"error": str(error)}]
    return [look.at(name) for name in held]


def _nothing(model: str) -> dict[str, Any]:
    """A look that has found nothing yet."""
    return {"model": model, "bars": 0, "reasons": [], "made": None, "error": None}


class _Look:
    """Looks at the holders of an alias through the registry's actor."""

    def __init__(self, settings: "Settings", registry: "Registry", alias: str, *, retrain: bool) -> None:
        from actors.registry import start
        from actors.retraining import RetrainOnRay

        self._settings = _from_anywhere(settings)
        self._registry = registry
        self._alias = alias
        self._actor = start(self._settings.neural)
        self._retrain = RetrainOnRay(self._settings) if retrain else None

    def at(self, name: str) -> dict[str, Any]:
        """Look at one model; what went wrong with it is told and stops no other."""
        told = _nothing(f"{name}@{self._alias}")
        try:
            self._fill(told, name)
        except NeuralTraderError as error:
            told["error"] = str(error)
        return told

    def _fill(self, told: dict[str, Any], name: str) -> None:
        import ray
        from ray.exceptions import RayError, RayTaskError

        from nt_ray.trader.model_drift import bars_since

        manifest = self._registry.describe(f"{name}@{self._alias}").manifest
        told["bars"], recent = bars_since(self._settings, self._registry, manifest)
        try:
            found = ray.get(self._actor.watch_drift.remote(name, self._alias, recent))
            told["reasons"] = list(found.reasons)
            plan = ray.get(self._actor.resume_retraining.remote(name, self._alias)) if self._retrain else None
            if plan is not None and self._retrain is not None:
                told["made"] = ray.get(self._retrain(plan)).resolved()
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise
        except RayError as error:
            # A process died; what it was asked for is asked for again by the next look.
            raise ServiceError(f"{type(error).__name__}: a process on Ray died. The next look goes on.") from error


def _from_anywhere(settings: "Settings") -> "Settings":
    """Name folders and files so that tasks and the actor find them from wherever they run."""
    source, neural = Path(settings.data.source), settings.neural
    data = {"source": str(source.absolute())} if source.exists() else {}
    places: dict[str, Any] = {"cache": neural.cache.absolute()}
    if "://" not in neural.registry:
        places["registry"] = str(Path(neural.registry).expanduser().absolute())
    changes = {"data": settings.data.model_copy(update=data), "neural": neural.model_copy(update=places)}
    return settings.model_copy(update={**changes, "runs": settings.runs.absolute()})


def _line(told: dict[str, Any]) -> str:
    """One look in words."""
    if told["error"] is not None:
        return f"{told['model']}: {told['error']}"
    found = "; ".join(told["reasons"]) or "no drift"
    made = "" if told["made"] is None else f"; version {told['made']['version']} is the challenger"
    return f"{told['model']}: {told['bars']:,} bars since training, {found}{made}"


def _recent(
    settings: "Settings", registry: "Registry", what: str, table: Path | None, errors: str, covered: Iterable[str]
) -> "Recent":
    """Recent rows of a table, or of the bars since training."""
    from jobs.recent_table import read_recent
    from nt_ray.neural.drift.retraining import reference_of_version
    from nt_ray.trader.model_drift import bars_since

    hits = dict(_level(text) for text in covered)
    if table is not None:
        return read_recent(table, tuple(reference_of_version(registry, what).inputs), errors, hits)
    if errors or hits:
        raise BadInputError("--errors and --covered name columns of a table, and none is given. Name its file.")
    return bars_since(settings, registry, registry.describe(what).manifest)[1]


def pair(option: str, text: str, example: str) -> tuple[str, str]:
    """Split KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInputError(f"{option} {text} has no KEY=VALUE form. Write it like {option} {example}.")
    return key, value


def _level(text: str) -> tuple[float, str]:
    number, column = pair("--covered", text, "0.9=COLUMN")
    try:
        return float(number), column
    except ValueError:
        raise BadInputError(f"--covered {text} has no level. Write it like --covered 0.9=COLUMN.") from None
