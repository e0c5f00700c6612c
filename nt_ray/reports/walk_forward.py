"""The page of a walk-forward: the stitched account, windows, parameters over time, promise against result.

It knows the result and its report, and nothing of how they came about.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.backtest.measures.base import BARS, COUNT, FRACTION, MONEY, PROBABILITY, Measure
from nt_ray.backtest.measures.catalogue import GROUPS
from nt_ray.backtest.metrics import drawdowns
from nt_ray.backtest.research.walk_forward import WalkForward
from nt_ray.reports.formats import UNDEFINED, day, label, money, number, percent, stamps, text
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.style import BENCHMARK, LOSS, MUTED, PALETTE, SHADE, STRATEGY, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.reports.thinning import thin
from nt_ray.types import FloatArray, IntArray

SECTIONS = {
    "equity": "Equity",
    "windows": "Windows",
    "parameters": "Parameters",
    "belief": "Belief",
    "measures": "Measures",
}
"""Anchors of the page and their names, in order."""

Report = Mapping[str, Any]


def write_walk_forward(result: WalkForward, report: Report, path: str | Path) -> Path:
    """Write the page to `path` and return it."""
    return write_page(path, render_walk_forward(result, report))


def render_walk_forward(result: WalkForward, report: Report) -> str:
    """Render the page of a walk-forward and its `research_report`."""
    drawn = {
        "equity": _equity(result),
        "underwater": _underwater(result),
        "windows": _windows(result),
        "scatter": _scatter(result),
        **{f"parameter-{i}": _parameter(result, name) for i, name in enumerate(report["parameters"])},
    }
    summary = report["summary"]
    facts = (
        f"{day(result.study.panel.time(result.course.first))} to "
        f"{day(result.study.panel.time(result.windows[-1].test_after - 1))} · {summary['windows']} windows · "
        f"{summary['candidates']} candidates · judged by {text(report['metric'])}"
    )
    return render_page(
        name=f"{report['strategy']}, walk-forward",
        kind="walk-forward",
        facts=facts,
        body=_body(result, report, drawn),
        figures=drawn,
        links="".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS.items()),
        note=(
            "Parameters of each test window were chosen on earlier bars alone. Returns are simple and per bar; "
            f"{number(result.study.panel.periods_per_year, 0)} bars a year. Past results do not tell future ones."
        ),
    )


def _body(result: WalkForward, report: Report, drawn: Mapping[str, Figure]) -> str:
    parameters = "".join(plot(f"parameter-{i}", drawn) for i in range(len(report["parameters"])))
    return "\n".join(
        (
            f'<div class="tiles">{_tiles(report)}</div>',
            '<div class="stack">',
            section("equity", "Equity out of sample", plot("equity", drawn) + plot("underwater", drawn)),
            "</div>",
            pair(
                section("promise", "In sample and out of sample, by window", plot("windows", drawn)),
                section("scatter", "Promise and result", plot("scatter", drawn)),
            ),
            '<div class="stack">',
            section("parameters", "Parameters chosen", parameters),
            section("windows", "Windows", f'<div class="tall">{_windows_table(result, report)}</div>'),
            section("belief", "How far to believe it", _belief(report)),
            section("measures", "Measures", _measures(report)),
            "</div>",
        )
    )


def _tiles(report: Report) -> str:
    summary, metric = report["summary"], text(report["metric"])
    own = report["out_of_sample"]
    tiles = (
        (f"Out of sample, {metric}", number(summary["out_of_sample"]), f"defaults {number(summary['defaults'])}"),
        ("CAGR", percent(own["cagr"]), f"defaults {percent(report['defaults']['cagr'])}"),
        ("Max drawdown", percent(own["max_drawdown"]), f"defaults {percent(report['defaults']['max_drawdown'])}"),
        ("Efficiency", number(summary["efficiency"]), "mean out over in sample"),
        ("Deflated Sharpe", number(_in(report, "deflated_sharpe")), "of the best candidate"),
        ("Overfitting", percent(_in(report, "overfitting", "probability"), 0), "probability, by CSCV"),
    )
    return "".join(
        f'<div class="tile"><span>{name}</span><strong>{value}</strong><small>{beside}</small></div>'
        for name, value, beside in tiles
    )


def _in(report: Report, *keys: str) -> float | None:
    """Value inside the search section; None where it is undefined."""
    value: Any = report["search"]
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def _equity(result: WalkForward) -> Figure:
    traces = [
        _line(result.times, result.default_course.equity[1:], "default parameters", BENCHMARK, 2),
        _line(result.times, result.course.equity[1:], "refitted", STRATEGY, 2),
    ]
    starts = [_stamp(result, w.test_first) for w in result.windows]
    bands = [
        {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "x0": a, "x1": b, "fillcolor": SHADE, "line": {"width": 0},
         "layer": "below"}
        for a, b in zip(starts[::2], [*starts[1::2], _stamp(result, result.windows[-1].test_after - 1)], strict=False)
    ]  # fmt: skip
    return {"data": traces, "layout": layout(430, yaxis={"tickformat": ",.4~s"}, shapes=bands)}


def _underwater(result: WalkForward) -> Figure:
    own = drawdowns(result.course.equity)[1:]
    area = {"fill": "tozeroy", "fillcolor": "rgba(179, 38, 30, 0.15)"}
    trace = _line(result.times, own, "drawdown", LOSS, 5, **area)
    return {"data": [trace], "layout": layout(200, yaxis={"tickformat": ".0%", "rangemode": "tozero"})}


def _windows(result: WalkForward) -> Figure:
    starts = [_stamp(result, w.test_first) for w in result.windows]
    traces = [
        {"type": "bar", "name": name, "x": starts, "y": [_rounded(v) for v in values], "marker": {"color": colour}}
        for name, values, colour in (
            ("in sample", [w.in_sample for w in result.windows], BENCHMARK),
            ("out of sample", [w.out_of_sample for w in result.windows], STRATEGY),
        )
    ]
    return {"data": traces, "layout": layout(360, barmode="group", bargap=0.2)}


def _scatter(result: WalkForward) -> Figure:
    known = [w for w in result.windows if w.in_sample is not None and w.out_of_sample is not None]
    ends = [v for w in known for v in (w.in_sample, w.out_of_sample) if v is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "windows",
        "x": [_rounded(w.in_sample) for w in known],
        "y": [_rounded(w.out_of_sample) for w in known],
        "text": [_stamp(result, w.test_first) for w in known],
        "marker": {"color": STRATEGY, "size": 9, "opacity": 0.75},
        "hovertemplate": "%{text}: in %{x:.2f}, out %{y:.2f}<extra></extra>",
    }
    kept = {
        "type": "scatter",
        "mode": "lines",
        "name": "promise kept",
        "x": [_rounded(low), _rounded(high)],
        "y": [_rounded(low), _rounded(high)],
        "line": {"color": MUTED, "dash": "dot", "width": 1},
        "hoverinfo": "skip",
    }
    shape = layout(360, xaxis={"title": {"text": "in sample"}}, yaxis={"title": {"text": "out of sample"}})
    return {"data": [kept, points], "layout": {**shape, "hovermode": "closest"}}


def _parameter(result: WalkForward, name: str) -> Figure:
    place = [p.name for p in result.study.strategy.parameters].index(name)
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "x": [_stamp(result, w.test_first) for w in result.windows],
        "y": [w.params[name] for w in result.windows],
        "line": {"color": PALETTE[place % len(PALETTE)], "shape": "hv", "width": 1.4},
    }
    return {"data": [trace], "layout": layout(180, yaxis={"rangemode": "normal"})}


def _windows_table(result: WalkForward, report: Report) -> str:
    panel = result.study.panel
    rows = [
        [
            str(w.number + 1),
            f"{day(panel.time(w.train_first))} to {day(panel.time(w.train_after - 1))}",
            f"{day(panel.time(w.test_first))} to {day(panel.time(w.test_after - 1))}",
            *(f"{w.params[name]:g}" for name in report["parameters"]),
            number(w.in_sample),
            number(w.out_of_sample),
            number(w.degradation),
        ]
        for w in result.windows
    ]
    head = ["#", "Train", "Test", *map(text, report["parameters"]), "In sample", "Out of sample", "Degradation"]
    return table(head, rows, left=3, kind="sortable")


def _belief(report: Report) -> str:
    """What statistics say of the result and of the search behind it."""
    interval, own, account = report["sharpe"], report["out_of_sample"], report["account"]
    span = UNDEFINED if interval is None else f"{number(interval['low'])} to {number(interval['high'])}"
    deepest = account.get("drawdown_quantiles", {})
    rows = [
        ["Sharpe, stitched account", number(own["sharpe"])],
        ["– 95 % interval (stationary bootstrap)", span],
        ["– adjusted for autocorrelation", number(own["sharpe_adjusted"])],
        ["– probability that it is above zero", percent(own["sharpe_probability"], 1)],
        ["– bars needed to tell it from zero at 95 %", number(own["track_record"], 0)],
        ["Sharpe of the best candidate over all rows", number(_in(report, "best_sharpe"))],
        ["– expected of the best of as many worthless ones", number(_in(report, "expected_best_sharpe"))],
        ["– deflated: probability of skill", percent(_in(report, "deflated_sharpe"), 1)],
        ["Candidates, effectively independent", number(_in(report, "effective_trials"), 1)],
        ["Probability of backtest overfitting", percent(_in(report, "overfitting", "probability"), 1)],
        ["Winner loses out of sample (CSCV)", percent(_in(report, "overfitting", "loss_probability"), 1)],
        ["Reality check against cash, p", number(_in(report, "against_cash", "reality_check"), 3)],
        ["SPA against cash, p (consistent)", number(_in(report, "against_cash", "consistent"), 3)],
        ["Reality check against buy and hold, p", number(_in(report, "against_benchmark", "reality_check"), 3)],
        ["SPA against buy and hold, p (consistent)", number(_in(report, "against_benchmark", "consistent"), 3)],
        [
            "Sharpe of purged cross-validated histories, median",
            number(_in(report, "cross_validation", "sharpe_median")),
        ],
        ["Bars resampled in blocks: probability to lose half", percent(account.get("ruin_probability"), 2)],
        ["– drawdown that one path in 20 exceeds", percent(deepest.get("0.05"), 1)],
        ["– median drawdown", percent(deepest.get("0.5"), 1)],
    ]
    return table(["", "Value"], rows)


def _measures(report: Report) -> str:
    rows = []
    for title, group in GROUPS.items():
        rows.append([f"<strong>{text(title)}</strong>", "", ""])
        rows += [
            [text(m.title), shown(m, report["out_of_sample"][m.name]), shown(m, report["defaults"][m.name])]
            for m in group
        ]
    return table(["", "Refitted", "Defaults"], rows, kind="metrics")


def shown(measure: Measure, value: float | None) -> str:
    """Value of a measure as its unit is read."""
    if measure.unit in (FRACTION, PROBABILITY):
        return percent(value)
    if measure.unit in (BARS, COUNT):
        return number(value, 0)
    return money(value) if measure.unit == MONEY else number(value)


def _line(times: IntArray, values: FloatArray, name: str, colour: str, decimals: int, **more: Any) -> dict[str, Any]:
    rows = thin(values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": stamps(times[rows]),
        "y": np.round(values[rows], decimals).tolist(),
        "line": {"color": colour, "width": 1.4},
        **more,
    }


def _stamp(result: WalkForward, row: int) -> str:
    return stamps(result.study.panel.timestamps[row : row + 1])[0]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
