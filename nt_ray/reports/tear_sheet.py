"""The tear sheet: one run as one HTML file that needs no network, now or in ten years.

The page holds its data, its style and plotly's own JavaScript; its content security policy forbids every
request.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from nt_ray.errors import StorageError
from nt_ray.reports import figures, tables
from nt_ray.reports.formats import day, number, text
from nt_ray.reports.graph import swarm_graph
from nt_ray.reports.record import RunRecord, to_plain

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"

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
    path = Path(path)
    page = render(record)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The tear sheet {str(path)!r} cannot be written ({error.strerror}). Give a writable folder that exists."
        ) from error
    return path


def render(record: RunRecord) -> str:
    """Render the tear sheet of a run as one HTML document."""
    drawn = _figures(record)
    title = text(record.name)
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS.items())
    span = f"{day(record.time(0))} to {day(record.time(-1))}"
    facts = f"{span} · {number(float(len(record.times)), 0)} bars · benchmark {text(record.benchmark_name)}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title} – tear sheet</title>
<style>{_asset("tear_sheet.css")}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p>{facts}</p><nav>{links}</nav></header>
{_body(record, drawn)}
<footer>Returns are simple and per bar; {number(record.periods_per_year, 0)} bars a year. Past results do not
tell future ones.</footer>
</main>
<script type="application/json" id="figures">{_json(drawn)}</script>
<script>{get_plotlyjs()}</script>
<script>{_asset("tear_sheet.js")}</script>
</body>
</html>
"""


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
    toggle = f'<button id="log-axis" type="button" aria-pressed="false"{off}>log axis</button>'
    overview = _section("equity", f"Equity {toggle}", _plot("equity", drawn)) + _section(
        "overview", "Metrics", tables.metrics_table(own, other)
    )
    return "\n".join(
        (
            f'<div class="tiles">{tables.headline(record, own, other)}</div>',
            f'<div class="pair wide-left">{overview}</div>',
            '<div class="stack">',
            _section("drawdowns", "Drawdowns", _plot("underwater", drawn) + tables.worst_drawdowns(record)),
            _section("months", "Monthly returns, %", tables.monthly_table(record)),
            "</div>",
            _pair(
                _section("exposure", "Exposure over equity", _plot("exposure", drawn)),
                _section("execution", "Execution", tables.execution_table(record)),
            ),
            _pair(
                _section("costs", "Costs", _plot("costs", drawn)),
                _section("traded", "Traded value by month", _plot("traded", drawn)),
            ),
            _pair(
                _section("agents", "Agents' own results", _plot("contributions", drawn)),
                _section("swarm", f"Swarm: {text(record.topology)}", _plot("swarm", drawn)),
            ),
            '<div class="stack">',
            _section("topologies", "Topologies", tables.swarm_table(record)),
            _folded(
                "agents-table",
                f"Agents ({number(float(record.agents.height), 0)})",
                tables.agents_table(record),
            ),
            _section("trades", _trades_title(record), f'<div class="tall">{tables.trades_table(record)}</div>'),
            _folded("settings", "Settings", tables.settings_table(record)),
            "</div>",
        )
    )


def _trades_title(record: RunRecord) -> str:
    count = record.trades.height
    if count <= tables.LAST_TRADES:
        return f"Trades ({number(float(count), 0)})"
    return f"Trades (last {tables.LAST_TRADES} of {number(float(count), 0)})"


def _section(anchor: str, title: str, content: str) -> str:
    return f'<section id="{anchor}"><h2>{title}</h2>{content}</section>'


def _folded(anchor: str, title: str, content: str) -> str:
    inner = f'<details><summary>{title}</summary><div class="tall">{content}</div></details>'
    return f'<section id="{anchor}">{inner}</section>'


def _pair(left: str, right: str) -> str:
    return f'<div class="pair">{left}{right}</div>'


def _plot(name: str, drawn: dict[str, Any]) -> str:
    return f'<div class="figure" id="figure-{name}"></div>' if name in drawn else '<p class="none">None.</p>'


def _json(value: Any) -> str:
    """JSON that no browser can take for the end of its script."""
    dumped = json.dumps(to_plain(value), separators=(",", ":"), allow_nan=False)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return files("nt_ray.reports").joinpath("assets", name).read_text(encoding="utf-8")
