"""Tables of a tear sheet as HTML. Every cell passes through `formats`: nothing of a run becomes markup."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from nt_ray.backtest.metrics import Metrics, drawdown_table, monthly_returns
from nt_ray.reports.formats import UNDEFINED, day, exact, money, number, percent, text
from nt_ray.reports.record import RunRecord

LAST_TRADES = 200
MAX_AGENTS = 500
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FULL_COLOUR = 0.10
"""A monthly return of this size has the fullest colour."""

_METRICS: tuple[tuple[str, str, str], ...] = (
    ("total_return", "Total return", "percent"),
    ("cagr", "CAGR", "percent"),
    ("volatility", "Volatility", "percent"),
    ("sharpe", "Sharpe", "number"),
    ("sortino", "Sortino", "number"),
    ("max_drawdown", "Max drawdown", "percent"),
    ("calmar", "Calmar", "number"),
    ("var_95", "VaR 95 %, one bar", "percent"),
    ("es_95", "ES 95 %, one bar", "percent"),
    ("best", "Best bar", "percent"),
    ("worst", "Worst bar", "percent"),
    ("positive_share", "Positive bars", "percent"),
    ("skew", "Skew", "number"),
    ("excess_kurtosis", "Excess kurtosis", "number"),
)
_RELATIVE: tuple[tuple[str, str, str], ...] = (
    ("beta", "Beta", "number"),
    ("alpha", "Alpha (annualised)", "percent"),
    ("correlation", "Correlation", "number"),
    ("tracking_error", "Tracking error", "percent"),
    ("information_ratio", "Information ratio", "number"),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, kind: str = "") -> str:
    """Make a table of finished cells; the first `left` columns are text, the others numbers."""
    if not rows:
        return '<p class="none">None.</p>'
    heads = "".join(_cell("th", h, i < left) for i, h in enumerate(head))
    body = "".join(f"<tr>{''.join(_cell('td', c, i < left) for i, c in enumerate(r))}</tr>" for r in rows)
    inner = f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{inner}</table></div>'


def metrics_table(own: Metrics, other: Metrics) -> str:
    """Metrics of strategy and benchmark side by side."""
    rows = [[name, _shown(own, key, kind), _shown(other, key, kind)] for key, name, kind in _METRICS]
    rows += [[name, _shown(own, key, kind), UNDEFINED] for key, name, kind in _RELATIVE]
    return table(["", "Strategy", "Benchmark"], rows, kind="metrics")


def headline(record: RunRecord, own: Metrics, other: Metrics) -> str:
    """The figures a reader wants first."""
    tiles = (
        ("Final equity", money(float(record.equity[-1])), f"from {money(record.initial_cash)}"),
        ("Total return", percent(own.total_return), f"benchmark {percent(other.total_return)}"),
        ("CAGR", percent(own.cagr), f"benchmark {percent(other.cagr)}"),
        ("Sharpe", number(own.sharpe), f"benchmark {number(other.sharpe)}"),
        ("Max drawdown", percent(own.max_drawdown), f"benchmark {percent(other.max_drawdown)}"),
        ("Volatility", percent(own.volatility), f"benchmark {percent(other.volatility)}"),
    )
    return "".join(
        f'<div class="tile"><span>{name}</span><strong>{value}</strong><small>{beside}</small></div>'
        for name, value, beside in tiles
    )


def monthly_table(record: RunRecord) -> str:
    """Monthly returns as a heat map, one row a year, with the year's compounded return."""
    years: dict[int, dict[int, float]] = {}
    for month in monthly_returns(record.times, record.equity_curve):
        years.setdefault(month.year, {})[month.month] = month.value
    if not years:
        return '<p class="none">None.</p>'
    rows = []
    for year in sorted(years, reverse=True):
        total = 1.0
        for value in years[year].values():
            total *= 1.0 + value
        cells = "".join(_heat(years[year].get(m)) for m in range(1, 13))
        rows.append(f"<tr><th>{year}</th>{cells}{_heat(total - 1.0, 'year')}</tr>")
    heads = "".join(f"<th>{m}</th>" for m in (*MONTHS, "Year"))
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def worst_drawdowns(record: RunRecord) -> str:
    """The five deepest drawdowns, numbered as in the figure."""
    rows = [
        [str(i), percent(d.depth), day(d.peak), day(d.trough), day(d.recovery), number(float(d.length), 0)]
        for i, d in enumerate(drawdown_table(record.times, record.equity_curve), 1)
    ]
    return table(["#", "Depth", "Peak", "Trough", "Recovered", "Bars"], rows)


