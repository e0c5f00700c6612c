"""`nt-ray order`: orders at a real venue, through gate and journal.

Real money needs `live = true` in the settings and `--live`; without both the order is shown with what each rule of the
gate says of it, and not sent.
"""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, BrokerName, Live, amount, by_file, command_group, help_text
from jobs.venue_account import TakeOver, cancelled, cluster_address, joined, reached_account

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.trader.account import OrderReport
    from nt_ray.trader.verdicts import Verdict
    from nt_ray.trading.orders import OrderRequest

REFUSED = 1

SUBMIT_HELP = help_text(
    "Submit an order. It passes the risk gate and the journal, and its client order id makes a repetition harmless. "
    "Without a broker it is routed over the live accounts of the cluster of RAY_ADDRESS or ray.address, by "
    "brokers.routing; what certainly was not sent goes to the next account. Exit code 1 where the gate or the venue "
    "refuses it.",
    "nt-ray order submit paper KO --side buy --quantity 10",
    "RAY_ADDRESS=10.0.0.1:6379 nt-ray order submit KO --side buy --quantity 10 --id first",
    "nt-ray order submit paper KO --side sell --quantity 10 --type limit --limit 62.5 --tif gtc",
    "nt-ray order submit paper KO --side buy --notional 500 --json",
    "nt-ray order submit paper KO --side sell --quantity 5 --lot 20260105-1",
    "nt-ray order submit paper KO --side buy --quantity 10 --dry-run",
    "nt-ray order submit real KO --side buy --quantity 1 --live",
)
CANCEL_HELP = help_text("Ask the venue to cancel an order.", "nt-ray order cancel paper manual-20260105-1")
LIST_HELP = help_text(
    "List the orders of an account from its journal, oldest first; no venue is asked.",
    "nt-ray order list paper --open --json",
)

OrderId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The order's client order id.")]
Price: TypeAlias = Annotated[str | None, typer.Option(metavar="PRICE", help="Price.")]

order_app = command_group("Orders at real venues.", "nt-ray order list paper --open")


@order_app.command("submit", help=SUBMIT_HELP)
@by_file
def submit(
    settings: "Settings",
    names: Annotated[
        list[str], typer.Argument(metavar="[BROKER] SYMBOL", help="A broker of the settings, and what to trade.")
    ],
    side: Annotated[str, typer.Option(metavar="SIDE", help="buy or sell.")],
    quantity: Annotated[str | None, typer.Option(metavar="N", help="Units to trade.")] = None,
    notional: Annotated[str | None, typer.Option(metavar="MONEY", help="Money to trade instead of a quantity.")] = None,
    kind: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="market, limit, stop, stop_limit or trailing_stop.")
    ] = "market",
    limit: Price = None,
    stop: Price = None,
    trail: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Distance of a trailing stop, in percent.")
    ] = None,
    tif: Annotated[str, typer.Option(metavar="TIF", help="day, gtc, ioc, fok, opg or cls.")] = "day",
    extended: Annotated[bool, typer.Option("--extended-hours", help="Also trade outside the regular session.")] = False,
    order_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Client order id; without it, a new one.")
    ] = None,
    lot: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A tax lot to close, where account.lots is specific; may be repeated."),
    ] = None,
    live: Live = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what each rule says of the order; send none.")
    ] = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Submit one order; return 1 where it is refused."""
    from nt_ray.trader.consent import missing_consents

    broker, symbol = _place(names)
    request = _request(
        client_order_id=order_id, symbol=symbol, side=side, quantity=quantity, notional=notional, type=kind,
        limit_price=limit, stop_price=stop, trail_percent=trail, time_in_force=tif, extended_hours=extended,
    )  # fmt: skip
    accounts = _candidates(settings, broker)
    missing = missing_consents(settings, *accounts, live=live)
    if missing or dry_run:
        return _dry_run(settings, accounts, request, missing, as_json=as_json)
    if broker is None:
        _check_no_lots(lot)
        return _answer(*_routed(settings, request), as_json=as_json)
    reached = reached_account(settings, broker, live=live, take_over=take_over, symbols=[symbol], may_open=True)
    with reached as account:
        if lot:
            account.name_lots(request.client_order_id, symbol, lot)
        told = account.submit([request])[0]
    return _answer(broker, told, as_json=as_json)


@order_app.command("cancel", help=CANCEL_HELP)
@by_file
def cancel(
    settings: "Settings",
    broker: BrokerName,
    order_id: OrderId,
    live: Live = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Cancel one order."""
    with reached_account(settings, broker, live=live, take_over=take_over) as account:
        (told,) = cancelled(account, [account.cancel(order_id)])
    return _answer(broker, told, as_json=as_json)


@order_app.command("list", help=LIST_HELP)
@by_file
def list_orders(
    settings: "Settings",
    broker: BrokerName,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that the venue may hold.")] = False,
    as_json: AsJson = False,
) -> None:
    """List orders of an account."""
    from nt_ray.trader.connection import books_of
    from nt_ray.trader.reports import report

    books = books_of(settings, broker)
    orders = [report(order) for order in books.orders.values() if order.status.is_open or not only_open]
    if as_json:
        typer.echo(json.dumps([_record(order) for order in orders]))
        return
    for order in orders:
        typer.echo(_line(order))


