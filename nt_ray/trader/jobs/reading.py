"""What a job's data mean: the settings it works by, and whether it can be worked on at all.

Nothing is loaded here but strategies and networks by name, so a refusal comes before a job is taken.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from nt_ray.backtest.event.runnable import runnable
from nt_ray.backtest.sweep.result import check_metric
from nt_ray.backtest.sweep.space import Grid, Random, Space
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import Settings
from nt_ray.market.embedded import EMBEDDED
from nt_ray.strategies.registry import find
from nt_ray.trader.jobs.job import JobSpecError
from nt_ray.trader.jobs.spec import (
    SPEC,
    AnySpec,
    Asked,
    Backtest,
    Benchmark,
    Comparison,
    Forecasts,
    Learn,
    Search,
    SwarmRun,
    Sweep,
)
from nt_ray.trader.planning import account_plans

MOST_COMBINATIONS: Final = 1_000_000

_LEARNED: Final = ("target", "past", "future", "lookback", "horizon", "steps", "batch", "lr", "validation")
"""Fields of a job that stand under the same names in `[neural.training]`."""
_FORECAST: Final = ("model", "lookback", "horizon", "train_rows", "refit_every", "steps")
"""Those of a backtest's forecasts, in `[neural.forecast]`."""


def read_spec(data: Mapping[str, Any]) -> AnySpec:
    """Read a job from data; `JobSpecError` names the first field that does not fit."""
    try:
        return SPEC.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the job"
        raise JobSpecError(f"{where}: {first['msg']}. Look at the schema of jobs in /openapi.json.") from None


def check_spec(settings: Settings, spec: AnySpec) -> None:
    """Raise where a job names what there is not, or asks for what does not fit."""
    asked = settings_of(settings, spec)
    if isinstance(spec, Backtest):
        runnable(spec.strategy, spec.parameters)
    elif isinstance(spec, Comparison | Benchmark):
        for name in spec.strategies if isinstance(spec, Comparison) else [spec.strategy]:
            runnable(name, {})
    elif isinstance(spec, Sweep):
        check_metric(spec.metric)
        strategy, space = find(spec.strategy), space_of(spec, asked.seed)
        if space.size(strategy) > MOST_COMBINATIONS:
            raise JobSpecError(
                f"{space.size(strategy):,} combinations are too many for one job. Sweep at most {MOST_COMBINATIONS:,}, "
                "or draw some of them with `random`."
            )
    elif isinstance(spec, SwarmRun):
        for name in asked.strategies.enabled:
            find(name)
    elif isinstance(spec, Search):
        from nt_ray.trader.model_search import space_of_search

        space_of_search(asked, spec)
    else:
        # Networks bring PyTorch along, which nobody needs who trains none.
        from nt_ray.neural.registry.model_names import checked_name
        from nt_ray.neural.training.choice import recipe_of

        recipe_of(asked.neural.training, spec.model, spec.parameters, asked.seed)
        if spec.register_as is not None:
            checked_name(spec.register_as)


def settings_of(base: Settings, spec: AnySpec) -> Settings:
    """Settings that a job works by: those of the platform, with what it asks for on top."""
    if spec.source is not None and spec.source not in EMBEDDED and spec.source != base.data.source:
        raise JobSpecError(f"There is no data set {spec.source}. Name one of {', '.join(EMBEDDED)}.")
    changes: dict[str, dict[str, Any]] = {"data": _given(spec, source="source", start="start", end="end")}
    if spec.symbols:
        changes["data"]["symbols"] = spec.symbols
    if spec.source is not None and spec.source != base.data.source:
        # Symbols and extra columns of the settings belong to their own data.
        changes["data"] = {"symbols": (), "extra": (), **changes["data"]}
    if spec.cash is not None:
        changes["account"] = {"initial_cash": spec.cash}
    if isinstance(spec, SwarmRun):
        changes["swarm"] = _given(spec, topology="topology", rule="rule", hosts="hosts")
        if spec.strategies:
            kept = {k: v for k, v in base.strategies.variants.items() if k in spec.strategies}
            changes["strategies"] = {"enabled": spec.strategies, "variants": kept}
    if neural := _networks(base, spec):
        changes["neural"] = neural
    values = {name: getattr(base, name) for name in Settings.model_fields}
    for section, change in changes.items():
        values[section] = {**getattr(base, section).model_dump(), **change}
    if spec.seed is not None:
        values["seed"] = spec.seed
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise JobSpecError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}. Correct it.") from None


def _networks(base: Settings, spec: AnySpec) -> dict[str, Any]:
    """Changes of `[neural]`: of what is trained, or of the forecasts that a backtest trades."""
    if isinstance(spec, Learn):
        asked = _given(spec, **dict(zip(_LEARNED, _LEARNED, strict=True)))
        return {"training": {**base.neural.training.model_dump(), **asked}}
    if isinstance(spec, Backtest) and spec.forecasts is not None:
        asked = _given(spec.forecasts, **dict(zip(_FORECAST, _FORECAST, strict=True)))
        # Parameters of the settings belong to their own network.
        own: dict[str, Any] = {} if spec.forecasts.model is None else {"parameters": {}}
        return {"forecast": {**base.neural.forecast.model_dump(), **own, **asked}}
    return {}


def space_of(spec: Sweep, seed: int) -> Space:
    """Space of a sweep; `JobSpecError` where it varies nothing."""
    grid = Grid(spec.grid) if spec.grid else None
    if spec.random is not None:
        return Random(spec.random, seed, grid)
    if grid is None:
        raise JobSpecError("The sweep varies no parameter. Give `grid`, or `random`.")
    return grid


def market_of_job(settings: Settings, spec: Backtest) -> tuple[Costs, dict[str, Any]]:
    """Costs of the first broker, and the terms that a backtest sets otherwise, as a market's table holds them."""
    given = {"commission_bps": spec.commission_bps, "slippage_bps": spec.slippage_bps}
    terms: dict[str, Decimal] = {name: value for name, value in given.items() if value is not None}
    return account_plans(settings, settings.runs)[0].costs, {"terms": terms} if terms else {}


def _given(spec: Asked | Forecasts, **names: str) -> dict[str, Any]:
    """Fields of a job that were given, under the names of the settings."""
    return {key: value for key, name in names.items() if (value := getattr(spec, name)) is not None}
