"""The field `forecast`: trained walk-forward on the bars where the data have none, and judged after a run.

A forecast is the expected simple return over the next `neural.forecast.horizon` bars, known when its bar is complete;
there is none before the first fit. What was made lies beside the runs under the digest of everything it depends on
(bars, settings, seed, the code of the forecasters), and the next run reads it. How forecasts are traded is not known
here. The forecasters are imported when there is something to forecast.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from nt_ray.config import Settings
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.reports.record import to_plain
from nt_ray.trader import files
from nt_ray.types import FloatArray

if TYPE_CHECKING:
    from nt_ray.neural.training.recipe import Recipe

FIELD: Final = "forecast"
CACHE: Final = ".forecasts"
"""Folder beside the runs."""
SHOWN: Final = (("squared error", "mse_ratio", ".4f"), ("direction", "direction", ".1%"), ("IC", "ic", ".4f"))
"""Scores of a table, with the names and forms in which they are shown."""

OnFit = Callable[[int, int], None]
"""Told how many fits are done, and of how many."""


class HorizonError(StrategyError):
    """A strategy that trades another horizon than forecasts are made for."""

    code = "forecast_horizon"

    def __init__(self, traded: int, made: int) -> None:
        super().__init__(
            f"The strategy trades a horizon of {traded} bars, and forecasts are made for {made}. "
            f"Set neural.forecast.horizon = {traded}, or the strategy's horizon to {made}."
        )


def add_forecast(settings: Settings, panel: BarPanel, history: BarPanel, on_fit: OnFit | None = None) -> BarPanel:
    """Panel with the field; `history` has its bars and symbols, and may have earlier bars and more symbols to train on.

    Reads what an earlier run has kept; otherwise trains, and tells `on_fit` of each fit.
    """
    rows = np.searchsorted(history.timestamps, panel.timestamps)
    made = _forecasts(settings, history, int(rows[0]), on_fit)
    columns = [history.symbols.index(symbol) for symbol in panel.symbols]
    return panel.with_field(FIELD, made[rows][:, columns])


def described(settings: Settings) -> str:
    """What makes the forecasts, in words."""
    plan = settings.neural.forecast
    inputs = f" with {', '.join((*plan.past, *plan.future))}" if plan.past or plan.future else ""
    return (
        f"{plan.model} on the last {plan.lookback} returns{inputs}, fitted every {plan.refit_every} bars "
        f"after the first {plan.train_rows}"
    )


def judge(panel: BarPanel, horizon: int, origin: str) -> dict[str, Any]:
    """Scores of the field beside naive forecasts as plain data; `origin` says where the field comes from."""
    from nt_ray.neural.problems import NeuralError
    from nt_ray.neural.scoring.field_scores import score_field

    try:
        found: dict[str, Any] = to_plain(score_field(panel, panel.field(FIELD), horizon).report())
    except NeuralError as problem:
        found = {"horizon": horizon, "rows": {}, "beats": False, "verdict": str(problem)}
    return {"origin": origin, **found}


def write_forecast(folder: Path, panel: BarPanel, report: Mapping[str, Any]) -> None:
    """Write the field, and what it was worth, into a run's folder."""
    (folder / files.FORECAST).write_text(json.dumps(report, indent=2), encoding="utf-8")
    times = pl.Series("time", panel.timestamps).cast(pl.Datetime("ns", "UTC"))
    columns = [pl.Series(symbol, panel.field(FIELD)[:, c]) for c, symbol in enumerate(panel.symbols)]
    pl.DataFrame([times, *columns]).write_parquet(folder / files.FORECASTS)


def forecast_details(report: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Table of a tear sheet: a line a forecast, then the verdict."""
    lines = {
        name: ", ".join(f"{title} {_cell(scores[key], form)}" for title, key, form in SHOWN)
        for name, scores in report["rows"].items()
    }
    return {"Forecasts beside naive ones": {"made by": report["origin"], **lines, "verdict": report["verdict"]}}


def recipe_of(settings: Settings) -> "Recipe":
    """Recipe of the network that forecasts: all rows train, none validates, the scale is each fit's own."""
    from nt_ray.neural.models.registry import find, parameters
    from nt_ray.neural.training.recipe import Recipe

    plan = settings.neural.forecast
    return Recipe(
        model=find(plan.model).name,
        parameters=parameters(plan.model, plan.parameters) if plan.parameters else {},
        lookback=plan.lookback,
        horizon=plan.horizon,
        scaling="fold",
        batch=plan.batch,
        steps=plan.steps,
        lr=plan.lr,
        schedule="cosine",
        validation=0.0,
        validate_every=0,
        seed=settings.seed,
    )


def _forecasts(settings: Settings, history: BarPanel, since: int, on_fit: OnFit | None) -> FloatArray:
    """Expected simple return over the horizon, (T, N); NaN where there is none, or in rows before `since`."""
    from nt_ray.neural.problems import NeuralError
    from nt_ray.neural.scoring.rolling import Rolling, forecast_rolling
    from nt_ray.neural.scoring.traded import expected_returns
    from nt_ray.neural.series.sources import from_bars
    from nt_ray.neural.training.choice import device_of
    from nt_ray.trader.forecast_cache import ForecastCache, code_digest

    plan = settings.neural.forecast
    if len(history) < plan.train_rows:
        raise NeuralError(
            f"The data have {len(history)} bars, and the first forecast is made after {plan.train_rows}. "
            "Give more bars, or a smaller neural.forecast.train_rows."
        )
    recipe = recipe_of(settings)
    series = from_bars(history, "return", past=plan.past, future=plan.future, ahead=plan.horizon)
    rolling = Rolling(train=plan.train_rows, every=plan.refit_every, anchored=plan.anchored)
    fits = rolling.fits(len(history), since)
    device = device_of(settings.neural.training)
    words = (series.digest(), recipe.model_dump_json(), rolling, fits, code_digest(), device)
    key = hashlib.sha256(repr(words).encode()).hexdigest()
    cache = ForecastCache(Path(settings.runs) / CACHE, plan.cache_mb * 10**6)
    field = cache.get(key, history.closes.shape)
    if field is None:
        made = forecast_rolling(series, recipe, rolling, since=since, device=device, on_fit=on_fit)
        field = expected_returns(history, made, "return")
        cache.put(key, field)
    return field


def _cell(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)
