"""How a search looks in a terminal: its progress, and the table of its best candidates."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from jobs.tune import OnEvaluation, Plan
from nt_ray.backtest.search.result import Evaluation

PAGE = "search.html"


@contextmanager
def search_progress(plan: Plan, *, shown: bool) -> Iterator[OnEvaluation | None]:
    """Show how far a search is, and give what moves the bar on."""
    if not shown:
        yield None
        return
    columns = (
        TextColumn("searching"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("evaluations  best {task.fields[best]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("searching", total=plan.trials * len(plan.stretches), best="–")
        best: list[float] = []

        def tell(evaluation: Evaluation) -> None:
            value = evaluation.metrics.get(plan.goal)
            if value is not None:
                best[:] = [max([value, *best])]
            bar.update(task, advance=1, best=f"{plan.goal} {best[0]:.3f}" if best else "–")

        yield tell


def print_search(summary: dict[str, Any], frame: pl.DataFrame, names: list[str], top: int) -> None:
    """Print the best candidates of a search, in training and held out."""
    console = Console()
    span = " to ".join(moment[:10] for moment in summary["training"])
    rest = " to ".join(moment[:10] for moment in summary["held_out"])
    table = Table(title=f"{summary['strategy']} by {summary['metric']}: trained {span}, held out {rest}")
    goal = summary["metric"]
    for name in (*names, goal, "held out", "drawdown", "held out", "history"):
        table.add_column(name, justify="right")
    for row in frame.head(top).iter_rows(named=True):
        table.add_row(
            *(f"{row[name]:.4g}" for name in names),
            *(_cell(row[key], ".3f") for key in ("score", f"test_{goal}")),
            *(_cell(row[key], ".1%") for key in ("train_max_drawdown", "test_max_drawdown")),
            f"{row['share']:.0%}",
        )
    console.print(table)
    best = summary["best"]
    console.print(
        f"{summary['candidates']} candidates, {summary['evaluations']} evaluations, {summary['failed']} failed, "
        f"{summary['seconds']:.1f} s",
        soft_wrap=True,
    )
    if best is None:
        console.print("No candidate has a defined score.")
    elif best["deflated_sharpe"] is not None:
        console.print(
            f"deflated Sharpe: {best['deflated_sharpe']:.1%} that the best of {best['tried']} tried is not luck",
            soft_wrap=True,
        )
    console.print(f"\n{summary['folder']}/{PAGE}", soft_wrap=True)


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
