"""`nt-ray chaos`: kill a trader again and again, and audit what it leaves."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.options import AsJson, Progress, help_text

if TYPE_CHECKING:
    from nt_ray.trader.chaos.drill import Drill

FOUND = 1

CHAOS_HELP = help_text(
    "Let four agents trade at a simulated Alpaca and kill their process at every named step of an order's way and at "
    "random instants, while the venue drops, delays and garbles requests and a PostgreSQL journal loses its "
    "connection. Afterwards the venue's book, the journal, the ledger and what the agents were told are compared. Exit "
    "code 1 where they differ, an order was lost, doubled or left in doubt, or the chain is broken.",
    "nt-ray chaos",
    "nt-ray chaos --kills 1000 --seed 7 --json",
    "nt-ray chaos --kills 200 --journal 'postgresql://trader@localhost/drill?schema=one'",
)

Kills = Annotated[int, typer.Option(min=1, max=1_000_000, help="How often the trader is killed.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]
Where = Annotated[
    str | None, typer.Option("--journal", metavar="PATH|URL", help="A new journal; without it, a temporary file.")
]


def chaos(
    kills: Kills = 100, seed: Seed = 1, journal: Where = None, progress: Progress = True, as_json: AsJson = False
) -> int:
    """Run a drill; return 1 where its audit finds a fault."""
    from rich.console import Console

    from jobs.progress import counting
    from nt_ray.trader.chaos.drill import run_drill

    with (
        tempfile.TemporaryDirectory(prefix="nt-ray-chaos-") as folder,
        counting(Console(stderr=True), "kills", shown=progress and not as_json) as on_step,
    ):
        where = journal or str(Path(folder) / "journal.sqlite")
        drill = run_drill(where, kills, seed, on_kill=on_step and (lambda done: on_step(done, kills)))
    if as_json:
        typer.echo(json.dumps(_record(drill)))
    else:
        _show(drill)
    return FOUND if drill.audit.faults else 0


def _record(drill: "Drill") -> dict[str, Any]:
    return {**asdict(drill), "passed": not drill.audit.faults}


def _show(drill: "Drill") -> None:
    found = drill.audit
    typer.echo(
        f"{drill.kills} kills in {drill.lives} lives and {drill.seconds:.0f} s, "
        f"{drill.faults_of_venue} faults of the venue"
    )
    for step, count in drill.by_step.items():
        typer.echo(f"  {count:6d}  {step}")
    for step in drill.missed:
        typer.echo(f"       0  {step}")
    for how, count in drill.cuts_of_database.items():
        typer.echo(f"  {count:6d}  connections to the database cut {how}")
    typer.echo(
        f"{found.orders} orders in the journal, {found.at_venue} at the venue, {found.executions} executions, "
        f"{found.events} events"
    )
    for fault in found.faults:
        typer.echo(f"FAULT  {fault}")
    if not found.faults:
        typer.echo("Nothing lost, nothing sent twice; journal, ledger and venue agree.")
