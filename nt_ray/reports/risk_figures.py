"""Figures of a risk report as plotly data; each function takes the report and draws nothing itself."""

from typing import Any

import numpy as np

from nt_ray.reports.formats import label
from nt_ray.reports.style import BENCHMARK, INK, LOSS, PALETTE, STRATEGY, Figure, layout
from nt_ray.reports.thinning import thin
from nt_ray.risk.report.model_tests import ModelTest
from nt_ray.risk.report.report import RiskReport
from nt_ray.risk.report.stresses import StressRow

MOST_BARS = 40
"""Positions that are drawn by name, the largest contributions first."""
WARM, COOL = "#b3261e", "#0b5cad"


def figures_of(report: RiskReport) -> dict[str, Figure]:
    """Every figure that this report has the numbers for."""
    drawn = {"tails": tails(report), "drawdown": drawdown(report), "stress": stress(report)}
    if any(part.rows for part in report.components):
        drawn["components"] = components(report)
    tested = first_tested(report)
    if tested is not None:
        drawn["rolling"] = rolling(tested)
    if report.dependence is not None:
        drawn["correlation"] = _heat(report.dependence.symbols, report.dependence.correlation, -1.0)
        drawn["tail"] = _heat(report.dependence.symbols, report.dependence.tail, 0.0)
    return drawn


def first_tested(report: RiskReport) -> ModelTest | None:
    """First measure that could be rolled over history."""
    return next((test for test in report.model_tests if test.rolled is not None), None)


def tails(report: RiskReport) -> Figure:
    """Value at risk of each method over the first horizon, a colour for each confidence."""
    horizon = report.tails[0].horizon
    traces: list[dict[str, Any]] = []
    for place, confidence in enumerate(sorted({row.confidence for row in report.tails})):
        rows = [r for r in report.tails if r.horizon == horizon and r.confidence == confidence and r.var is not None]
        traces += [
            {
                "type": "bar", "name": f"{what} {confidence:.4g}", "x": [label(row.method) for row in rows],
                "y": [_round(row.var if what == "VaR" else row.es) for row in rows],
                "marker": {"color": PALETTE[place % len(PALETTE)]}, "opacity": 1.0 if what == "VaR" else 0.45,
                "hovertemplate": "%{x}: %{y:.3%}<extra></extra>",
            }
            for what in ("VaR", "ES")
        ]  # fmt: skip
    shape = layout(380, yaxis={"tickformat": ".1%", "rangemode": "tozero"}, xaxis={"tickangle": -30})
    return {"data": traces, "layout": {**shape, "barmode": "group", "hovermode": "closest"}}


def components(report: RiskReport) -> Figure:
    """Component expected shortfall of each position beside its component VaR, largest first."""
    part = next(part for part in report.components if part.rows)
    ranked = sorted(part.rows, key=lambda row: -abs(row.component_es))[:MOST_BARS]
    names = [label(row.symbol) for row in ranked]
    kinds = {
        "component VaR": ([row.component_var for row in ranked], BENCHMARK),
        "component ES": ([row.component_es for row in ranked], STRATEGY),
    }
    traces = [
        {
            "type": "bar", "orientation": "h", "name": f"{name} {part.confidence:.4g}, {part.method}", "y": names,
            "x": [_round(value) for value in values], "marker": {"color": colour},
            "hovertemplate": "%{y}: %{x:.3%}<extra></extra>",
        }
        for name, (values, colour) in kinds.items()
    ]  # fmt: skip
    shape = layout(
        110 + 34 * len(names), xaxis={"tickformat": ".2%", "showgrid": True}, yaxis={"autorange": "reversed"}
    )
    return {"data": traces, "layout": {**shape, "barmode": "group", "hovermode": "closest"}}


