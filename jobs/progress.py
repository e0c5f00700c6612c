"""A bar in the terminal that counts what is done."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

OnStep = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@contextmanager
def fitting(*, shown: bool, as_json: bool) -> Iterator[OnStep | None]:
    """Show a bar from the first fit of a forecaster to the last; none where nothing is fitted, or in JSON."""
    if as_json or not shown:
        yield None
        return
    with ExitStack() as stack:
        told: list[OnStep | None] = []

        def on_fit(done: int, total: int) -> None:
            if not told:
                told.append(stack.enter_context(counting(Console(stderr=True), "forecasts: fits", shown=True)))
            if told[0] is not None:
                told[0](done, total)
            if done == total:
                # No two bars may be shown at once.
                stack.close()
                told.clear()

        yield on_fit


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
