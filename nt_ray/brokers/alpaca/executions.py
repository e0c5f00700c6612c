"""Executions as Alpaca tells of them, in its history and in its stream, under one id.

History and stream number executions each in its own way. What both state is the order and the quantity it had filled
after the execution, which only grows; so `ORDER:FILLED` is the id of an execution, whichever way it came. Alpaca
takes no commission on US equities; fees of regulators come later, as activities of the account.
"""

from decimal import Decimal

from nt_ray.brokers.alpaca.wire import Json, moment, number, optional, plain, word
from nt_ray.trading.orders import Fill, Side


def from_activity(item: Json, client_order_id: str) -> Fill:
    """Read an activity of kind FILL."""
    return Fill(
        _id(word(item, "order_id"), number(item, "cum_qty")),
        client_order_id,
        word(item, "symbol"),
        _side(item),
        number(item, "qty"),
        number(item, "price"),
        Decimal(0),
        moment(item, "transaction_time"),
        optional(item, "leaves_qty"),
    )


def from_update(update: Json, order: Json, client_order_id: str) -> Fill:
    """Read a message of the stream about a fill or a partial fill."""
    filled, wanted = number(order, "filled_qty"), optional(order, "qty")
    done = Decimal(0) if update.get("event") == "fill" else None
    return Fill(
        _id(word(order, "id"), filled),
        client_order_id,
        word(order, "symbol"),
        _side(order),
        number(update, "qty"),
        number(update, "price"),
        Decimal(0),
        moment(update, "timestamp"),
        done if wanted is None else wanted - filled,
    )


def _id(order: str, filled: Decimal) -> str:
    return f"{order}:{plain(filled.normalize())}"


def _side(item: Json) -> Side:
    """Short sales are told as `sell_short` in the history."""
    return Side.BUY if word(item, "side").startswith("buy") else Side.SELL
