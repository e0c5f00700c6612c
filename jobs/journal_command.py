"""`nt-ray journal`: look into the journal of an account, and check that nobody changed it.

Exit codes: 0, the journal is whole; 1, it is broken or cannot be read; 2, what was asked for makes no sense.
"""

import json
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.storage.chain import Row

VERIFY_HELP = help_text(
    "Recompute the chain of hashes over all events and name the first one that was changed, moved or removed. "
    "A head noted earlier also shows whether the end was cut off.",
    "nt-ray journal verify runs/latest/journal-sim-east.sqlite",
    "nt-ray journal verify 'postgresql://trader@db.example/trading?schema=east' --json",
    "nt-ray journal verify east.sqlite --expect-head $(nt-ray journal head east-copy.sqlite)",
)
SHOW_HELP = help_text(
    "Print the last events, oldest first.",
    "nt-ray journal show runs/latest/journal-sim-east.sqlite",
    "nt-ray journal show east.sqlite --last 100 --order s.10.KO.0.sim-east --json",
)
HEAD_HELP = help_text(
    "Print the hash of the last event. Kept elsewhere, it later proves that nothing before it has changed.",
    "nt-ray journal head runs/latest/journal-sim-east.sqlite",
)

Where: TypeAlias = Annotated[
    str, typer.Argument(metavar="PATH|URL", help="A journal's file, or postgresql://USER@HOST/DATABASE?schema=NAME.")
]

journal_app = command_group(
    "Look into a journal and verify it.", "nt-ray journal show runs/latest/journal-sim-east.sqlite"
)


@journal_app.command("verify", help=VERIFY_HELP)
def verify(
    where: Where,
    expect_head: Annotated[str, typer.Option("--expect-head", metavar="HASH", help="A head noted earlier.")] = "",
    as_json: AsJson = False,
) -> int:
    """Recompute the chain of hashes; exit code 1 where it is broken."""
    from nt_ray.storage.opening import opened

    with opened(where) as journal:
        found = journal.verify(expect_head)
    fault = found.fault
    answer = {
        "journal": journal.name,
        "whole": fault is None,
        "events": found.rows,
        "head": found.head.hash.hex(),
        "expected_at": found.expected_at,
        "fault": None if fault is None else {"seq": fault.seq, "reason": fault.reason},
    }
    if as_json:
        typer.echo(json.dumps(answer))
    elif fault is not None:
        typer.echo(f"{journal.name} is broken at event {fault.seq}: {fault.reason}.")
    else:
        typer.echo(f"{journal.name} is whole: {found.rows:,} events, head {found.head.hash.hex()}.")
    return 0 if fault is None else 1


@journal_app.command("show", help=SHOW_HELP)
def show(
    where: Where,
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, max=1_000_000, help="How many events.")] = 20,
    order: Annotated[
        str, typer.Option("--order", metavar="ID", help="Only those of one order, by its client id.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the last events, oldest first."""
    from nt_ray.storage.opening import opened

    with opened(where) as journal:
        after = 0 if order else max(0, journal.head.seq - last)
        rows = deque((row for row in journal.rows(after) if order in ("", row.client_order_id)), last)
    if as_json:
        typer.echo(json.dumps({"journal": journal.name, "events": [_entry(row) for row in rows]}))
        return
    typer.echo(f"{'seq':>8}  {'time':<27}{'event':<18}{'order':<34}what")
    for row in rows:
        time = row.time.removesuffix("+00:00")
        typer.echo(f"{row.seq:>8}  {time:<27}{row.kind:<18}{row.client_order_id:<34}{row.payload}")


@journal_app.command("head", help=HEAD_HELP)
def head(where: Where, as_json: AsJson = False) -> None:
    """Print the hash of the last event."""
    from nt_ray.storage.opening import opened

    with opened(where) as journal:
        seq, digest = journal.head
    typer.echo(json.dumps({"journal": journal.name, "seq": seq, "head": digest.hex()}) if as_json else digest.hex())


def _entry(row: "Row") -> dict[str, Any]:
    entry = row._asdict() | {"payload": json.loads(row.payload), "hash": row.hash.hex()}
    return {key: value for key, value in entry.items() if value != ""}
