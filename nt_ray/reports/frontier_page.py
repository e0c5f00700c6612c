"""The page of an optimisation: the efficient frontier with the chosen portfolio and the assets, and the weights.

It knows points and weights and nothing of how they were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nt_ray.reports.formats import label, percent, text
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.style import LOSS, MUTED, PALETTE, STRATEGY, Figure, layout
from nt_ray.reports.tables import table

MOST_AREAS = 12
"""Assets whose share along the frontier has an area of its own; the rest are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A portfolio or an asset by its annual figures."""

    name: str
    volatility: float
    expected: float
    weights: tuple[float, ...] = ()
    """(N,) of a portfolio; empty for an asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierRecord:
    """An optimisation to be shown."""

    title: str
    symbols: tuple[str, ...]
    chosen: Point
    frontier: tuple[Point, ...]
    assets: tuple[Point, ...]
    facts: Sequence[tuple[str, str]]
    """What is known of the solution, by name."""


def write_frontier(record: FrontierRecord, path: str | Path) -> Path:
    """Write the page to `path` and return it."""
    return write_page(path, render_frontier(record))


def render_frontier(record: FrontierRecord) -> str:
    """Render the page of an optimisation as one HTML document."""
    drawn = {"frontier": _curve(record), "weights": _weights(record)}
    if len(record.frontier) > 1:
        drawn["shares"] = _shares(record)
    chosen = record.chosen
    facts = (
        f"expected {percent(chosen.expected)} a year · volatility {percent(chosen.volatility)} · "
        f"{len(record.symbols):,} symbols"
    )
    return render_page(
        name=record.title,
        kind="optimisation",
        facts=facts,
        body=_body(record, drawn),
        figures=drawn,
        note="Expected returns and risk are estimates from the past; an optimum is only as good as they are.",
    )


def _body(record: FrontierRecord, drawn: dict[str, Any]) -> str:
    says = "<p>Each point of the curve is the calmest portfolio of its return under the same constraints.</p>"
    shares = "<p>How the weights change from the calmest portfolio to the boldest.</p>"
    rows = sorted(zip(record.symbols, record.chosen.weights, strict=True), key=lambda pair: -abs(pair[1]))
    held = [[text(symbol), percent(weight)] for symbol, weight in rows if abs(weight) > 1e-9]
    return "\n".join(
        (
            '<div class="stack">',
            section("frontier", "Efficient frontier", says + plot("frontier", drawn)),
            section("shares", "Weights along the frontier", shares + plot("shares", drawn)),
            "</div>",
            pair(
                section("weights", "Chosen weights", plot("weights", drawn)),
                section(
                    "solution",
                    "Solution",
                    table(["", ""], [[text(k), text(v)] for k, v in record.facts])
                    + f'<div class="tall">{table(["Symbol", "Weight"], held, kind="sortable")}</div>',
                ),
            ),
        )
    )


def _curve(record: FrontierRecord) -> Figure:
    hover = "%{text}: %{y:.2%} at %{x:.2%}<extra></extra>"
    kinds: list[tuple[str, Sequence[Point], dict[str, Any]]] = [
        ("assets", record.assets, {"mode": "markers", "marker": {"color": MUTED, "size": 7}}),
        ("efficient frontier", record.frontier, {"mode": "lines+markers", "line": {"color": STRATEGY, "width": 2}}),
        ("chosen", [record.chosen], {"mode": "markers", "marker": {"color": LOSS, "size": 13, "symbol": "star"}}),
    ]
    traces = [
        {
            "type": "scatter", "name": name, "x": [round(p.volatility, 6) for p in points],
            "y": [round(p.expected, 6) for p in points], "text": [label(p.name) for p in points],
            "hovertemplate": hover, **more,
        }
        for name, points, more in kinds
        if points
    ]  # fmt: skip
    axes: dict[str, Any] = {
        "xaxis": {"tickformat": ".0%", "title": {"text": "volatility a year"}, "showgrid": True},
        "yaxis": {"tickformat": ".0%", "title": {"text": "expected return a year"}},
    }
    return {"data": traces, "layout": {**layout(460, **axes), "hovermode": "closest"}}


def _weights(record: FrontierRecord) -> Figure:
    rows = sorted(zip(record.symbols, record.chosen.weights, strict=True), key=lambda pair: -abs(pair[1]))
    rows = [row for row in rows if abs(row[1]) > 1e-9][:40]
    trace = {
        "type": "bar", "orientation": "h", "y": [label(symbol) for symbol, _ in rows],
        "x": [round(weight, 6) for _, weight in rows], "marker": {"color": STRATEGY}, "name": "weight",
        "hovertemplate": "%{y}: %{x:.2%}<extra></extra>",
    }  # fmt: skip
    shape = layout(90 + 22 * len(rows), xaxis={"tickformat": ".0%", "showgrid": True}, yaxis={"autorange": "reversed"})
    return {"data": [trace], "layout": {**shape, "hovermode": "closest", "showlegend": False}}


def _shares(record: FrontierRecord) -> Figure:
    """Weights over the return asked for, stacked; the assets that matter most by name."""
    across = [round(point.expected, 6) for point in record.frontier]
    sizes = {i: max(abs(point.weights[i]) for point in record.frontier) for i in range(len(record.symbols))}
    ranked = sorted((i for i in sizes if sizes[i] > 1e-6), key=lambda i: -sizes[i])
    named, rest = ranked[:MOST_AREAS], ranked[MOST_AREAS:]
    rows = [(label(record.symbols[i]), [point.weights[i] for point in record.frontier]) for i in named]
    if rest:
        rows.append(("others", [sum(point.weights[i] for i in rest) for point in record.frontier]))
    traces = [
        {
            "type": "scatter", "mode": "lines", "stackgroup": "weights", "name": name, "x": across,
            "y": [round(value, 6) for value in values],
            "line": {"width": 0.5, "color": PALETTE[place % len(PALETTE)]},
        }
        for place, (name, values) in enumerate(rows)
    ]  # fmt: skip
    axes: dict[str, Any] = {
        "xaxis": {"tickformat": ".0%", "title": {"text": "expected return a year"}},
        "yaxis": {"tickformat": ".0%"},
    }
    return {"data": traces, "layout": layout(340, **axes)}
