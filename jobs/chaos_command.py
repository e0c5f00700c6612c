"""`nt-ray chaos`: kill a trader again and again, and audit what it leaves."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actors.environment import prepare
from jobs.options import AsJson, Progress, help_text

if TYPE_CHECKING:
    from actors.node_drill import NodeDrill
    from nt_ray.trader.chaos.drill import Drill

OnKill = Callable[[int], None] | None

FOUND = 1

CHAOS_HELP = help_text(
    "Let four agents trade at a simulated Alpaca and kill their process at every named step of an order's way and at "
    "random instants, while the venue drops, delays and garbles requests and a PostgreSQL journal loses its "
    "connection. Afterwards the venue's book, the journal, the ledger and what the agents were told are compared. Exit "
    "code 1 where they differ, an order was lost, doubled or left in doubt, or the chain is broken. With "
    "--nodes, nodes of a Ray cluster are killed instead, in turn one that holds agents and the one that holds the "
    "account; the cluster is started on this machine, and none that runs is touched.",
    "nt-ray chaos",
    "nt-ray chaos --kills 1000 --seed 7 --json",
    "nt-ray chaos --kills 200 --journal 'postgresql://trader@localhost/drill?schema=one'",
    "nt-ray chaos --nodes --kills 4",
)

Kills = Annotated[int, typer.Option(min=1, max=1_000_000, help="How often the trader is killed.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]
Where = Annotated[
    str | None, typer.Option("--journal", metavar="PATH|URL", help="A new journal; without it, a temporary file.")
]
OnNodes = Annotated[bool, typer.Option("--nodes", help="Kill nodes of a Ray cluster on this machine.")]


def chaos(
    kills: Kills = 100,
    seed: Seed = 1,
    journal: Where = None,
    nodes: OnNodes = False,
    progress: Progress = True,
    as_json: AsJson = False,
) -> int:
    """Run a drill; return 1 where its audit finds a fault."""
    from rich.console import Console

    from jobs.progress import counting

    drill: Drill | NodeDrill
    with (
        tempfile.TemporaryDirectory(prefix="nt-ray-chaos-") as folder,
        counting(Console(stderr=True), "kills", shown=progress and not as_json) as on_step,
    ):
        where = journal or str(Path(folder) / "journal.sqlite")
        on_kill: OnKill = None if on_step is None else lambda done: on_step(done, kills)
        drill = _kill_nodes(where, kills, seed, on_kill) if nodes else _kill_trader(where, kills, seed, on_kill)
    if as_json:
        typer.echo(json.dumps({**asdict(drill), "passed": not drill.audit.faults}))
    else:
        _show(drill)
    return FOUND if drill.audit.faults else 0


def _kill_trader(journal: str, kills: int, seed: int, on_kill: OnKill) -> "Drill":
    from nt_ray.trader.chaos.drill import run_drill

    return run_drill(journal, kills, seed, on_kill=on_kill)


def _kill_nodes(journal: str, kills: int, seed: int, on_kill: OnKill) -> "NodeDrill":
    os.environ.pop("RAY_ADDRESS", None)
    prepare()
    from actors.node_drill import run_node_drill

    # Ray tells of each node that dies, and this command's own words come after it.
    with redirect_stdout(sys.stderr):
        return run_node_drill(journal, kills, seed, on_kill)


def _show(drill: "Drill | NodeDrill") -> None:
    found = drill.audit
    for line in drill.story():
        typer.echo(line)
    typer.echo(
        f"{found.orders} orders in the journal, {found.at_venue} at the venue, {found.executions} executions, "
        f"{found.events} events"
    )
    for fault in found.faults:
        typer.echo(f"FAULT  {fault}")
    if not found.faults:
        typer.echo("Nothing lost, nothing sent twice; journal, ledger and venue agree.")
