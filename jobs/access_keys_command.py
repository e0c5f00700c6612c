"""`nt-ray access keys`: keys of users. A key's secret is shown once, when it is made."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.access_opening import opened, record, scopes_named
from jobs.options import AsJson, by_file, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.access.api_keys import ApiKey, NewKey
    from nt_ray.config import Settings

ADD_HELP = help_text(
    "Make a key of a user and print it, this once. It may do no more than the user; options narrow it further. "
    "Clients of Alpaca take its id and its secret as their two headers.",
    "nt-ray access keys add ada",
    "nt-ray access keys add robot --scope trading:read --scope trading:write --account paper-1 --days 90",
    "nt-ray access keys add scraper --scope system:read --per-minute 60 --label prometheus --json",
)
LIST_HELP = help_text("List keys, without their secrets.", "nt-ray access keys list", "nt-ray access keys list ada")
ROTATE_HELP = help_text(
    "Make a key like another, which ends after an overlap.",
    "nt-ray access keys rotate K3J5QWERTYUIOP23",
    "nt-ray access keys rotate K3J5QWERTYUIOP23 --overlap-hours 0",
)
REVOKE_HELP = help_text("Withdraw a key, at once and for good.", "nt-ray access keys revoke K3J5QWERTYUIOP23")

KeyId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Id of the key.")]

keys_app = command_group("Make, rotate, revoke and list keys.", "nt-ray access keys list")


@keys_app.command("add", help=ADD_HELP)
@by_file
def add(
    settings: "Settings",
    user: Annotated[str, typer.Argument(metavar="USER", help="User whose key it is.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="SCOPE", help="What it may do; may be repeated. Else all.")
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="NAME", help="Where it may; may be repeated. Else all.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=10_000_000, help="Requests a minute.")
    ] = None,
    days: Annotated[float | None, typer.Option(metavar="N", max=36_500, help="Days for which it holds.")] = None,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key."""
    scopes = scopes_named(scope)
    with opened(settings) as gate:
        new = gate.keys.add(
            user,
            label=label,
            scopes=scopes,
            accounts=account,
            per_minute=per_minute,
            lifetime=None if days is None else timedelta(days=days),
        )
        record(settings, "keys.add", new.key.id, {"user": user, "scopes": scope, "accounts": account, "label": label})
    _show_once(new, as_json=as_json)


@keys_app.command("list", help=LIST_HELP)
@by_file
def list_(
    settings: "Settings",
    user: Annotated[str | None, typer.Argument(metavar="USER", help="User whose keys are listed; else all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List keys."""
    with opened(settings) as gate:
        keys = gate.keys.all(user)
    if as_json:
        typer.echo(json.dumps({"keys": [_entry(key) for key in keys]}))
        return
    typer.echo(f"{'id':<18}{'user':<20}{'state':<10}{'expires':<18}{'last used':<18}scopes")
    for key in keys:
        scopes = "all" if key.scopes is None else " ".join(sorted(key.scopes))
        state = "revoked" if key.revoked else "rotated" if key.replaced_by else "in use"
        typer.echo(f"{key.id:<18}{key.user:<20}{state:<10}{_day(key.expires):<18}{_day(key.last_used):<18}{scopes}")


@keys_app.command("rotate", help=ROTATE_HELP)
@by_file
def rotate(
    settings: "Settings",
    key: KeyId,
    overlap_hours: Annotated[
        float, typer.Option(metavar="N", min=0, max=8784, help="Hours for which the old one still holds.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Make a key like another."""
    with opened(settings) as gate:
        new = gate.keys.rotate(key, timedelta(hours=overlap_hours))
        record(settings, "keys.rotate", key, {"to": new.key.id, "overlap_hours": overlap_hours})
    _show_once(new, as_json=as_json)


@keys_app.command("revoke", help=REVOKE_HELP)
@by_file
def revoke(settings: "Settings", key: KeyId, as_json: AsJson = False) -> None:
    """Withdraw a key."""
    with opened(settings) as gate:
        gate.keys.revoke(key)
        record(settings, "keys.revoke", key)
        found = gate.keys.get(key)
    typer.echo(json.dumps(_entry(found)) if as_json else f"The key {key} holds no longer.")


def _show_once(new: "NewKey", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_entry(new.key) | {"secret": new.secret, "key": new.text}))
    else:
        typer.echo(f"Key of {new.key.user}, shown this once:\n{new.text}")
        typer.echo(f"For clients of Alpaca: id {new.key.id}, secret {new.secret}")


def _entry(key: "ApiKey") -> dict[str, Any]:
    return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in key.facts().items()}


def _day(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M}"
