"""`nt-ray brokers`: the venues of the settings and how they are."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from jobs.options import AsJson, ConfigFile, SetValues, command_group, help_text, overrides_from
from jobs.venue_account import cluster_address, joined

if TYPE_CHECKING:
    from nt_ray.config import Settings

DOWN = 1

_COLUMNS = (
    "broker",
    "kind",
    "money",
    "up",
    "latency_ms",
    "equity",
    "buying_power",
    "open_orders",
    "budget_left",
    "capital_share",
)
_LIVE_COLUMNS = (
    "account",
    "up",
    "latency_ms",
    "failures",
    "circuit",
    "open_orders",
    "in_doubt",
    "cancelling",
    "epoch",
    "pid",
    "node",
)

_POOL_COLUMNS = ("account", "reachable", "circuit", "failures", "trips", "share", "cost_bps", "latency_ms")

STATUS_HELP = help_text(
    "Ask every enabled broker whether it is there: what stands behind the name, how fast it answers, money and orders, "
    "and how many questions its request budget leaves this minute. "
    "Where RAY_ADDRESS or ray.address names a cluster, show beside it what the live accounts there say of themselves: "
    "health, circuit, orders in doubt, epoch, process and node, and the table by which the broker pool routes. "
    "Exit code 1 where one cannot be reached.",
    "nt-ray brokers status",
    "nt-ray brokers status --config live.toml --json",
    "RAY_ADDRESS=10.0.0.1:6379 nt-ray brokers status --config live.toml",
)

brokers_app = command_group("Venues and their state.", "nt-ray brokers status")


@brokers_app.command("status", help=STATUS_HELP)
def status(config: ConfigFile = None, set_values: SetValues = None, as_json: AsJson = False) -> int:
    """Show the state of every enabled broker; return 1 where one is down."""
    from nt_ray.config import load_settings

    settings = load_settings(config, overrides_from({}, set_values))
    shares = settings.brokers.shares()
    rows = [{**_status(settings, name), "capital_share": str(shares[name])} for name in settings.brokers.enabled]
    told: dict[str, Any] = {"routing": settings.brokers.routing, "brokers": rows}
    address = cluster_address(settings)
    if address:
        told["cluster"] = _cluster(settings, address)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _show(rows, _COLUMNS)
        if address:
            _show_cluster(told["cluster"])
    return 0 if all(row["up"] for row in (*rows, *told.get("cluster", {}).get("accounts", ()))) else DOWN


def _cluster(settings: "Settings", address: str) -> dict[str, Any]:
    """Ask the live accounts of a cluster; one that cannot be joined is said, and the brokers are shown all the same."""
    from nt_ray.errors import ServiceError

    try:
        with joined(address):
            from actors.live_status import live_statuses, pool_status

            found, pool = live_statuses(settings.brokers.enabled), pool_status()
    except ServiceError as error:
        return {"address": address, "error": str(error), "accounts": [], "pool": None}
    accounts = [{"account": name, **row} for name, row in found.items()]
    return {"address": address, "error": "", "accounts": accounts, "pool": pool}


def _status(settings: "Settings", name: str) -> dict[str, Any]:
    venue = settings.brokers.table(name)
    row: dict[str, Any] = {"broker": name, "kind": venue.kind, "money": "simulated", "up": True}
    row |= {"latency_ms": None, "equity": None, "buying_power": None, "open_orders": None, "error": ""}
    row |= {"blocked": False, "budget_left": None, "budget": None, "warnings": ()}
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
            budget, warnings = connection.broker.budget, connection.broker.warnings()
    except NeuralTraderError as error:
        return {"money": money, "up": False, "error": str(error)}
    return {
        "money": money,
        "latency_ms": round(took, 1),
        "equity": str(account.equity),
        "buying_power": str(account.buying_power),
        "open_orders": len(orders),
        "blocked": account.blocked,
        "budget_left": budget.questions,
        "budget": asdict(budget),
        "warnings": warnings,
    }


def _show_cluster(cluster: dict[str, Any]) -> None:
    if cluster["error"]:
        typer.echo(cluster["error"])
    elif not cluster["accounts"]:
        typer.echo(f"No live account runs at {cluster['address']}.")
    else:
        _show(cluster["accounts"], _LIVE_COLUMNS)
        if cluster["pool"] is not None:
            typer.echo(f"The broker pool routes by {cluster['pool']['routing']}.")
            _show(cluster["pool"]["accounts"], _POOL_COLUMNS)


def _show(rows: list[dict[str, Any]], titles: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in titles:
        table.add_column(title.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(row.get(title)) for title in titles))
    Console().print(table)
    for row in rows:
        blocked = ["The venue has blocked the account, so it takes no order."] if row.get("blocked") else []
        for sentence in (row["error"], *blocked, *row.get("warnings", ())):
            if sentence:
                typer.echo(f"{row[titles[0]]}: {sentence}")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
