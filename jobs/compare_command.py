"""`nt-ray compare`: finished runs side by side, over the days that all of them have."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.options import AsJson, help_text

COMPARE_HELP = help_text(
    "Compare finished runs over the days that all of them have, and write a page with their curves.",
    "nt-ray compare runs/20260102-150405-swarm-7 runs/20260102-151001-swarm-7",
    "nt-ray compare runs/latest runs/20260102-150405-swarm-7 --out comparison.html --json",
)
PAGE = "comparison.html"

Folders = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Page to write; comparison.html beside the first run.")
]


def compare(folders: Folders, out: Out = None, as_json: AsJson = False) -> None:
    """Compare runs and write the page."""
    from nt_ray.reports import comparison

    found = comparison.compare(folders)
    path = comparison.write_comparison(found, out or found.runs[0].folder.parent / PAGE)
    data = {**comparison.as_data(found), "page": str(path.resolve())}
    if as_json:
        typer.echo(json.dumps(data))
    else:
        _print(data)


def _print(data: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from nt_ray.reports.comparison import SHOWN, WHOLE

    table = Table(title=f"{data['start'][:10]} to {data['end'][:10]}, {data['bars']:,} bars in common")
    table.add_column("")
    for run in data["runs"]:
        table.add_column(run["name"], justify="right")
    for key, name, kind in SHOWN:
        table.add_row(name, *(_cell(run[key], ".2%" if kind == "percent" else ".2f") for run in data["runs"]))
    for key, name, decimals in WHOLE:
        if any(run[key] for run in data["runs"]):
            table.add_row(f"{name}, whole run", *(_cell(run[key], f",.{decimals}f") for run in data["runs"]))
    for key, values in data["settings"].items():
        table.add_row(key, *("–" if v is None else str(v) for v in values))
    console = Console()
    console.print(table)
    console.print(f"\n{data['page']}", soft_wrap=True)


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
