"""`nt-ray forecast`: what a trained model says about the bars after the last."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, by_settings, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.neural.inference.ahead import Ahead
    from nt_ray.neural.series.panel import SeriesPanel

FORECAST_HELP = help_text(
    "Forecast the bars after the last one with a registered model or the folder of one. Intervals are learned from "
    "the model's errors on the last bars; where it was trained on these, they are too narrow.",
    "nt-ray forecast drinks@champion",
    "nt-ray forecast drinks/3 --symbols KO,PEP --data prices/ --interval 0.5 --interval 0.9",
    "nt-ray forecast runs/train-dlinear-0123456789ab/model --json",
)

Which: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME@ALIAS|NAME/N|FOLDER", help="A version of a model, or its folder.")
]
Interval: TypeAlias = Annotated[
    list[float] | None, typer.Option(metavar="SHARE", help="Share an interval holds; repeated. 0.8 and 0.9.")
]
History: TypeAlias = Annotated[int, typer.Option(min=0, help="Earlier forecasts that intervals are learned from.")]


@by_settings()
def forecast(
    settings: "Settings", model: Which, interval: Interval = None, history: History = 300, as_json: AsJson = False
) -> None:
    """Forecast and print."""
    from nt_ray.neural.inference.ahead import forecast_ahead
    from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
    from nt_ray.neural.training.choice import panel_for
    from nt_ray.trader.data import load_bars

    folder = model_folder(settings, model)
    described = describe_bundle(folder)
    target = described.lineage.config.get("target", settings.neural.training.target)
    panel = panel_for(load_bars(settings.data), target, described.signature)
    shares = tuple(sorted(set(interval or (0.8, 0.9))))
    found = forecast_ahead(load_bundle(folder), panel, shares, history)
    if as_json:
        typer.echo(json.dumps(_report(model, target, panel, found)))
    else:
        _show(model, target, panel, found)


def model_folder(settings: "Settings", model: str) -> Path:
    """Folder of a registered version, or the folder that is named."""
    from nt_ray.neural.registry.registry import open_registry

    if Path(model).is_dir():
        return Path(model)
    if not ("@" in model or "/" in model):
        raise BadInputError(
            f"{model} names no version and is no folder. Write {model}@champion, {model}/1 or a folder."
        )
    return open_registry(settings.neural).resolve(model)


def _report(model: str, target: str, panel: "SeriesPanel", found: "Ahead") -> dict[str, Any]:
    series = {
        name: {
            "mean": found.mean[s].tolist(),
            "intervals": {
                f"{share:g}": {"low": _finite(found.low[s, :, c]), "high": _finite(found.high[s, :, c])}
                for c, share in enumerate(found.shares)
            },
        }
        for s, name in enumerate(panel.names)
    }
    after = str(panel.times[-1].astype("datetime64[s]"))
    return {"model": model, "target": target, "after": after, "history": found.history, "series": series}


def _finite(values: Any) -> list[float | None]:
    """None where too few errors are known for an interval."""
    return [v if abs(v) != float("inf") else None for v in values.tolist()]


def _show(model: str, target: str, panel: "SeriesPanel", found: "Ahead") -> None:
    from rich.console import Console
    from rich.table import Table

    after = str(panel.times[-1].astype("datetime64[s]"))
    table = Table(title=f"{model}: {target.replace('_', ' ')} after {after}")
    for name in ("series", "bar", "forecast", *(f"{share:.0%} interval" for share in found.shares)):
        table.add_column(name, justify="left" if name == "series" else "right")
    steps = sorted({0, (found.mean.shape[1] - 1) // 2, found.mean.shape[1] - 1})
    for s, name in enumerate(panel.names):
        for h in steps:
            cells = [f"{found.low[s, h, c]:.5g} to {found.high[s, h, c]:.5g}" for c in range(len(found.shares))]
            table.add_row(name if h == 0 else "", f"+{h + 1}", f"{found.mean[s, h]:.5g}", *cells)
    Console().print(table)
