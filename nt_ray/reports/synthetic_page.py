"""The page of synthetic paths: lagged correlations, quantiles and distances beside the history.

It knows the facts of each source and nothing of how its paths came about.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.neural.synthetic.dependence import KINDS
from nt_ray.neural.synthetic.stylised_facts import Facts, distances
from nt_ray.reports.formats import label, number, text
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.style import BENCHMARK, INK, PALETTE, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.types import FloatArray

TITLES = {
    "returns": "Autocorrelation of returns",
    "absolute": "Autocorrelation of absolute returns",
    "squares": "Autocorrelation of squared returns",
    "leverage": "Leverage: return with later squared return",
}
COLUMNS = {
    "returns": ("ACF r", 4),
    "absolute": ("ACF |r|", 4),
    "squares": ("ACF r²", 4),
    "leverage": ("Leverage", 3),
    "emd": ("EMD", 5),
    "deviation": ("Deviation, ratio", 3),
    "skew": ("Skew", 2),
    "excess_kurtosis": ("Kurtosis", 2),
    "hill_low": ("Tail of losses", 2),
    "hill_high": ("Tail of gains", 2),
    "coarse_fine": ("Coarse to fine", 3),
}
"""Columns of the tables of distances, and their decimals."""
NOTE = (
    "Autocorrelations: root mean square over lags between the history's curve and the mean curve of the paths; "
    "leverage: Euclidean length; the others are paths less history. A history is one draw: part of each distance is "
    "its own noise, and a bootstrap copies that too. Past results do not tell future ones."
)
MARKS = 200
"""Quantiles of the plot against the history's."""


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticReport:
    """Facts of a history and of each source of paths; `others` are histories that no source was fitted to."""

    name: str
    period: str
    history: Facts
    sources: Mapping[str, Facts]
    others: Mapping[str, Facts]
    note: str = ""
    """What a reader should know of how the sources were fitted; plain text."""


def write_synthetic(report: SyntheticReport, path: str | Path) -> Path:
    """Write the page to `path` and return it."""
    return write_page(path, render_synthetic(report))


def render_synthetic(report: SyntheticReport) -> str:
    """Render the page of a report."""
    drawn = {kind: curve(report, i) for i, kind in enumerate(KINDS)} | {"quantiles": quantiles(report)}
    plots = {kind: section(kind, TITLES[kind], plot(kind, drawn)) for kind in KINDS}
    tables = [
        section(f"distances-{i}", f"Distances from {text(name)}", distance_table(real, report.sources))
        for i, (name, real) in enumerate({report.period: report.history, **report.others}.items())
    ]
    body = (
        f'<div class="stack">{tables[0]}</div>',
        pair(plots["returns"], plots["absolute"]),
        pair(plots["squares"], plots["leverage"]),
        '<div class="stack">',
        section("quantiles", "Quantiles against the history's", plot("quantiles", drawn)),
        *tables[1:],
        "</div>",
    )
    return render_page(
        name=f"Synthetic paths of {report.name}",
        kind="synthetic paths",
        facts=f"fitted to {text(report.period)} · {len(report.sources)} sources of paths",
        body="\n".join(body),
        figures=drawn,
        note=f"{text(report.note)} {NOTE}",
    )


def curve(report: SyntheticReport, place: int) -> Figure:
    """One curve of dependence over lags, of the history and of each source."""
    lags = np.arange(1, report.history.curves.shape[1] + 1)
    traces = [_line(lags, report.history.curves[place], report.period, BENCHMARK)]
    traces += [
        _line(lags, source.curves[place], name, PALETTE[i % len(PALETTE)])
        for i, (name, source) in enumerate(report.sources.items())
    ]
    axis = {"title": {"text": "lag"}}
    return {"data": traces, "layout": layout(320, xaxis=axis, yaxis={"tickformat": ".2f"})}


def quantiles(report: SyntheticReport) -> Figure:
    """Quantiles of each source against those of the history; on the diagonal where they agree."""
    # Evenly in the logit of the level, so that the tails have their share of marks.
    levels = 1.0 / (1.0 + np.exp(-np.linspace(-7.5, 7.5, MARKS)))
    rows = np.unique((levels * len(report.history.quantiles)).astype(np.int64))
    real = report.history.quantiles[rows]
    diagonal = _line(real[[0, -1]], real[[0, -1]], "same as the history", INK)
    diagonal["line"]["dash"] = "dot"
    traces = [diagonal]
    for i, (name, source) in enumerate(report.sources.items()):
        trace = _line(real, source.quantiles[rows], name, PALETTE[i % len(PALETTE)])
        traces.append(trace | {"mode": "markers", "marker": {"color": PALETTE[i % len(PALETTE)], "size": 5}})
    form = {"tickformat": ".1%"}
    changes: dict[str, Any] = {"xaxis": {**form, "title": {"text": "quantile of the history"}}, "yaxis": form}
    return {"data": traces, "layout": layout(420, hovermode="closest", **changes)}


def distance_table(history: Facts, sources: Mapping[str, Facts]) -> str:
    """Distances of each source from a history."""
    rows = []
    for name, source in sources.items():
        found = asdict(distances(history, source))
        rows.append([text(name), *(number(found[key], decimals) for key, (_, decimals) in COLUMNS.items())])
    return table(["", *(title for title, _ in COLUMNS.values())], rows, kind="sortable")


def _line(across: FloatArray, values: FloatArray, name: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name),
        "x": np.round(across, 6).tolist(),
        "y": np.round(values, 6).tolist(),
        "line": {"color": colour, "width": 1.4},
    }
