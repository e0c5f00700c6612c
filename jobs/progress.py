"""A bar in the terminal that counts what is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

OnStep = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@contextmanager
def counting(console: Console, what: str, *, shown: bool) -> Iterator[OnStep | None]:
    """Show a bar while the block runs; None where none is to be shown."""
    if not shown:
        yield None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
