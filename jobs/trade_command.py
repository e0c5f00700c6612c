"""`nt-ray trade`: strategies that trade an account at a venue by themselves, on a cluster, until they are stopped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, BrokerName, Live, Reason, StrategyName, Values, Who, by_file, command_group, help_text
from jobs.venue_account import cluster_address, joined

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.trader.live_session import SessionStatus
    from nt_ray.trader.session_keeper import SessionRequest

START_HELP = help_text(
    "Let a strategy, or the configured swarm where none is named, trade an account: on each finished daily bar it "
    "decides, and the differences to the account's positions are sent as market orders. It goes on when the command "
    "has ended, on the cluster of RAY_ADDRESS or ray.address. Without both consents to real money the session is "
    "checked, shown and not started.",
    "nt-ray trade start paper momentum --symbols AAPL,MSFT --param lookback=63 --who Ann --reason trial",
    "RAY_ADDRESS=10.0.0.1:6379 nt-ray trade start paper --symbols AAPL,MSFT --who Ann --reason trial --json",
)
STOP_HELP = help_text(
    "End a session and cancel what it has open. Positions stay, unless --flatten closes those in its symbols.",
    "nt-ray trade stop momentum-1",
    "nt-ray trade stop momentum-1 --flatten --json",
)
STATUS_HELP = help_text(
    "Show the sessions that trade: what the last look came to, and the orders of the last bar.",
    "nt-ray trade status",
    "nt-ray trade status paper --json",
)

Symbols: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B,C", help="Symbols, separated by commas; all of the account if left out.")
]
Account: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="BROKER", help="A broker of the settings; all if left out.")
]
Session: TypeAlias = Annotated[str, typer.Argument(metavar="SESSION", help="A session, as status names it.")]

_COLUMNS = ("session", "account", "symbols", "phase", "condition", "bar", "sentence")

trade_app = command_group("Strategies that trade accounts by themselves.", "nt-ray trade status")


@trade_app.command("start", help=START_HELP)
@by_file
def start(
    settings: "Settings",
    broker: BrokerName,
    who: Who,
    reason: Reason,
    strategy: StrategyName = None,
    symbols: Symbols = None,
    param: Values = None,
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """Let a strategy trade an account."""
    from nt_ray.backtest.assignment import numbers
    from nt_ray.trader.connection import access_of, venue_of
    from nt_ray.trader.consent import missing_consents
    from nt_ray.trader.controls import check_signature
    from nt_ray.trader.live_plan import SettingsPlan
    from nt_ray.trader.session_keeper import SessionRequest

    check_signature(who, reason)
    named = tuple(symbol.strip() for symbol in (symbols or "").split(",") if symbol.strip())
    asked = SessionRequest(broker, strategy or "", named, numbers(param or ()))
    # Real money takes both consents here too, whoever has opened the account before.
    missing = missing_consents(settings, broker, live=live)
    if missing:
        _dry_run(asked, missing, as_json=as_json)
        return
    access_of(venue_of(settings, broker), broker, live=settings.live and live)
    # The account's process may stand in another folder.
    settings = settings.model_copy(update={"state": settings.state.absolute()})
    with _cluster(settings):
        from actors import live_account, live_pool, live_sessions

        live_account.start_free(SettingsPlan(settings, broker, named, live=live))
        live_pool.start_over_several(settings)
        _show([live_sessions.ask(settings, "start", asked, who, reason)], as_json=as_json)


@trade_app.command("stop", help=STOP_HELP)
@by_file
def stop(
    settings: "Settings",
    session: Session,
    flatten: Annotated[bool, typer.Option("--flatten", help="Close the positions in its symbols.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a session."""
    with _cluster(settings):
        from actors import live_sessions

        _show([live_sessions.ask(settings, "stop", session, flatten)], as_json=as_json)


@trade_app.command("status", help=STATUS_HELP)
@by_file
def status(settings: "Settings", broker: Account = None, as_json: AsJson = False) -> None:
    """Show the sessions that trade."""
    with _cluster(settings):
        from actors import live_sessions

        _show(live_sessions.ask(settings, "statuses", broker or ""), as_json=as_json)


def _dry_run(asked: "SessionRequest", missing: list[str], *, as_json: bool) -> None:
    """Show a session that does not begin because real money was not consented to twice."""
    from nt_ray.strategies.registry import find

    parameters: dict[str, float] = {}
    if asked.strategy:
        found = find(asked.strategy)
        parameters = dict(zip((p.name for p in found.parameters), found.vector(asked.parameters).tolist(), strict=True))
    shown = {
        "account": asked.account,
        "strategy": asked.strategy or "the configured swarm",
        "symbols": list(asked.symbols) or "all of the account",
        "parameters": parameters,
        "orders": "market orders from positions to targets, after each finished daily bar",
    }
    if as_json:
        typer.echo(json.dumps({"started": False, "dry_run": True, "missing": missing, "session": shown}))
        return
    typer.echo("DRY RUN: this session is valid and was not started.")
    for key, value in shown.items():
        typer.echo(f"  {key:18s} {', '.join(value) if isinstance(value, list) else value}")
    typer.echo(f"Real money needs live = true in the settings and --live. Missing: {', '.join(missing)}.")


@contextmanager
def _cluster(settings: "Settings") -> Iterator[None]:
    """Join the cluster that is named: one that began here would end with the command, and what trades with it."""
    from nt_ray.errors import ConfigError

    address = cluster_address(settings)
    if address is None:
        raise ConfigError("No cluster is named for what is to trade on. Set RAY_ADDRESS or ray.address.")
    with joined(address):
        yield


def _show(found: "list[SessionStatus]", *, as_json: bool) -> None:
    from nt_ray.trader.session_keeper import plain_status

    rows: list[dict[str, Any]] = [plain_status(told) for told in found]
    if as_json:
        typer.echo(json.dumps({"sessions": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in _COLUMNS:
        table.add_column(title)
    for row in rows:
        table.add_row(*(", ".join(row[title]) if title == "symbols" else row[title] for title in _COLUMNS))
    Console().print(table)
