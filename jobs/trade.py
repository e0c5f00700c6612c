"""The main job: a swarm of strategy agents paper-trades market data on Ray.

`nt-ray run` and `ray job submit --working-dir . -- python -m jobs.trade` start the same; options are those of `nt-ray run`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from actors.environment import prepare
from nt_ray.config import Settings
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.session import OnBar

PERCENT = ("total_return", "cagr", "volatility", "max_drawdown")
RATIO = ("sharpe", "sortino", "calmar")
EVERY = 16
"""Bars between two moves of the progress bar."""


def run(settings: Settings, *, as_json: bool = False, progress: bool = True) -> int:
    """Trade as the settings say; print a table or one JSON object; return the exit code."""
    console = Console(stderr=as_json)
    prepare(settings.ray.address)
    from actors.runtime import RayRuntime

    runtime = RayRuntime(
        settings.ray.address, num_cpus=settings.ray.num_cpus, object_store_mb=settings.ray.object_store_mb
    )
    with NeuralTrader(settings, runtime) as trader:
        with _progress(console, shown=progress) as on_bar:
            result = trader.execute_strategy(on_bar=on_bar)
        risk = trader.analyze_risk() if trader.get_portfolio().positions else None
    if as_json:
        print(json.dumps(result.summary))
    else:
        _print(console, result.summary)
        if risk is not None:
            console.print(
                f"historical VaR {risk.confidence:.0%} of the final portfolio, one bar: {risk.value_at_risk:,.2f}, "
                f"expected shortfall {risk.expected_shortfall:,.2f} ({risk.scenarios:,} scenarios)"
            )
        console.print(f"\ntear sheet: {result.folder / 'tear-sheet.html'}", soft_wrap=True)
    return 0


@contextmanager
def _progress(console: Console, *, shown: bool) -> Iterator[OnBar | None]:
    if not shown:
        yield None
        return
    columns = (
        TextColumn("trading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bars  equity {task.fields[equity]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("trading", total=None, equity="")

        def on_bar(row: int, rows: int, equity: Decimal) -> None:
            if (row + 1) % EVERY == 0 or row + 1 == rows:
                bar.update(task, completed=row + 1, total=rows, equity=f"{equity:,.2f}")

        yield on_bar


def _print(console: Console, summary: Mapping[str, Any]) -> None:
    console.print(_performance(summary))
    console.print(_topologies(summary["swarm"]))
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


def _performance(summary: Mapping[str, Any]) -> Table:
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


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["run", *sys.argv[1:]]))
