"""`nt-ray audit`: look into the audit log of the gateway, and check that nobody changed it.

Exit codes: 0, the log is whole; 1, it is broken or cannot be read; 2, what was asked for makes no sense.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, by_file, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.access.audit_lines import Entry
    from nt_ray.config import Settings

VERIFY_HELP = help_text(
    "Recompute the chain of hashes over all entries and name the first one that was changed, moved or removed. The "
    "head that it prints, kept elsewhere, later shows whether the end was cut off.",
    "nt-ray audit verify",
    "nt-ray audit verify /backup/audit --json",
    "nt-ray audit verify --expect-head $(cat head.txt)",
)
SHOW_HELP = help_text(
    "Print the last entries, oldest first.",
    "nt-ray audit show",
    "nt-ray audit show --last 100 --who ada --action keys. --json",
)

Where: TypeAlias = Annotated[
    Path | None, typer.Argument(metavar="FOLDER", help="Folder of the log; else that of the settings.")
]

audit_app = command_group("Look into the audit log and verify it.", "nt-ray audit show")


@audit_app.command("verify", help=VERIFY_HELP)
@by_file
def verify(
    settings: "Settings",
    folder: Where = None,
    expect_head: Annotated[str, typer.Option("--expect-head", metavar="HASH", help="A head noted earlier.")] = "",
    as_json: AsJson = False,
) -> int:
    """Recompute the chain of hashes; exit code 1 where it is broken."""
    from dataclasses import asdict

    from nt_ray.access import audit_reading

    where = _folder(settings, folder)
    found = audit_reading.verify(where, expect_head)
    if as_json:
        typer.echo(json.dumps({"log": str(where), "whole": found.fault is None} | asdict(found)))
    elif found.fault is None:
        typer.echo(f"{where} is whole: {found.entries:,} entries, head {found.head}.")
    else:
        fault = found.fault
        typer.echo(f"{where} is broken at entry {fault.seq} ({fault.file}, line {fault.line}): {fault.reason}.")
    return 0 if found.fault is None else 1


@audit_app.command("show", help=SHOW_HELP)
@by_file
def show(
    settings: "Settings",
    folder: Where = None,
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, max=1_000_000, help="How many entries.")] = 20,
    who: Annotated[str, typer.Option("--who", metavar="NAME", help="Only what somebody did.")] = "",
    action: Annotated[str, typer.Option("--action", metavar="TEXT", help="Only actions that begin so.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the last entries, oldest first."""
    from nt_ray.access.audit_reading import last_entries

    where = _folder(settings, folder)
    found = last_entries(where, last, lambda e: who in ("", e.who) and e.action.startswith(action))
    if as_json:
        typer.echo(json.dumps({"log": str(where), "entries": [_entry(entry) for entry in found]}))
        return
    typer.echo(f"{'seq':>8}  {'time':<27}{'who':<24}{'action':<20}what")
    for entry in found:
        time = entry.time.removesuffix("+00:00")
        typer.echo(f"{entry.seq:>8}  {time:<27}{entry.who:<24}{entry.action:<20}{json.dumps(entry.what)}")


def _folder(settings: "Settings", folder: Path | None) -> Path:
    from nt_ray.access.audit import folder_of

    return folder_of(settings.access) if folder is None else folder


def _entry(entry: "Entry") -> dict[str, Any]:
    return entry._asdict() | {"hash": entry.hash.hex()}
