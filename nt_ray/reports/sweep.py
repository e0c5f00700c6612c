"""A page of a search or a sweep: where in the space the good results lie, and what they were worth on unseen days.

It takes any table of candidates, one row each, with columns of parameters and metrics, wherever the table came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from nt_ray.errors import ReportError
from nt_ray.reports.formats import label, number, text
from nt_ray.reports.importance import importance, importance_figure
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.style import GRID, INK, MUTED, STRATEGY, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.types import FloatArray

MAX_CELLS = 40
"""Distinct values of a parameter up to which each may have a row or column of its own."""

MAX_BINS = 12
MAX_LINES = 400
"""Best candidates that stand in the parallel coordinates; more are a grey cloth."""

SHOWN = 50
"""Rows of the table."""

SCALE = [[0.0, "#f3e9d2"], [0.35, "#a9c8de"], [0.7, "#3b84c0"], [1.0, "#0a3a70"]]
BANDS = ("#0a3a70", "#3b84c0", "#a9c8de", "#dccfae")
"""Colours of the best quarter, the second, the third, the last."""

How = Literal["max", "median"]


@dataclass(frozen=True, slots=True)
class Axis:
    """Cells of one parameter: their edges or values, their names, and the cell of each row."""

    names: tuple[str, ...]
    cells: tuple[int, ...]


def write_sweep(frame: pl.DataFrame, names: Sequence[str], path: str | Path, *, title: str, metric: str) -> Path:
    """Write the page of a table of candidates to `path` and return it.

    `names` are the columns of parameters; `metric` is the column by which candidates are coloured, more is better.
    """
    return write_page(path, render_sweep(frame, names, title=title, metric=metric))


def render_sweep(frame: pl.DataFrame, names: Sequence[str], *, title: str, metric: str) -> str:
    """Render the page of a table of candidates as one HTML document."""
    _check(frame, names, metric)
    frame = frame.sort(metric, descending=True, nulls_last=True)
    scored = frame.filter(pl.col(metric).is_not_null() & pl.col(metric).is_finite())
    drawn = _figures(scored, list(names), metric)
    best = scored.row(0, named=True) if scored.height else None
    found = "none has a defined score" if best is None else f"best {text(metric)} {number(best[metric], 4)}"
    facts = f"{number(float(frame.height), 0)} candidates · {number(float(len(names)), 0)} parameters · {found}"
    return render_page(
        name=title, kind="search", facts=facts, body=_body(frame, list(names), metric, drawn), figures=drawn
    )


def heatmap(frame: pl.DataFrame, x: str, y: str, metric: str, how: How) -> Figure:
    """Heat map of a metric over two parameters; where several candidates share a cell, their largest or median.

    Cells without a candidate stay empty. A parameter whose values hardly repeat, as those of a random search, is cut
    into bins of equal width.
    """
    across, along = axis_of(frame, x), axis_of(frame, y)
    values = frame[metric].cast(pl.Float64).to_numpy()
    rows: list[list[float | None]] = []
    for j in range(len(along.names)):
        here = np.array(along.cells) == j
        rows.append([_gathered(values[here & (np.array(across.cells) == i)], how) for i in range(len(across.names))])
    trace = {
        "type": "heatmap",
        "x": list(across.names),
        "y": list(along.names),
        "z": rows,
        "colorscale": SCALE,
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": ".3~g"},
        "hovertemplate": f"{label(x)} %{{x}}<br>{label(y)} %{{y}}<br>{label(metric)} %{{z:.4f}}<extra></extra>",
    }
    axis = {"type": "category", "showgrid": False}
    return {
        "data": [trace],
        "layout": layout(
            420,
            xaxis={**axis, "title": {"text": label(x)}},
            yaxis={**axis, "title": {"text": label(y)}},
            hovermode="closest",
            showlegend=False,
        ),
    }


def axis_of(frame: pl.DataFrame, name: str) -> Axis:
    """Cut the values of a parameter into cells, smallest first."""
    values = frame[name].cast(pl.Float64).to_numpy()
    distinct = np.unique(values)
    if len(distinct) <= min(MAX_CELLS, max(len(values) // 2, 2)):
        return Axis(tuple(f"{v:g}" for v in distinct), tuple(np.searchsorted(distinct, values).tolist()))
    bins = int(np.clip(round(np.sqrt(len(values))), 4, MAX_BINS))
    edges = np.linspace(distinct[0], distinct[-1], bins + 1)
    cells = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    names = tuple(f"{low:.3g} – {high:.3g}" for low, high in pairwise(edges))
    return Axis(names, tuple(cells.tolist()))


def parallel(frame: pl.DataFrame, names: Sequence[str], metrics: Sequence[str]) -> Figure:
    """Parallel coordinates: one line a candidate through its parameters and metrics, coloured by its rank.

    The frame is ordered best first. Each axis runs from the smallest to the largest value in the table.
    """
    columns = [*names, *metrics]
    best = frame.head(MAX_LINES)
    values = [best[c].cast(pl.Float64).to_numpy() for c in columns]
    heights = np.column_stack([_scaled(v) for v in values])
    bands = np.minimum(np.arange(best.height) * len(BANDS) // max(best.height, 1), len(BANDS) - 1)
    traces = []
    titles = ("best quarter", "second", "third", "last quarter")
    # The best are drawn last, above the others.
    for band in reversed(range(len(BANDS))):
        xs: list[float | None] = []
        ys: list[float | None] = []
        hover: list[str | None] = []
        for row in np.flatnonzero(bands == band).tolist():
            told = "<br>".join(f"{label(c)} {best[c][row]:.4g}" for c in columns if best[c][row] is not None)
            xs += [*range(len(columns)), None]
            ys += [*(None if np.isnan(h) else round(float(h), 4) for h in heights[row]), None]
            hover += [told] * len(columns) + [None]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": titles[band],
                "legendrank": band,
                "x": xs,
                "y": ys,
                "text": hover,
                "line": {"color": BANDS[band], "width": 1.6 if band == 0 else 1},
                "opacity": max(0.25, min(0.9, 60 / max(best.height, 1))) if band else 0.9,
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    hidden = {"visible": False, "range": [-0.12, 1.12]}
    return {
        "data": traces,
        "layout": layout(
            430,
            xaxis={"visible": False, "range": [-0.25, len(columns) - 0.75]},
            yaxis=hidden,
            hovermode="closest",
            shapes=[_pole(i) for i in range(len(columns))],
            annotations=[a for i, c in enumerate(columns) for a in _scale_of(i, c, values[i])],
            margin={"l": 30, "r": 30, "t": 52, "b": 8},
            legend={"y": 1.05},
        ),
    }


def against_held_out(frame: pl.DataFrame, train: str, test: str) -> Figure:
    """One dot a candidate: the metric it was chosen by, against the same on days it was not chosen by."""
    pairs = frame.filter(pl.col(train).is_not_null() & pl.col(test).is_not_null())
    xs, ys = pairs[train].to_list(), pairs[test].to_list()
    ends = [min(xs, default=0.0), max(xs, default=1.0)]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "candidates",
        "x": xs,
        "y": ys,
        "marker": {"color": STRATEGY, "size": 8, "opacity": 0.75, "line": {"color": "#ffffff", "width": 1}},
        "hovertemplate": "training %{x:.3f}<br>held out %{y:.3f}<extra></extra>",
    }
    even = {
        "type": "scatter",
        "mode": "lines",
        "name": "as good as in training",
        "x": ends,
        "y": ends,
        "line": {"color": MUTED, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }
    return {
        "data": [even, dots],
        "layout": layout(
            420,
            xaxis={"title": {"text": "training"}, "showgrid": True},
            yaxis={"title": {"text": "held out"}},
            hovermode="closest",
        ),
    }


def along(frame: pl.DataFrame, name: str, metric: str) -> Figure:
    """A metric against one parameter."""
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": frame[name].to_list(),
        "y": frame[metric].to_list(),
        "marker": {"color": STRATEGY, "size": 7, "opacity": 0.7},
        "hovertemplate": f"{label(name)} %{{x}}<br>{label(metric)} %{{y:.4f}}<extra></extra>",
    }
    axis = {"title": {"text": label(name)}, "showgrid": True}
    shape = layout(420, xaxis=axis, yaxis={"title": {"text": label(metric)}}, hovermode="closest", showlegend=False)
    return {"data": [dots], "layout": shape}


def _figures(scored: pl.DataFrame, names: list[str], metric: str) -> dict[str, Figure]:
    if scored.height == 0:
        return {}
    wide = sorted(names, key=lambda n: -scored[n].n_unique())
    drawn: dict[str, Figure] = {}
    if len(wide) > 1:
        first, second = sorted(wide[:2], key=names.index)
        drawn["best"] = heatmap(scored, first, second, metric, "max")
        median = heatmap(scored, first, second, metric, "median")
        # With one candidate to a cell both are the same picture.
        if median["data"][0]["z"] != drawn["best"]["data"][0]["z"]:
            drawn["median"] = median
    else:
        drawn["along"] = along(scored, wide[0], metric)
    others = ("train_max_drawdown", "train_cagr", "max_drawdown", "cagr")
    metrics = [metric, *(c for c in others if c in scored.columns and c != metric)]
    drawn["parallel"] = parallel(scored, names, metrics)
    shares = importance(scored, names, metric) if len(names) > 1 else {}
    if shares:
        drawn["importance"] = importance_figure(shares)
    held_out = _held_out_column(scored, metric)
    if held_out is not None:
        drawn["held-out"] = against_held_out(scored, metric, held_out)
    return drawn


def _body(frame: pl.DataFrame, names: list[str], metric: str, drawn: dict[str, Figure]) -> str:
    if "median" in drawn:
        rest = " over the other parameters" if len(names) > 2 else " in each cell"
        best = section("best", f"Best{rest}", plot("best", drawn))
        maps = pair(best, section("median", f"Median{rest}", plot("median", drawn)))
    else:
        only = "best" if "best" in drawn else "along"
        maps = f'<div class="stack">{section(only, text(metric.replace("_", " ")), plot(only, drawn))}</div>'
    lines = section("parallel", "Candidates, best above the others", plot("parallel", drawn))
    title = f"Share of {text(metric.replace('_', ' '))} that each parameter explains alone"
    bars = section("importance", title, plot("importance", drawn)) if "importance" in drawn else ""
    dots = section("held-out", "Training against held-out days", plot("held-out", drawn)) if "held-out" in drawn else ""
    rows = section("candidates", "Candidates", f'<div class="tall">{_table(frame, names)}</div>')
    return f'{maps}<div class="stack">{lines}{bars}{dots}{rows}</div>'


def _table(frame: pl.DataFrame, names: list[str]) -> str:
    columns = [*names, *(c for c in frame.columns if c not in names and frame[c].dtype.is_numeric())]
    rows = [[_number(row[c]) for c in columns] for row in frame.head(SHOWN).iter_rows(named=True)]
    return table([text(c.replace("_", " ")) for c in columns], rows, left=0, kind="sortable")


def _number(value: float | None) -> str:
    whole = value is not None and float(value).is_integer() and abs(value) < 1e9
    return number(value, 0 if whole else 4)


def _check(frame: pl.DataFrame, names: Sequence[str], metric: str) -> None:
    missing = [c for c in (*names, metric) if c not in frame.columns]
    if missing or not names:
        raise ReportError(
            f"The table lacks column {missing[0]!r}. It has: {', '.join(frame.columns)}."
            if missing
            else "No parameter is named. Name at least one column of parameters."
        )
    if frame.height == 0:
        raise ReportError("The table has no candidates. Report on a search that has tried at least one.")


def _held_out_column(frame: pl.DataFrame, metric: str) -> str | None:
    """Column of the same metric on held-out days: that whose training twin holds the very scores."""
    for column in frame.columns:
        if not column.startswith("train_") or f"test_{column[6:]}" not in frame.columns:
            continue
        twin = f"test_{column[6:]}"
        if frame[column].equals(frame[metric].alias(column)) and frame[twin].is_not_null().any():
            return twin
    return None


def _gathered(values: FloatArray, how: How) -> float | None:
    if len(values) == 0:
        return None
    return float(np.max(values) if how == "max" else np.median(values))


def _scaled(values: FloatArray) -> FloatArray:
    low, high = np.nanmin(values), np.nanmax(values)
    scaled: FloatArray = (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, 0.5)
    return scaled


def _pole(place: int) -> dict[str, Any]:
    line = {"color": GRID, "width": 2}
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _scale_of(place: int, name: str, values: FloatArray) -> list[dict[str, Any]]:
    """Name of a coordinate above its pole, and its largest and smallest value at the ends."""
    name_font, end_font = {"size": 12, "color": INK}, {"size": 11, "color": MUTED}
    texts = (
        (1.11, label(name.replace("_", " ")), name_font),
        (1.045, f"{np.nanmax(values):.4g}", end_font),
        (-0.05, f"{np.nanmin(values):.4g}", end_font),
    )
    return [{"x": place, "y": y, "text": shown, "showarrow": False, "font": font} for y, shown, font in texts]
