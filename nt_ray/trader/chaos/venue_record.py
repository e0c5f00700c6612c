"""The venue's own book as the audit reads it, from each venue that a drill trades at."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

from nt_ray.brokers.alpaca.links import Leg, leg_id
from nt_ray.brokers.alpaca.simulator.model import WORKING
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.market.bars import BarPanel
from nt_ray.trader.chaos.audit import LIVE, Held, VenueRecord
from nt_ray.trading.orders import OrderStatus

_ROLES: Final = {"take_profit": Leg.TAKE_PROFIT, "stop_loss": Leg.STOP_LOSS}


def alpaca_record(simulator: AlpacaSimulator) -> VenueRecord:
    """Read the book of a simulated Alpaca."""
    cash, positions = simulator.holdings()
    kept = simulator.orders()
    heads = {order["id"]: order["client_order_id"] for order in kept}
    return VenueRecord([_held(order, heads) for order in kept], positions, cash)


def _held(order: Json, heads: dict[str, str]) -> Held:
    """An order under the name that we know it by: legs are named after their head."""
    head = heads.get(order["head"])
    name = order["client_order_id"] if head is None else leg_id(head, _ROLES[order["role"]])
    status = OrderStatus.ACCEPTED if order["status"] in WORKING else OrderStatus(order["status"])
    return Held(name, order["symbol"], order["side"] == "buy", order["qty"], order["filled"], status)


def exchange_record(path: Path, panel: BarPanel, venue: SimulatedExchange) -> VenueRecord:
    """Read the book of a simulated exchange: its file, and from `venue` only each order's state."""
    instruments = {instrument.symbol: instrument for instrument in panel.instruments}
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    positions: defaultdict[str, Decimal] = defaultdict(Decimal)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as book:
        for name, symbol, side, lots in book.execute("SELECT client_order_id, symbol, side, lots FROM executions"):
            filled[name] += instruments[symbol].quantity(lots)
            positions[symbol] += side * instruments[symbol].quantity(lots)
        orders = []
        for name, symbol, side, asked in book.execute("SELECT client_order_id, symbol, side, asked FROM orders"):
            found = venue.order(name)
            status = OrderStatus.REJECTED if found is None else found.status
            status = OrderStatus.ACCEPTED if status in LIVE else status
            orders.append(Held(name, symbol, side > 0, instruments[symbol].quantity(asked), filled[name], status))
    return VenueRecord(orders, positions)
