"""`nt-ray report`: the summary of a finished run, read from its folder."""

import json
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from jobs.options import AsJson, help_text
from nt_ray.errors import ReportError

REPORT_HELP = help_text(
    "Show the summary of a finished run.",
    "nt-ray report",
    "nt-ray report runs/20260102-150405-swarm-7 --json",
)

Folder: TypeAlias = Annotated[Path, typer.Argument(metavar="FOLDER", help="A run's folder.")]


def report(folder: Folder = Path("runs/latest"), as_json: AsJson = False) -> None:
    """Show the summary of a finished run."""
    from rich.console import Console

    from jobs.backtest_summary import print_backtest
    from jobs.summary import print_summary
    from nt_ray.trader.event_run import KIND
    from nt_ray.trader.files import SUMMARY

    path = folder / SUMMARY
    try:
        text = path.read_text(encoding="utf-8")
        summary = json.loads(text)
    except FileNotFoundError:
        raise ReportError(
            f"{str(folder)!r} holds no finished run. Give the folder of one, or make one with `nt-ray run`."
        ) from None
    except (OSError, ValueError) as error:
        raise ReportError(f"{str(path)!r} cannot be read ({error}). Run again, or restore the file.") from error
    if as_json:
        typer.echo(text)
    else:
        (print_backtest if summary.get("kind") == KIND else print_summary)(Console(), summary)
