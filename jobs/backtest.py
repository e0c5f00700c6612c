"""The backtest job: a strategy of any kind in the event simulator, its folder and its tables.

`nt-ray backtest` and `ray job submit --working-dir . -- python -m jobs.backtest` start the same and take the same
options.
"""

import json
import sys

import typer
from rich.console import Console

from jobs.backtest_summary import print_backtest
from jobs.progress import counting
from jobs.screen import show_page
from nt_ray.config import Settings
from nt_ray.trader.event_record import Setup
from nt_ray.trader.event_run import run_events
from nt_ray.trader.files import TEAR_SHEET


def run(
    settings: Settings, setup: Setup, *, as_json: bool = False, progress: bool = True, browse: bool | None = None
) -> int:
    """Run, write the folder, print tables or one JSON object; return the exit code."""
    console = Console(stderr=as_json)
    # Compiled strategies are done before a bar could move.
    with counting(console, "bars", shown=progress and setup.strategy.kind == "python") as on_row:
        made = run_events(settings, setup, on_row)
    if as_json:
        typer.echo(json.dumps(made.summary))
    else:
        print_backtest(console, made.summary)
    show_page(made.folder / TEAR_SHEET, browse=browse, as_json=as_json)
    return 0


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["backtest", *sys.argv[1:]]))
