"""`nt-ray simulate`: venues on loopback that speak the protocol of real ones."""

import json
import signal
import threading
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from jobs.options import AsJson, command_group, help_text
from nt_ray.errors import BadInputError

ALPACA_HELP = help_text(
    "Serve a simulated Alpaca on loopback until interrupted: Trading API v2, market data, order updates on one port. "
    "POST /simulator/price moves the market, POST /simulator/faults lets things go wrong.",
    "nt-ray simulate alpaca",
    "nt-ray simulate alpaca --port 9100 --symbols AAPL=230,SPY=600 --file venue.jsonl",
    "nt-ray simulate alpaca --port 0 --json",
)

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")]
Key = Annotated[str, typer.Option(metavar="TEXT", help="Key that clients must send.")]
Secret = Annotated[str, typer.Option(metavar="TEXT", help="Secret that clients must send.")]
Cash = Annotated[str, typer.Option(metavar="AMOUNT", help="Cash of the account at the beginning.")]
Prices = Annotated[str, typer.Option("--symbols", metavar="A=1,B=2", help="Listed symbols and their first prices.")]
File = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File that keeps the state from one start to the next.")
]
Rate = Annotated[int, typer.Option(min=1, max=100_000, help="Requests that the venue allows in a minute.")]

simulate_app = command_group("Serve simulated venues on loopback.", "nt-ray simulate alpaca")


@simulate_app.command("alpaca", help=ALPACA_HELP)
def alpaca(
    port: Port = 9100,
    key: Key = "PKSIMULATED",
    secret: Secret = "simulated-secret",  # noqa: S107  it opens nothing but this simulator
    cash: Cash = "100000",
    symbols: Prices = "AAPL=100,MSFT=200,SPY=400",
    file: File = None,
    rate: Rate = 200,
    as_json: AsJson = False,
) -> None:
    """Serve until a signal comes."""
    from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

    prices = dict(_priced(item) for item in symbols.split(","))
    simulator = AlpacaSimulator(
        key, secret, cash=_amount("--cash", cash), symbols=prices, port=port, file=file, requests_per_minute=rate
    )
    ends = threading.Event()
    with simulator:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ends.set())
        found = {"url": simulator.url, "key": key, "symbols": sorted(prices)}
        told = f"Simulated Alpaca at {simulator.url}, key {key}. Ctrl-C ends it."
        typer.echo(json.dumps(found) if as_json else told)
        ends.wait()


def _priced(item: str) -> tuple[str, Decimal]:
    symbol, _, price = item.partition("=")
    if not symbol.strip():
        raise BadInputError(f"--symbols {item!r} names no symbol. Write it like --symbols AAPL=230,SPY=600.")
    return symbol.strip(), _amount(f"--symbols {symbol}", price)


def _amount(option: str, text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not (amount.is_finite() and amount > 0):
        raise BadInputError(f"{option}={text} is no positive amount. Give one like 100000.")
    return amount
