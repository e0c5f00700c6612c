"""`nt-ray brokers`: the venues of the settings and how they are."""

import json
import time
from typing import TYPE_CHECKING, Any

import typer

from jobs.options import AsJson, ConfigFile, SetValues, help_text, overrides_from

if TYPE_CHECKING:
    from nt_ray.config import Settings

DOWN = 1

STATUS_HELP = help_text(
    "Ask every enabled broker whether it is there: what stands behind the name, how fast it answers, money and orders. "
    "Exit code 1 where one cannot be reached.",
    "nt-ray brokers status",
    "nt-ray brokers status --config live.toml --json",
)

brokers_app = typer.Typer(help="Venues and their state.", rich_markup_mode=None, no_args_is_help=False)


@brokers_app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@brokers_app.command("status", help=STATUS_HELP)
def status(config: ConfigFile = None, set_values: SetValues = None, as_json: AsJson = False) -> int:
    """Show the state of every enabled broker; return 1 where one is down."""
    from nt_ray.config import load_settings

    settings = load_settings(config, overrides_from({}, set_values))
    shares = settings.brokers.shares()
    rows = [{**_status(settings, name), "capital_share": str(shares[name])} for name in settings.brokers.enabled]
    if as_json:
        typer.echo(json.dumps({"routing": settings.brokers.routing, "brokers": rows}))
    else:
        _show(rows)
    return 0 if all(row["up"] for row in rows) else DOWN


def _status(settings: "Settings", name: str) -> dict[str, Any]:
    venue = settings.brokers.table(name)
    row: dict[str, Any] = {"broker": name, "kind": venue.kind, "money": "simulated", "up": True}
    row |= {"latency_ms": None, "equity": None, "buying_power": None, "open_orders": None, "error": ""}
    return row if venue.kind == "simulated" else row | _ask(settings, name)


def _ask(settings: "Settings", name: str) -> dict[str, Any]:
    """Reach a real venue; a host of real money is asked only where the settings allow it."""
    from nt_ray.errors import NeuralTraderError
    from nt_ray.trader.connection import Connection, is_real_money

    money = "real" if is_real_money(settings, name) else "paper"
    try:
        with Connection(settings, name, live=True) as connection:
            started = time.perf_counter()
            connection.broker.ping()
            took = (time.perf_counter() - started) * 1e3
            account, orders = connection.broker.account(), connection.broker.open_orders()
    except NeuralTraderError as error:
        return {"money": money, "up": False, "error": str(error)}
    return {
        "money": money,
        "latency_ms": round(took, 1),
        "equity": str(account.equity),
        "buying_power": str(account.buying_power),
        "open_orders": len(orders),
    }


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    titles = ("broker", "kind", "money", "up", "latency_ms", "equity", "buying_power", "open_orders", "capital_share")
    for title in titles:
        table.add_column(title.replace("_", " "))
    for row in rows:
        values = ("yes" if row[t] is True else "NO" if row[t] is False else row[t] for t in titles)
        table.add_row(*("-" if value is None else str(value) for value in values))
    Console().print(table)
    for row in rows:
        if row["error"]:
            typer.echo(f"{row['broker']}: {row['error']}")
