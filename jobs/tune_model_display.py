"""How a network's search looks in a terminal: its progress, and the table of its best candidates."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.progress import counting
from nt_ray.backtest.search.result import Evaluation


@contextmanager
def searching(total: int, *, shown: bool) -> Iterator[Any]:
    """Show how far a search is, and give what moves the bar on."""
    with counting(Console(stderr=True), "searching", shown=shown) as tell:
        if tell is None:
            yield None
            return
        done = 0

        def heard(_: Evaluation) -> None:
            nonlocal done
            done += 1
            tell(done, max(total, done))

        yield heard


def print_search(summary: dict[str, Any], top: int) -> None:
    """Print the best candidates of a search and where the best model lies."""
    console = Console()
    names = list(summary["best"]["values"])
    table = Table(title=f"{summary['model']} by its loss on validation bars")
    for name in (*names, "validation loss", "training loss", "trained"):
        table.add_column(name.replace("_", " "), justify="right")
    for row in summary["table"][:top]:
        losses = (row["validation_loss"], row["training_loss"])
        cells = ("–" if value is None else f"{value:.5g}" for value in losses)
        table.add_row(*(f"{row[name]:.4g}" for name in names), *cells, f"{row['share']:.0%}")
    console.print(table)
    console.print(
        f"{summary['candidates']:,} candidates, {summary['failed']:,} failed, {summary['seconds']:.1f} s\n"
        f"model: {summary['bundle']}\npage: {summary['page']}",
        soft_wrap=True,
    )
    if "registered" in summary:
        console.print(f"registered as {summary['registered']}", soft_wrap=True)
