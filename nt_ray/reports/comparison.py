"""Several finished runs side by side, over the days that all of them have.

Runs are read from their folders. Metrics are measured anew over the common days, so that a run of thirty years and
one of three answer the same question. It does not know how a run was made.
"""

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nt_ray.backtest.metrics import drawdowns, measure
from nt_ray.errors import ReportError
from nt_ray.reports.formats import day, label, number, percent, stamps, text
from nt_ray.reports.page import plot, render_page, section, write_page
from nt_ray.reports.record import to_plain
from nt_ray.reports.style import PALETTE, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.reports.thinning import thin
from nt_ray.types import FloatArray, IntArray

SHOWN: tuple[tuple[str, str, str], ...] = (
    ("total_return", "Total return", "percent"),
    ("cagr", "CAGR", "percent"),
    ("volatility", "Volatility", "percent"),
    ("sharpe", "Sharpe", "number"),
    ("sortino", "Sortino", "number"),
    ("calmar", "Calmar", "number"),
    ("max_drawdown", "Max drawdown", "percent"),
    ("var_95", "VaR 95 %, one bar", "percent"),
    ("es_95", "ES 95 %, one bar", "percent"),
    ("worst", "Worst bar", "percent"),
    ("skew", "Skew", "number"),
)
WHOLE: tuple[tuple[str, str, int], ...] = (
    ("turnover", "Turnover a year", 2),
    ("costs", "Costs", 2),
    ("orders", "Orders", 0),
    ("fills", "Fills", 0),
    ("agents", "Agents", 0),
)
"""Figures that exist for a whole run only."""


@dataclass(frozen=True, slots=True, eq=False)
class FinishedRun:
    """What a comparison needs of one run's folder."""

    name: str
    folder: Path
    times: IntArray
    equity: FloatArray
    periods_per_year: float
    summary: Mapping[str, Any]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Runs over their common days.

    `growth` has one row a common day and one column a run: equity over the equity of the first common day.
    `correlations` are Pearson's, of the runs' returns; NaN where a run's returns do not vary.
    """

    runs: tuple[FinishedRun, ...]
    times: IntArray
    growth: FloatArray
    metrics: tuple[Mapping[str, Any], ...]
    correlations: FloatArray


def read_run(folder: Path) -> FinishedRun:
    """Read a finished run from its folder."""
    folder = folder.resolve()
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        frame = pl.read_parquet(folder / "equity.parquet", columns=["time", "equity"])
        written = folder / "settings.toml"
        settings = tomllib.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        if "strategy_name" in summary:
            settings["strategy"] = {"name": summary["strategy_name"], **summary["parameters"]}
        if (market := folder / "market.toml").exists():
            settings["market"] = tomllib.loads(market.read_text(encoding="utf-8"))
        return FinishedRun(
            folder.name,
            folder,
            frame["time"].dt.epoch("ns").to_numpy(),
            frame["equity"].to_numpy(),
            float(summary["strategy"]["periods_per_year"]),
            summary,
            settings,
        )
    except FileNotFoundError as error:
        raise ReportError(
            f"{str(folder)!r} holds no finished run: {Path(str(error.filename)).name} is missing. "
            "Give the folders of finished runs, such as runs/latest."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise ReportError(f"The run in {str(folder)!r} cannot be read ({error}). Leave it out.") from error


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare two or more finished runs."""
    runs = _with_names(tuple(read_run(folder) for folder in folders))
    if len(runs) < 2:
        raise ReportError(f"{len(runs)} run cannot be compared. Give the folders of at least two runs.")
    times = runs[0].times
    for run in runs[1:]:
        times = np.intersect1d(times, run.times)
    if len(times) < 2:
        raise ReportError(
            f"{runs[0].name} and the others have {len(times)} bars in common. Compare runs that overlap in time."
        )
    equity = np.column_stack([run.equity[np.searchsorted(run.times, times)] for run in runs])
    if not (equity > 0.0).all():
        ruined = runs[int(np.argmax((equity <= 0.0).any(axis=0)))]
        raise ReportError(f"The equity of {ruined.name} is not positive throughout. Compare runs that were not ruined.")
    measured = tuple(dataclasses.asdict(measure(equity[:, i], run.periods_per_year)) for i, run in enumerate(runs))
    return Comparison(runs, times, equity / equity[0], measured, _correlations(equity[1:] / equity[:-1] - 1.0))


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Comparison as data that JSON can hold."""
    first, last = (np.datetime_as_string(comparison.times[[0, -1]].astype("datetime64[ns]"), unit="s")).tolist()
    result: dict[str, Any] = to_plain(
        {
            "start": first,
            "end": last,
            "bars": len(comparison.times),
            "runs": [
                {"name": run.name, "folder": run.folder, **metrics, **{k: run.summary.get(k) for k, _, _ in WHOLE}}
                for run, metrics in zip(comparison.runs, comparison.metrics, strict=True)
            ],
            "correlations": comparison.correlations,
            "settings": differing_settings(comparison.runs),
        }
    )
    return result


def differing_settings(runs: Sequence[FinishedRun]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs, by dotted key, one value a run; None where a run has none."""
    flat = [dict(_flat(run.settings)) for run in runs]
    keys = sorted({key for values in flat for key in values})
    found = {key: [values.get(key) for values in flat] for key in keys}
    return {key: values for key, values in found.items() if any(v != values[0] for v in values)}