def execution_table(record: RunRecord) -> str:
    """Orders, fills, costs and speed."""
    denied = sum(record.denials.values())
    rows = [
        ["Orders", number(float(record.orders), 0)],
        ["Fills", number(float(record.fills), 0)],
        *([["Denied by the risk gate", number(float(denied), 0)]] if denied or record.agents.height else []),
        *([f"– {text(rule)}", number(float(count), 0)] for rule, count in record.denials.items()),
        ["Turnover a year (one-way)", f"{number(record.turnover)} ×"],
        ["Costs", money(float(record.costs[-1]))],
        ["Costs over initial cash", percent(float(record.costs[-1]) / record.initial_cash)],
        *([f"Order latency {text(k)}", f"{number(v)} ms"] for k, v in record.latency_ms.items()),
        ["Bars a second", number(record.bars_per_second, 0)],
    ]
    return table(["", "Value"], rows)


def detail_table(figures: Mapping[str, Any]) -> str:
    """Names and figures as they are: whole numbers and money with thousands separated, the rest as text."""
    return table(["", "Value"], [[text(name), _plain(value)] for name, value in figures.items()])


def _plain(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return number(float(value), 0)
    return money(float(value)) if isinstance(value, Decimal | float) else text(value)


def agents_table(record: RunRecord) -> str:
    """Agents, best contribution first."""
    best = record.ranked_agents.head(MAX_AGENTS)
    rows = [
        [
            text(r["name"]),
            text(r["strategy"]),
            text(", ".join(map(str, r["symbols"])) if isinstance(r["symbols"], list | tuple) else r["symbols"]),
            percent(r["contribution"]),
            number(r["mean_weight"], 3),
            number(r["silent_rounds"], 0),
        ]
        for r in best.iter_rows(named=True)
    ]
    head = ["Agent", "Strategy", "Symbols", "Contribution", "Mean weight", "Silent rounds"]
    return table(head, rows, left=3, kind="sortable")


def swarm_table(record: RunRecord) -> str:
    """What each topology cost and how far agents disagreed."""
    rows = [
        [
            text(r.get("topology")),
            text(r.get("rule")),
            *(number(r.get(k), 0) for k in ("agents", "hosts", "messages", "rounds")),
            number(r.get("disagreement"), 4),
            number(r.get("silent"), 0),
        ]
        for r in record.swarm
    ]
    head = ["Topology", "Rule", "Agents", "Hosts", "Messages", "Rounds", "Disagreement", "Silent"]
    return table(head, rows, left=2)


def trades_table(record: RunRecord) -> str:
    """Last fills, newest first."""
    last: pl.DataFrame = record.trades.tail(LAST_TRADES).reverse()
    rows = [
        [
            day(r["time"]),
            text(r["account"]),
            text(r["symbol"]),
            text(r["side"]),
            exact(r["quantity"]),
            exact(r["price"]),
            exact(r["commission"]),
            text(r["client_order_id"]),
        ]
        for r in last.iter_rows(named=True)
    ]
    head = ["Time", "Account", "Symbol", "Side", "Quantity", "Price", "Commission", "Client order id"]
    return table(head, rows, left=4, kind="sortable trades")


def settings_table(record: RunRecord) -> str:
    """Settings, one row a value, nested names joined with dots."""
    return table(["Setting", "Value"], [[text(k), text(v)] for k, v in _flat(record.settings)], left=2, kind="settings")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value):
            for place, entry in enumerate(value, 1):
                yield from _flat(entry, f"{name}[{place}].")
        else:
            yield name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _shown(metrics: Metrics, key: str, kind: str) -> str:
    value = getattr(metrics, key)
    return percent(value) if kind == "percent" else number(value)


def _cell(tag: str, content: str, left: bool) -> str:
    return f'<{tag} class="t">{content}</{tag}>' if left else f"<{tag}>{content}</{tag}>"


def _heat(value: float | None, kind: str = "") -> str:
    if value is None:
        return "<td></td>"
    strength = min(abs(value) / FULL_COLOUR, 1.0) * 0.55
    red, green, blue = (11, 92, 173) if value >= 0.0 else (179, 38, 30)
    style = f"background:rgba({red},{green},{blue},{strength:.2f})"
    return f'<td class="{kind}" style="{style}">{percent(value, 1).removesuffix(" %")}</td>'
