"""The tear sheet: one run as one HTML file that needs no network, now or in ten years.

The page holds its data, its style and plotly's own JavaScript; its content security policy forbids every
request.
"""

from pathlib import Path
from typing import Any

from nt_ray.reports import figures, tables
from nt_ray.reports.formats import day, number, text
from nt_ray.reports.graph import swarm_graph
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.record import RunRecord

SECTIONS = {
    "overview": "Metrics",
    "drawdowns": "Drawdowns",
    "months": "Months",
    "exposure": "Exposure",
    "costs": "Costs",
    "agents": "Agents",
    "swarm": "Swarm",
    "trades": "Trades",
    "settings": "Settings",
}
"""Anchors of the page and their names, in order."""


def write_tear_sheet(record: RunRecord, path: str | Path) -> Path:
    """Write the tear sheet of a run to `path` and return it."""
    return write_page(path, render(record))


def render(record: RunRecord) -> str:
    """Render the tear sheet of a run as one HTML document."""
    drawn = _figures(record)
    body = _body(record, drawn)
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS.items() if f'id="{anchor}"' in body)
    span = f"{day(record.time(0))} to {day(record.time(-1))}"
    facts = f"{span} · {number(float(len(record.times)), 0)} bars · benchmark {text(record.benchmark_name)}"
    note = f"Returns are simple and per bar; {number(record.periods_per_year, 0)} bars a year. "
    return render_page(
        name=record.name,
        kind="tear sheet",
        facts=facts,
        links=links,
        body=body,
        note=note + "Past results do not\ntell future ones.",
        figures=drawn,
        scripts=("tear_sheet.js",),
    )


def _figures(record: RunRecord) -> dict[str, Any]:
    drawn = {
        "equity": figures.equity(record),
        "underwater": figures.underwater(record),
        "exposure": figures.exposure(record),
        "costs": figures.costs(record),
    }
    if record.trades.height:
        drawn["traded"] = figures.traded_value(record)
    if record.agents.height:
        drawn["contributions"] = figures.contributions(record)
        drawn["swarm"] = swarm_graph(record)
    return drawn


def _body(record: RunRecord, drawn: dict[str, Any]) -> str:
    own, other = record.metrics(), record.benchmark_metrics()
    positive = min(record.equity.min(), record.benchmark.min()) > 0.0
    off = "" if positive else " disabled"
    pressed = str(record.spreads).lower()
    toggle = f'<button id="log-axis" type="button" aria-pressed="{pressed}"{off}>log axis</button>'
    overview = section("equity", f"Equity {toggle}", plot("equity", drawn)) + section(
        "overview", "Metrics", tables.metrics_table(own, other)
    )
    return "\n".join(
        (
            f'<div class="tiles">{tables.headline(record, own, other)}</div>',
            f'<div class="pair wide-left">{overview}</div>',
            '<div class="stack">',
            section("drawdowns", "Drawdowns", plot("underwater", drawn) + tables.worst_drawdowns(record)),
            section("months", "Monthly returns, %", tables.monthly_table(record)),
            "</div>",
            pair(
                section("exposure", "Exposure over equity", plot("exposure", drawn)),
                section("execution", "Execution", tables.execution_table(record)),
            ),
            pair(
                section("costs", "Costs", plot("costs", drawn)),
                section("traded", "Traded value by month", plot("traded", drawn)),
            ),
            _details(record),
            _swarm(record, drawn) if record.agents.height else "",
            '<div class="stack">',
            section("trades", _trades_title(record), f'<div class="tall">{tables.trades_table(record)}</div>'),
            _folded("settings", "Settings", tables.settings_table(record)),
            "</div>",
        )
    )


def _details(record: RunRecord) -> str:
    """Further tables, two to a row."""
    made = [
        section(f"detail-{i}", text(title), tables.detail_table(figures))
        for i, (title, figures) in enumerate(record.details.items())
    ]
    return "".join(pair(*made[i : i + 2]) for i in range(0, len(made), 2))


def _swarm(record: RunRecord, drawn: dict[str, Any]) -> str:
    """What a swarm did, and who its agents are."""
    agents = f"Agents ({number(float(record.agents.height), 0)})"
    return "\n".join(
        (
            pair(
                section("agents", "Agents' own results", plot("contributions", drawn)),
                section("swarm", f"Swarm: {text(record.topology)}", plot("swarm", drawn)),
            ),
            '<div class="stack">',
            section("topologies", "Topologies", tables.swarm_table(record)),
            _folded("agents-table", agents, tables.agents_table(record)),
            "</div>",
        )
    )


def _trades_title(record: RunRecord) -> str:
    count = record.trades.height
    if count <= tables.LAST_TRADES:
        return f"Trades ({number(float(count), 0)})"
    return f"Trades (last {tables.LAST_TRADES} of {number(float(count), 0)})"


def _folded(anchor: str, title: str, content: str) -> str:
    inner = f'<details><summary>{title}</summary><div class="tall">{content}</div></details>'
    return f'<section id="{anchor}">{inner}</section>'