def rolling(test: ModelTest) -> Figure:
    """Returns, the VaR that was forecast for each, and the days that broke it."""
    if test.rolled is None:
        return {"data": [], "layout": layout(360)}
    made = test.rolled
    lower, returns = -np.array(made.var), np.array(made.realised)
    rows = thin(returns)
    broken = [at for at, hit in enumerate(made.violations) if hit]
    traces: list[dict[str, Any]] = [
        {"type": "bar", "name": "return", "x": [made.times[at] for at in rows], "y": _rounded(returns[rows]),
         "marker": {"color": BENCHMARK}},
        {"type": "scatter", "mode": "lines", "name": f"minus VaR {test.confidence:.4g}, {label(test.method)}",
         "x": [made.times[at] for at in rows], "y": _rounded(lower[rows]), "line": {"color": INK, "width": 1.4}},
        {"type": "scatter", "mode": "markers", "name": f"exceptions ({len(broken)})",
         "x": [made.times[at] for at in broken], "y": _rounded(returns[broken]),
         "marker": {"color": LOSS, "size": 8, "symbol": "x"}},
    ]  # fmt: skip
    return {"data": traces, "layout": layout(400, yaxis={"tickformat": ".1%"}, bargap=0.0)}


def stress(report: RiskReport) -> Figure:
    """Loss of each crisis and shock that could be applied, largest first."""
    rows = sorted((row for row in report.stress.rows if row.loss is not None), key=lambda row: -(row.loss or 0.0))
    names = {"window": ("history replayed", STRATEGY), "shock": ("named and own shocks", "#d9822b")}
    traces = [
        {
            "type": "bar", "orientation": "h", "name": name, "marker": {"color": colour},
            "y": [_crisis(row) for row in rows if row.kind == kind],
            "x": [_round(row.loss) for row in rows if row.kind == kind],
            "hovertemplate": "%{y}: %{x:.2%}<extra></extra>",
        }
        for kind, (name, colour) in names.items()
        if any(row.kind == kind for row in rows)
    ]  # fmt: skip
    order = {"categoryorder": "array", "categoryarray": [_crisis(row) for row in rows], "autorange": "reversed"}
    shape = layout(110 + 26 * len(rows), xaxis={"tickformat": ".0%", "showgrid": True}, yaxis=order)
    return {"data": traces, "layout": {**shape, "barmode": "overlay", "hovermode": "closest"}}


def drawdown(report: RiskReport) -> Figure:
    """Fall from the peak of today's weights over the history."""
    fallen = np.array(report.path.drawdown)
    rows = thin(fallen)
    trace = {
        "type": "scatter", "mode": "lines", "name": "drawdown at today's weights", "fill": "tozeroy",
        "x": [report.path.times[at] for at in rows], "y": _rounded(fallen[rows]),
        "line": {"color": LOSS, "width": 1.2}, "fillcolor": "rgba(179, 38, 30, 0.15)",
    }  # fmt: skip
    return {"data": [trace], "layout": layout(280, yaxis={"tickformat": ".0%", "rangemode": "tozero"})}


def _heat(symbols: tuple[str, ...], matrix: tuple[tuple[float, ...], ...], low: float) -> Figure:
    names = [label(symbol) for symbol in symbols]
    scale = [[0.0, COOL], [0.5, "#ffffff"], [1.0, WARM]] if low < 0.0 else [[0.0, "#ffffff"], [1.0, WARM]]
    trace = {
        "type": "heatmap", "x": names, "y": names, "z": [_rounded(np.array(row), 3) for row in matrix],
        "zmin": low, "zmax": 1.0, "colorscale": scale, "hovertemplate": "%{y} and %{x}: %{z:.2f}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0},
    }  # fmt: skip
    shape = layout(max(300, 90 + 22 * len(names)), yaxis={"autorange": "reversed"})
    return {"data": [trace], "layout": {**shape, "hovermode": "closest", "showlegend": False}}


def _crisis(row: StressRow) -> str:
    # A crisis may be known both as a window and as a shock.
    return label(row.name if row.kind == "window" else f"{row.name} (shock)")


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 7)


def _rounded(values: np.ndarray, decimals: int = 6) -> list[float]:
    rounded: list[float] = np.round(values, decimals).tolist()
    return rounded
