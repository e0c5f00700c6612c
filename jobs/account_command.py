"""`nt-ray account`: an account at a real venue: state, reconciliation, kill switches, limits.

`show` reads the journal alone. The others open the account, which recovers, settles doubts with the venue and fences
off any other process that still writes its journal.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, BrokerName, Live, by_file, command_group, help_text, overrides_from
from jobs.venue_account import opened_account

if TYPE_CHECKING:
    from nt_ray.config import Settings

DIFFERS = 1

SHOW_HELP = help_text("Show an account from its journal; no venue is asked.", "nt-ray account show paper --json")
RECONCILE_HELP = help_text(
    "Take in all news and compare the account with its venue: every difference by name, with a remedy. Exit code 1 "
    "where they differ.",
    "nt-ray account reconcile paper",
    "nt-ray account reconcile paper --json",
)
HALT_HELP = help_text(
    "Stop trading in one scope or several, and cancel what works there: account, venue:NAME, strategy:NAME or "
    "symbol:SYMBOL. It survives restarts until `resume`.",
    "nt-ray account halt paper account --who Ann --reason 'runaway orders'",
    "nt-ray account halt paper strategy:pairs symbol:KO --who Ann --reason drill",
)
RESUME_HELP = help_text(
    "Allow trading in scopes again.", "nt-ray account resume paper account --who Ann --reason 'feed is back'"
)
RESET_HELP = help_text(
    "Close the loss breaker; losses count from the present equity on.",
    "nt-ray account reset paper --who Ann --reason 'reviewed'",
)
LIMITS_HELP = help_text(
    "Show the limits of the gate, or change some of them for good or until a time. Every change is journalled.",
    "nt-ray account limits paper",
    "nt-ray account limits paper --change max_heat=0.04 --until 2026-11-30T21:00:00Z --who Ann --reason earnings",
    "nt-ray account limits paper --revert --who Ann --reason 'earnings are over'",
)

Scopes: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="SCOPE...", help="account, venue:, strategy:, symbol:.")
]
Who: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Who decides.")]
Reason: TypeAlias = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]

account_app = command_group("Accounts at real venues.", "nt-ray account show paper")


@account_app.command("show", help=SHOW_HELP)
@by_file
def show(settings: "Settings", broker: BrokerName, as_json: AsJson = False) -> None:
    """Show an account."""
    from nt_ray.trader.connection import books_of
    from nt_ray.trader.reports import state_of

    state = asdict(state_of(broker, books_of(settings, broker)))
    state.pop("fills")
    if as_json:
        typer.echo(json.dumps(state, default=str))
        return
    for key, value in state.items():
        typer.echo(f"{key:18s} {_plain(value)}")


@account_app.command("reconcile", help=RECONCILE_HELP)
@by_file
def reconcile(settings: "Settings", broker: BrokerName, live: Live = False, as_json: AsJson = False) -> int:
    """Compare an account with its venue; return 1 where they differ."""
    with opened_account(settings, broker, live=live) as account:
        found = account.reconcile()
    if as_json:
        typer.echo(json.dumps({**asdict(found), "agrees": found.agrees}, default=str))
        return 0 if found.agrees else DIFFERS
    typer.echo(
        f"{found.account} at {found.time:%Y-%m-%d %H:%M:%S} UTC: {found.orders} orders, {found.executions} executions, "
        f"{found.positions} positions"
    )
    for d in found.differences:
        typer.echo(f"DIFFERENCE  {d.kind} {d.key}: ours {d.ours}, venue {d.venue}. {d.remedy}")
    if found.agrees:
        typer.echo("Account and venue agree.")
    return 0 if found.agrees else DIFFERS


@account_app.command("halt", help=HALT_HELP)
@by_file
def halt(
    settings: "Settings",
    broker: BrokerName,
    scopes: Scopes,
    who: Who,
    reason: Reason,
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """Stop trading in scopes."""
    with opened_account(settings, broker, live=live) as account:
        reports = account.halt(scopes, who, reason)
    told = {"halted": list(scopes), "canceled": {r.request.client_order_id: r.status for r in reports}}
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(f"Trading is stopped for {', '.join(scopes)}; {len(reports)} orders were asked to be cancelled.")


@account_app.command("resume", help=RESUME_HELP)
@by_file
def resume(
    settings: "Settings", broker: BrokerName, scopes: Scopes, who: Who, reason: Reason, live: Live = False
) -> None:
    """Allow trading in scopes again."""
    with opened_account(settings, broker, live=live) as account:
        account.resume(scopes, who, reason)
    typer.echo(f"Trading is allowed again for {', '.join(scopes)}.")


@account_app.command("reset", help=RESET_HELP)
@by_file
def reset(settings: "Settings", broker: BrokerName, who: Who, reason: Reason, live: Live = False) -> None:
    """Close the loss breaker."""
    with opened_account(settings, broker, live=live) as account:
        account.reset(who, reason)
    typer.echo("The loss breaker is closed.")


@account_app.command("limits", help=LIMITS_HELP)
@by_file
def limits(
    settings: "Settings",
    broker: BrokerName,
    change: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A new limit; may be repeated.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="When the change ends, with its time zone.")] = None,
    revert: Annotated[bool, typer.Option("--revert", help="Put all limits back to the configuration.")] = False,
    who: Who = "",
    reason: Reason = "",
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """Show or change limits."""
    changes = overrides_from({}, change)
    with opened_account(settings, broker, live=live) as account:
        if revert:
            account.revert_limits([], who, reason)
        if changes:
            account.change_limits(changes, who, reason, _time(until))
        found = asdict(account.limits)
    if as_json:
        typer.echo(json.dumps({name: _plain(value) for name, value in found.items()}))
        return
    for name, value in found.items():
        typer.echo(f"{name:24s} {_plain(value)}")


def _time(text: str | None) -> datetime | None:
    from nt_ray.errors import BadInputError

    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise BadInputError(f"--until {text} is no time with a zone. Write it like --until 2026-11-30T21:00:00Z.")
    return time


_PLAIN: dict[type, Callable[[Any], str]] = {
    dict: lambda value: ", ".join(f"{k} {v}" for k, v in value.items()) or "-",
    tuple: lambda value: ", ".join(map(str, value)) or "-",
    frozenset: lambda value: ", ".join(sorted(value)) or "-",
}


def _plain(value: object) -> str:
    return _PLAIN.get(type(value), str)(value)
