"""The main job: a swarm of strategy agents paper-trades market data on Ray.

`nt-ray run` and `ray job submit --working-dir . -- python -m jobs.trade` start the same and take the same options.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from actors.environment import prepare
from jobs.progress import fitting
from jobs.screen import show_page
from jobs.summary import print_summary
from nt_ray.config import Settings
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.files import TEAR_SHEET
from nt_ray.trader.session import OnBar

EVERY = 16
"""Bars between two moves of the progress bar."""


def run(settings: Settings, *, as_json: bool = False, progress: bool = True, browse: bool | None = None) -> int:
    """Trade as the settings say; print tables or one JSON object; return the exit code.

    `browse` opens the tear sheet; None does so where a person sits at a screen.
    """
    prepare(settings.ray.address)
    from actors.runtime import RayRuntime

    console = Console(stderr=as_json)
    ray = settings.ray
    runtime = RayRuntime(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb)
    with (
        fitting(shown=progress, as_json=as_json) as on_fit,
        NeuralTrader(settings, runtime, on_fit) as trader,
        _progress(console, shown=progress) as on_bar,
    ):
        result = trader.execute_strategy(on_bar=on_bar)
    if as_json:
        typer.echo(json.dumps(result.summary))
    else:
        print_summary(console, result.summary)
    show_page(result.folder / TEAR_SHEET, browse=browse, as_json=as_json)
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


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["run", *sys.argv[1:]]))
