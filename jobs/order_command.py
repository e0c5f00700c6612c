"""`nt-ray order`: orders at a real venue, through gate and journal.

Real money needs `live = true` in the settings and `--live`; without both the order is validated, shown and not sent.
"""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, BrokerName, Live, amount, by_file, command_group, help_text
from jobs.venue_account import opened_account

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.trader.account import OrderReport
    from nt_ray.trading.orders import OrderRequest

REFUSED = 1

SUBMIT_HELP = help_text(
    "Submit an order. It passes the risk gate and the journal, and its client order id makes a repetition harmless. "
    "Exit code 1 where the gate or the venue refuses it.",
    "nt-ray order submit paper KO --side buy --quantity 10",
    "nt-ray order submit paper KO --side sell --quantity 10 --type limit --limit 62.5 --tif gtc",
    "nt-ray order submit paper KO --side buy --notional 500 --json",
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
    broker: BrokerName,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="What to trade.")],
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
    live: Live = False,
    as_json: AsJson = False,
) -> int:
    """Submit one order; return 1 where it is refused."""
    from nt_ray.trader.connection import is_real_money

    request = _request(
        client_order_id=order_id, symbol=symbol, side=side, quantity=quantity, notional=notional, type=kind,
        limit_price=limit, stop_price=stop, trail_percent=trail, time_in_force=tif, extended_hours=extended,
    )  # fmt: skip
    if is_real_money(settings, broker) and not (settings.live and live):
        return _dry_run(request, settings, as_json=as_json)
    with opened_account(settings, broker, live=live, symbols=[symbol]) as account:
        told = account.submit([request])[0]
    return _answer(told, as_json=as_json)


@order_app.command("cancel", help=CANCEL_HELP)
@by_file
def cancel(
    settings: "Settings",
    broker: BrokerName,
    order_id: OrderId,
    live: Live = False,
    as_json: AsJson = False,
) -> int:
    """Cancel one order."""
    with opened_account(settings, broker, live=live) as account:
        told = account.cancel(order_id)
    return _answer(told, as_json=as_json)


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


def _dry_run(request: "OrderRequest", settings: "Settings", *, as_json: bool) -> int:
    """Show an order that is not sent because real money was not consented to twice."""
    shown = {key: str(value) for key, value in asdict(request).items() if value not in (None, "", False)}
    missing = [w for w, given in (("live = true in the settings", settings.live),) if not given] or ["--live"]
    if as_json:
        typer.echo(json.dumps({"sent": False, "dry_run": True, "missing": missing, "order": shown}))
        return 0
    typer.echo("DRY RUN: this order is valid and was not sent.")
    for key, value in shown.items():
        typer.echo(f"  {key:18s} {value}")
    typer.echo(f"Real money needs live = true in the settings and --live. Missing: {', '.join(missing)}.")
    return 0


def _answer(told: "OrderReport", *, as_json: bool) -> int:
    typer.echo(json.dumps(_record(told)) if as_json else _line(told))
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
