"""Figures of a run over time, and of its agents, as plotly data.

Each function takes a record and returns a figure of at most a few thousand points. Nothing is drawn here.
"""

from typing import Any

import numpy as np
import polars as pl

from nt_ray.backtest.metrics import Drawdown, drawdown_table, drawdowns
from nt_ray.reports.formats import label, stamps
from nt_ray.reports.record import RunRecord
from nt_ray.reports.style import BENCHMARK, INK, LOSS, MUTED, SHADE, STRATEGY, Figure, colours, layout
from nt_ray.reports.thinning import thin
from nt_ray.types import FloatArray

MAX_NAMED_BARS = 40
"""Agents with more bars than this stand side by side without names."""


def equity(record: RunRecord) -> Figure:
    """Equity of strategy and benchmark, on a log axis where they spread."""
    traces = [
        _line(record, record.benchmark, label(record.benchmark_name), BENCHMARK, 2),
        _line(record, record.equity, label(record.name), STRATEGY, 2),
    ]
    traces[1]["line"]["width"] = 2
    scale = "log" if record.spreads else "linear"
    return {"data": traces, "layout": layout(500, yaxis={"tickformat": ",.4~s", "type": scale})}


def underwater(record: RunRecord) -> Figure:
    """Drawdowns of strategy and benchmark, the strategy's five deepest shaded and numbered."""
    own = drawdowns(record.equity_curve)[1:]
    other = drawdowns(record.benchmark_curve)[1:]
    traces = [
        _line(record, other, label(record.benchmark_name), BENCHMARK, 5),
        _line(record, own, label(record.name), LOSS, 5, fill="tozeroy", fillcolor="rgba(179, 38, 30, 0.15)"),
    ]
    worst = drawdown_table(record.times, record.equity_curve)
    return {
        "data": traces,
        "layout": layout(
            260,
            yaxis={"tickformat": ".0%", "rangemode": "tozero"},
            shapes=[_shade(d, record) for d in worst],
            annotations=[_rank(i, d) for i, d in enumerate(worst, 1)],
        ),
    }


def exposure(record: RunRecord) -> Figure:
    """Gross and net exposure over equity."""
    traces = [
        _line(record, record.gross, "gross", STRATEGY, 4),
        _line(record, record.net, "net", "#d9822b", 4),
    ]
    return {"data": traces, "layout": layout(330, yaxis={"tickformat": ".0%", "rangemode": "tozero"})}


def costs(record: RunRecord) -> Figure:
    """Costs paid so far."""
    area = {"fill": "tozeroy", "fillcolor": "rgba(107, 119, 133, 0.12)"}
    trace = _line(record, record.costs, "cumulative costs", MUTED, 2, **area)
    return {"data": [trace], "layout": layout(240, yaxis={"tickformat": ",.3~s", "rangemode": "tozero"})}


def traded_value(record: RunRecord) -> Figure:
    """Value of all fills in each month."""
    months = (
        record.trades.select(
            month=pl.col("time").dt.strftime("%Y-%m"),
            value=pl.col("quantity").cast(pl.Float64).abs() * pl.col("price").cast(pl.Float64),
        )
        .group_by("month")
        .agg(pl.col("value").sum())
        .sort("month")
    )
    trace = {
        "type": "bar",
        "x": [f"{m}-15" for m in months["month"].to_list()],
        "y": _rounded(months["value"].to_numpy(), 2),
        "name": "traded value by month",
        "marker": {"color": STRATEGY},
        "hovertemplate": "%{y:,.0f}<extra></extra>",
        "xhoverformat": "%b %Y",
    }
    return {"data": [trace], "layout": layout(240, yaxis={"tickformat": ",.3~s"}, bargap=0.15)}


def contributions(record: RunRecord) -> Figure:
    """Return of each agent's own paper account, best first, coloured by strategy."""
    agents = record.ranked_agents
    named = agents.height <= MAX_NAMED_BARS
    names = [label(n) for n in agents["name"].to_list()]
    strategies = [str(s) for s in agents["strategy"].to_list()]
    values = _rounded(agents["contribution"].to_numpy(), 6)
    shades = colours([str(s) for s in record.agents["strategy"].to_list()])
    traces = []
    for strategy, colour in shades.items():
        rows = [i for i, s in enumerate(strategies) if s == strategy]
        across: list[Any] = [values[i] for i in rows]
        places: list[Any] = rows
        trace: dict[str, Any] = {
            "type": "bar",
            "name": label(strategy),
            "marker": {"color": colour},
            "orientation": "h" if named else "v",
            # Each strategy is a trace of its own, and plotly would size bars by the gaps inside a trace.
            "width": 0.7 if named else 0.9,
            "x": across if named else places,
            "y": places if named else across,
            "text": [names[i] for i in rows],
            "textposition": "none",
            "hovertemplate": "%{text}: %{" + ("x" if named else "y") + ":.2%}<extra></extra>",
        }
        traces.append(trace)
    value_axis = {"tickformat": ".1%", "showgrid": True}
    name_axis: dict[str, Any] = {"showticklabels": named, "showgrid": False, "zeroline": False}
    if named:
        name_axis |= {"tickvals": list(range(len(names))), "ticktext": names}
        name_axis["range"] = [agents.height - 0.4, -0.6]
        shape = layout(90 + 22 * agents.height, xaxis=value_axis, yaxis=name_axis)
    else:
        name_axis["range"] = [-0.6, agents.height - 0.4]
        shape = layout(420, xaxis=name_axis, yaxis=value_axis)
    return {"data": traces, "layout": {**shape, "barmode": "overlay", "hovermode": "closest"}}


def _line(record: RunRecord, values: FloatArray, name: str, colour: str, decimals: int, **more: Any) -> dict[str, Any]:
    rows = thin(values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": stamps(record.times[rows]),
        "y": _rounded(values[rows], decimals),
        "line": {"color": colour, "width": 1.4},
        **more,
    }


def _rounded(values: FloatArray, decimals: int) -> list[float | None]:
    """Values for JSON: rounded, None where not finite."""
    shown = np.round(values, decimals).tolist()
    return [v if fine else None for v, fine in zip(shown, np.isfinite(values).tolist(), strict=True)]


def _shade(drawdown: Drawdown, record: RunRecord) -> dict[str, Any]:
    end = drawdown.recovery or record.time(-1)
    span = {"x0": f"{drawdown.peak:%Y-%m-%dT%H:%M:%S}", "x1": f"{end:%Y-%m-%dT%H:%M:%S}", "y0": 0, "y1": 1}
    return {
        "type": "rect",
        "yref": "paper",
        "fillcolor": SHADE,
        "line": {"width": 0},
        "layer": "below",
        **span,
    }


def _rank(place: int, drawdown: Drawdown) -> dict[str, Any]:
    return {
        "x": f"{drawdown.trough:%Y-%m-%dT%H:%M:%S}",
        "y": round(drawdown.depth, 5),
        "text": str(place),
        "showarrow": False,
        "yanchor": "top",
        "font": {"size": 12, "color": INK},
    }
