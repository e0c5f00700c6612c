"""How the summary of a backtest looks in a terminal."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.summary import performance, print_forecast
from nt_ray.trader.files import TEAR_SHEET, TRADES_CSV

SHOWN = (
    ("win_rate", "win rate", ".1%"),
    ("profit_factor", "profit factor", ".2f"),
    ("expectancy", "expectancy a trade", ",.2f"),
    ("average_holding", "average holding, bars", ",.1f"),
    ("exposure_time", "exposure time", ".1%"),
)
"""Measures of trades, with the names and forms in which they are shown; the folder has all measures."""

PARTS = ("realised", "unrealised", "dividends", "funding", "fees", "borrowing")


def print_backtest(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the tables, counts and books of a backtest."""
    table = performance(summary)
    table.add_row("trades", f"{summary['trades']:,}", "")
    for name, title, form in SHOWN:
        value = summary["measures"][name]
        table.add_row(title, "undefined" if value is None else format(value, form), "")
    console.print(table)
    if "forecast" in summary:
        print_forecast(console, summary["forecast"])
    parameters = ", ".join(f"{name}={value:g}" for name, value in summary["parameters"].items()) or "none"
    endings = ", ".join(f"{name} {n:,}" for name, n in summary["endings"].items()) or "none"
    console.print(f"parameters: {parameters}\norders {summary['orders']:,}: {endings}", soft_wrap=True)
    console.print(f"fills {summary['fills']:,}", soft_wrap=True)
    console.print(_two_columns("costs by kind", summary["costs_by_kind"]))
    books = {name: Decimal(value) for name, value in summary["books"].items()}
    console.print(_identity(books), soft_wrap=True)
    console.print(
        f"{summary['bars_per_second']:,.0f} bars/s, {summary['seconds']:.2f} s\ndigest {summary['digest']}\n\n"
        f"trades: {summary['folder']}/{TRADES_CSV}\ntear sheet: {summary['folder']}/{TEAR_SHEET}",
        soft_wrap=True,
    )


def _identity(books: Mapping[str, Decimal]) -> str:
    """The equation of the books: P&L less costs is the change of equity, with nothing left over."""
    shown = [(name, books[name]) for name in PARTS if books[name] or name in ("realised", "fees")]
    terms = "".join(f" {'-' if value < 0 else '+'} {abs(value):,f} {name}" for name, value in shown)
    change, rest = books["change"], books["unexplained"]
    return f"{terms.removeprefix(' + ').strip()} = {change:,f} change of equity, {rest:f} unexplained"


def _two_columns(title: str, figures: Mapping[str, str]) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{Decimal(value):,.2f}")
    return table
