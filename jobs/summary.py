"""How the summary of a run looks in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from nt_ray.trader.files import SUMMARY, TEAR_SHEET

PERCENT = ("total_return", "cagr", "volatility", "max_drawdown")
SHOWN_FAULTS = 5
FORECAST_SCORES = (
    ("squared error", "mse_ratio", ".4f"),
    ("direction", "direction", ".1%"),
    ("IC", "ic", ".4f"),
    ("rank IC", "rank_ic", ".4f"),
)
"""Scores of forecasts by title, with their names and forms."""
RATIO = ("sharpe", "sortino", "calmar")


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the tables and counts of a run."""
    console.print(performance(summary))
    console.print(_topologies(summary["swarm"]))
    if len(summary["by_strategy"]) > 1:
        console.print(_by_strategy(summary))
    if "forecast" in summary:
        print_forecast(console, summary["forecast"])
    denials = ", ".join(f"{rule} {n:,}" for rule, n in sorted(summary["denials"].items())) or "none"
    latency = summary["latency_ms"]
    path = f"p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms" if latency else "no order was sent"
    console.print(
        f"orders {summary['orders']:,}   fills {summary['fills']:,}   denials: {denials}\n"
        f"order path (one call of an account, gate to venue): {path}\n"
        f"{summary['bars_per_second']:,.0f} bars/s, {summary['seconds']:.1f} s of trading, "
        f"host repairs {summary['repairs']}, venue failovers {summary['failovers']}\n"
        f"digest {summary['digest']}",
        soft_wrap=True,
    )
    faults = summary.get("faults", ())
    for fault in faults[:SHOWN_FAULTS]:
        console.print(f"abstained: {fault['sentence']}", soft_wrap=True)
    if len(faults) > SHOWN_FAULTS:
        console.print(f"{len(faults) - SHOWN_FAULTS} more agents abstained; {SUMMARY} names them")
    risk = summary["risk"]
    if risk is not None:
        console.print(
            f"historical VaR {risk['confidence']:.0%} of the final portfolio, one bar: {risk['value_at_risk']:,.2f}, "
            f"expected shortfall {risk['expected_shortfall']:,.2f} ({risk['scenarios']:,} scenarios)",
            soft_wrap=True,
        )
    console.print(f"\ntear sheet: {summary['folder']}/{TEAR_SHEET}", soft_wrap=True)


def performance(summary: Mapping[str, Any]) -> Table:
    """Measures of a run beside those of its benchmark."""
    table = Table(title=f"{summary['name']}, {summary['start'][:10]} to {summary['end'][:10]}")
    table.add_column("")
    table.add_column("strategy", justify="right")
    table.add_column(summary["benchmark"]["name"], justify="right")
    strategy, benchmark = summary["strategy"], summary["benchmark"]
    for key in PERCENT + RATIO:
        form = ".2%" if key in PERCENT else ".2f"
        table.add_row(key.replace("_", " "), *(_cell(m[key], form) for m in (strategy, benchmark)))
    table.add_row("turnover a year", f"{summary['turnover']:.2f}", "")
    table.add_row("costs", f"{summary['costs']:,.2f}", "")
    return table


def print_forecast(console: Console, report: Mapping[str, Any]) -> None:
    """Print the scores of a forecast beside those of naive ones, and the verdict."""
    ahead = "bar" if report["horizon"] == 1 else f"{report['horizon']} bars"
    if report["rows"]:
        table = Table(title=f"forecasts of the next {ahead}")
        table.add_column("")
        for title, _, _ in FORECAST_SCORES:
            table.add_column(title, justify="right")
        for name, scores in report["rows"].items():
            table.add_row(name, *(_cell(scores[key], form) for _, key, form in FORECAST_SCORES))
        console.print(table)
    console.print(f"forecasts: {report['origin']}\n{report['verdict']}", soft_wrap=True)


def _by_strategy(summary: Mapping[str, Any]) -> Table:
    """What each strategy's agents earned by themselves, beside buy and hold."""
    table = Table(title="agents by themselves, total return")
    for name in ("strategy", "agents", "mean", "worst", "best"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for row in summary["by_strategy"]:
        figures = (_cell(row[key], ".2%") for key in ("mean", "worst", "best"))
        table.add_row(row["strategy"], str(row["agents"]), *figures)
    benchmark = summary["benchmark"]
    table.add_row(benchmark["name"], "", _cell(benchmark["total_return"], ".2%"), "", "")
    return table


def _topologies(rows: list[Mapping[str, Any]]) -> Table:
    first = rows[0]
    table = Table(title=f"swarm of {first['agents']} agents on {first['hosts']} hosts, rule {first['rule']}")
    counts = ("bars", "messages", "rounds", "silent")
    table.add_column("topology", no_wrap=True)
    for name in (*counts, "disagreement"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["topology"], *(f"{row[k]:,}" for k in counts), _cell(row["disagreement"], ".4f"))
    return table


def _cell(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)
