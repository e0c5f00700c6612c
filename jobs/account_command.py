"""`nt-ray account`: an account at a real venue: state, reconciliation, kill switches, limits.

`show`, and `limits` that changes nothing, read the journal alone. The others go to the account's actor where
RAY_ADDRESS or ray.address names its cluster; else they open the account (`jobs.venue_account`).
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, BrokerName, Live, Reason, Who, by_file, command_group, help_text, overrides_from
from jobs.venue_account import TakeOver, cancelled, reached_account

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.trader.reconciliation import Reconciliation

DIFFERS = 1

SHOW_HELP = help_text("Show an account from its journal; no venue is asked.", "nt-ray account show paper --json")
LOTS_HELP = help_text(
    "Show the tax lots of a position from the journal, oldest first. Where account.lots is specific, `order submit "
    "--lot ID` closes those that it names.",
    "nt-ray account lots paper KO --json",
)
RECONCILE_HELP = help_text(
    "Take in all news and compare the account with its venue: every difference by name, with a remedy. Exit code 1 "
    "where they differ. A live account does so by itself after each trading day's close; --list shows what it kept in "
    "the state's folder.",
    "nt-ray account reconcile paper",
    "nt-ray account reconcile paper --list --json",
)
HALT_HELP = help_text(
    "Stop trading in one scope or several, and cancel what works there: account, venue:NAME, strategy:NAME or "
    "symbol:SYMBOL. It survives restarts until `resume`. Where the account's actor cannot be asked, --take-over opens "
    "the account here, and that actor trades no more.",
    "nt-ray account halt paper account --who Ann --reason 'runaway orders'",
    "nt-ray account halt paper account --who Ann --reason 'nobody answers' --take-over",
    "nt-ray account halt paper strategy:pairs symbol:KO --who Ann --reason drill",
)
RESUME_HELP = help_text(
    "Allow trading in scopes again.", "nt-ray account resume paper account --who Ann --reason 'feed is back'"
)
RESET_HELP = help_text(
    "Close the loss breaker; losses count from the present equity on.",
    "nt-ray account reset paper --who Ann --reason 'reviewed'",
)
ADOPT_HELP = help_text(
    "Take what the venue holds and the books do not, or the other way round, into the books: positions and cash that "
    "no order of this account brought, and what is disputed. Journalled with who and why. Exit code 1 where "
    "something differs still.",
    "nt-ray account adopt paper --who Ann --reason 'traded by hand on Tuesday'",
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


@account_app.command("lots", help=LOTS_HELP)
@by_file
def lots(
    settings: "Settings",
    broker: BrokerName,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="What is held.")],
    as_json: AsJson = False,
) -> None:
    """Show the lots of a position."""
    from nt_ray.trader.connection import books_of

    held = books_of(settings, broker).ledger.lots(symbol)
    if as_json:
        typer.echo(json.dumps([asdict(lot) for lot in held], default=str))
        return
    for lot in held:
        typer.echo(f"{lot.lot_id:40s} {lot.opened:%Y-%m-%d %H:%M:%S}  {lot.quantity} cost {lot.cost}")


@account_app.command("reconcile", help=RECONCILE_HELP)
@by_file
def reconcile(
    settings: "Settings",
    broker: BrokerName,
    listed: Annotated[bool, typer.Option("--list", help="Show the daily comparisons that were kept.")] = False,
    live: Live = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Compare an account with its venue; return 1 where they differ."""
    if listed:
        return _kept(settings, broker, as_json=as_json)
    with reached_account(settings, broker, live=live, take_over=take_over) as account:
        found = account.reconcile()
    return _compared(found, as_json=as_json)


@account_app.command("adopt", help=ADOPT_HELP)
@by_file
def adopt(
    settings: "Settings",
    broker: BrokerName,
    who: Who,
    reason: Reason,
    live: Live = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Take over what the venue holds; return 1 where something differs still."""
    with reached_account(settings, broker, live=live, take_over=take_over, may_open=True) as account:
        found = account.adopt(who, reason)
    return _compared(found, as_json=as_json)


def _compared(found: "Reconciliation", *, as_json: bool) -> int:
    """Show a comparison; return 1 where it found differences."""
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


def _kept(settings: "Settings", broker: str, *, as_json: bool) -> int:
    """Show the daily comparisons; return 1 where the newest found differences."""
    from nt_ray.trader.connection import venue_of
    from nt_ray.trader.daily_reconciliation import kept_reconciliations
    from nt_ray.trader.live_plan import comparisons_of

    venue_of(settings, broker)
    kept = kept_reconciliations(comparisons_of(settings, broker))
    if as_json:
        typer.echo(json.dumps({"account": broker, "reconciliations": kept}))
    for line in () if as_json else kept:
        typer.echo(f"{line['day']}  {'agrees' if line['agrees'] else 'DIFFERS'}  {line['orders']} orders")
        for d in line["differences"]:
            typer.echo(f"  {d['kind']} {d['key']}: ours {d['ours']}, venue {d['venue']}. {d['remedy']}")
    return 0 if not kept or kept[-1]["agrees"] else DIFFERS


@account_app.command("halt", help=HALT_HELP)
@by_file
def halt(
    settings: "Settings",
    broker: BrokerName,
    scopes: Scopes,
    who: Who,
    reason: Reason,
    live: Live = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Stop trading in scopes."""
    with reached_account(settings, broker, live=live, take_over=take_over) as account:
        reports = cancelled(account, account.halt(scopes, who, reason))
    told = {"halted": list(scopes), "canceled": {r.request.client_order_id: r.status for r in reports}}
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(f"Trading is stopped for {', '.join(scopes)}; {len(reports)} orders were asked to be cancelled.")


@account_app.command("resume", help=RESUME_HELP)
@by_file
def resume(
    settings: "Settings",
    broker: BrokerName,
    scopes: Scopes,
    who: Who,
    reason: Reason,
    live: Live = False,
    take_over: TakeOver = False,
) -> None:
    """Allow trading in scopes again."""
    with reached_account(settings, broker, live=live, take_over=take_over, may_open=True) as account:
        account.resume(scopes, who, reason)
    typer.echo(f"Trading is allowed again for {', '.join(scopes)}.")


@account_app.command("reset", help=RESET_HELP)
@by_file
def reset(
    settings: "Settings",
    broker: BrokerName,
    who: Who,
    reason: Reason,
    live: Live = False,
    take_over: TakeOver = False,
) -> None:
    """Close the loss breaker."""
    with reached_account(settings, broker, live=live, take_over=take_over, may_open=True) as account:
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
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Show or change limits."""
    from nt_ray.errors import BadInputError
    from nt_ray.trader.journal_reading import limits_in_force

    changes, expires = overrides_from({}, change), _time(until)
    if revert and changes:
        raise BadInputError("--revert and --change are both given. Put the limits back first, then change some.")
    if expires is not None and not changes:
        raise BadInputError(f"--until {until} says when a change ends, and none is given. Give one by --change.")
    if revert or changes:
        with reached_account(settings, broker, live=live, take_over=take_over, may_open=True) as account:
            # What the account says: its journal may lie on another machine.
            if revert:
                in_force = account.revert_limits([], who, reason)
            else:
                in_force = account.change_limits(changes, who, reason, expires)
    else:
        in_force = limits_in_force(settings, broker, datetime.now(UTC))
    found = asdict(in_force)
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