def _request(**fields: Any) -> "OrderRequest":
    """Read an order from options."""
    from datetime import UTC, datetime

    from nt_ray.errors import BadInputError
    from nt_ray.trading.orders import OrderRequest, OrderType, Side, TimeInForce

    for name, kind in (("side", Side), ("type", OrderType), ("time_in_force", TimeInForce)):
        try:
            fields[name] = kind(fields[name])
        except ValueError:
            known = ", ".join(kind)
            raise BadInputError(f"{name} {fields[name]!r} is unknown. Use one of {known}.") from None
    for name in ("quantity", "notional", "limit_price", "stop_price", "trail_percent"):
        if fields[name] is not None:
            fields[name] = amount(f"--{name.partition('_')[0]}", fields[name])
    if fields["quantity"] is None:
        fields["quantity"] = Decimal(0)
    fields["client_order_id"] = fields["client_order_id"] or f"manual-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    return OrderRequest(strategy="manual", **fields)


def _dry_run(
    settings: "Settings", accounts: list[str], request: "OrderRequest", missing: list[str], *, as_json: bool
) -> int:
    """Show an order that is not sent, and what capabilities and rules of each account would make of it."""
    shown = {key: str(value) for key, value in asdict(request).items() if value not in (None, "", False)}
    told = _previews(settings, accounts, request)
    if as_json:
        rules = {name: [asdict(verdict) for verdict in said] for name, said in told.items()}
        typer.echo(json.dumps({"sent": False, "dry_run": True, "missing": missing, "order": shown, "rules": rules}))
        return 0
    typer.echo("DRY RUN: this order was not sent.")
    for key, value in shown.items():
        typer.echo(f"  {key:18s} {value}")
    for name, said in told.items():
        typer.echo(f"{name} would {'refuse' if any(verdict.reason for verdict in said) else 'take'} it:")
        for verdict in said:
            typer.echo(f"  {verdict.rule:18s} {verdict.reason or 'passes'}")
    if missing:
        typer.echo(f"Real money needs live = true in the settings and --live. Missing: {', '.join(missing)}.")
    return 0


def _previews(settings: "Settings", accounts: list[str], request: "OrderRequest") -> "dict[str, list[Verdict]]":
    """Ask each account: its actor where a cluster has one, else its journal, which fences nobody."""
    from datetime import UTC, datetime

    from nt_ray.trader.preview import from_journal

    told: dict[str, list[Verdict]] = {}
    address = cluster_address(settings)
    if address is not None:
        with joined(address):
            from actors.remote_account import CommandedAccount

            actors = [actor for actor in map(CommandedAccount, accounts) if actor.is_there()]
            told = {actor.name: actor.preview(request) for actor in actors}
    now = datetime.now(UTC)
    return {name: told.get(name) or from_journal(settings, name, request, now) for name in accounts}


def _place(names: list[str]) -> tuple[str | None, str]:
    """Read `[BROKER] SYMBOL`."""
    from nt_ray.errors import BadInputError

    if len(names) > 2:
        raise BadInputError(f"{' '.join(names)} are too many names. Give a symbol, or a broker and a symbol.")
    return (None if len(names) == 1 else names[0]), names[-1]


def _check_no_lots(lots: list[str] | None) -> None:
    from nt_ray.errors import BadInputError

    if lots:
        raise BadInputError(f"Lots {', '.join(lots)} are one account's. Name the broker that holds them.")


def _candidates(settings: "Settings", broker: str | None) -> list[str]:
    """Name the accounts to which an order may go."""
    if broker is not None:
        return [broker]
    return [name for name in settings.brokers.enabled if settings.brokers.table(name).kind != "simulated"]


def _routed(settings: "Settings", request: "OrderRequest") -> "tuple[str, OrderReport]":
    """Send an order to the best of the accounts that run on the cluster."""
    from nt_ray.errors import ConfigError

    address = cluster_address(settings)
    if address is None:
        raise ConfigError(
            "No cluster is named whose accounts could take the order. Set RAY_ADDRESS or ray.address, or name a "
            "broker: nt-ray order submit BROKER SYMBOL."
        )
    with joined(address):
        from actors.live_pool import dispatcher

        return dispatcher(settings).submit(request)


def _answer(account: str, told: "OrderReport", *, as_json: bool) -> int:
    typer.echo(json.dumps({"account": account} | _record(told)) if as_json else f"{account}  {_line(told)}")
    return REFUSED if told.status in ("denied", "rejected") else 0


def _record(told: "OrderReport") -> dict[str, Any]:
    request = told.request
    return {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "quantity": str(request.quantity),
        "notional": None if request.notional is None else str(request.notional),
        "type": request.type,
        "time_in_force": request.time_in_force,
        "status": told.status,
        "filled_quantity": str(told.filled_quantity),
        "venue_order_id": told.venue_order_id,
        "rule": told.rule,
        "reason": told.reason,
    }


def _line(told: "OrderReport") -> str:
    request = told.request
    size = request.quantity if request.notional is None else f"{request.notional} worth of"
    line = f"{request.client_order_id}  {request.side} {size} {request.symbol} {request.type}  {told.status}"
    filled = f", {told.filled_quantity} filled" if told.filled_quantity else ""
    return f"{line}{filled}{f'  {told.reason}' if told.reason else ''}"