def write_comparison(comparison: Comparison, path: str | Path) -> Path:
    """Write the page of a comparison to `path` and return it."""
    return write_page(path, render_comparison(comparison))


def render_comparison(comparison: Comparison) -> str:
    """Render the page of a comparison as one HTML document."""
    drawn = {"growth": growth(comparison), "underwater": underwater(comparison)}
    start, end = (_day(int(t)) for t in comparison.times[[0, -1]])
    facts = f"{start} to {end}, the {number(float(len(comparison.times)), 0)} bars that all of them have"
    names = [text(run.name) for run in comparison.runs]
    body = (
        '<div class="stack">',
        section("growth", "Growth of 1", plot("growth", drawn)),
        section("metrics", "Metrics over the common bars", _metrics(comparison, names)),
        section("drawdowns", "Drawdowns", plot("underwater", drawn)),
        section("correlations", "Correlation of returns", _correlation_table(comparison, names)),
        section("settings", "Settings that differ", _settings(comparison, names)),
        "</div>",
    )
    title = f"{len(names)} runs compared"
    return render_page(name=title, kind="comparison", facts=facts, body="\n".join(body), figures=drawn)


def growth(comparison: Comparison) -> Figure:
    """Growth of one unit of currency in each run."""
    return {
        "data": _lines(comparison, comparison.growth, 4),
        "layout": layout(440, yaxis={"tickformat": ".3~g", "type": "log"}),
    }


def underwater(comparison: Comparison) -> Figure:
    """Drawdown of each run from its highest equity within the common bars."""
    falls = np.column_stack([drawdowns(curve) for curve in comparison.growth.T])
    return {
        "data": _lines(comparison, falls, 5),
        "layout": layout(280, yaxis={"tickformat": ".0%", "rangemode": "tozero"}),
    }


def _lines(comparison: Comparison, values: FloatArray, decimals: int) -> list[dict[str, Any]]:
    lines = []
    for i, run in enumerate(comparison.runs):
        rows = thin(values[:, i])
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": label(run.name),
                "x": stamps(comparison.times[rows]),
                "y": np.round(values[rows, i], decimals).tolist(),
                "line": {"color": PALETTE[i % len(PALETTE)], "width": 1.5},
            }
        )
    return lines


def _metrics(comparison: Comparison, names: list[str]) -> str:
    rows = []
    for key, name, kind in SHOWN:
        show = percent if kind == "percent" else number
        rows.append([name, *(show(m[key]) for m in comparison.metrics)])
    for key, name, decimals in WHOLE:
        values = [run.summary.get(key) for run in comparison.runs]
        if any(values):
            rows.append([f"{name}, whole run", *(number(v, decimals) for v in values)])
    return table(["", *names], rows, kind="metrics")


def _correlation_table(comparison: Comparison, names: list[str]) -> str:
    rows = [[name, *(number(float(v)) for v in row)] for name, row in zip(names, comparison.correlations, strict=True)]
    return table(["", *names], rows)


def _settings(comparison: Comparison, names: list[str]) -> str:
    different = differing_settings(comparison.runs)
    rows = [[text(key), *(_shown(v) for v in values)] for key, values in different.items()]
    return table(["", *names], rows, left=len(names) + 1, kind="settings")


def _shown(value: Any) -> str:
    """A setting as a reader takes it: lists between commas, nothing as a dash."""
    return text(", ".join(str(v) for v in value) or None) if isinstance(value, list) else text(value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _with_names(runs: tuple[FinishedRun, ...]) -> tuple[FinishedRun, ...]:
    """Runs whose names are unique: a folder that stands twice, or two folders of one name, get a number."""
    seen: dict[str, int] = {}
    named = []
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        number_of = f" ({seen[run.name]})" if seen[run.name] > 1 else ""
        named.append(dataclasses.replace(run, name=run.name + number_of))
    return tuple(named)


def _correlations(returns: FloatArray) -> FloatArray:
    centred = returns - returns.mean(axis=0)
    deviation = np.sqrt((centred**2).sum(axis=0))
    deviation[deviation <= 1e-15] = np.nan
    scaled: FloatArray = centred / deviation
    return np.clip(scaled.T @ scaled, -1.0, 1.0)


def _day(moment: int) -> str:
    return day(np.datetime64(moment, "ns").astype("datetime64[us]").item())
