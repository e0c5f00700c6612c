"""A price and its age: a venue's last trade is as old as the trade, however often it is asked for; and its quotes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Price(NamedTuple):
    """A price, and when it was made at the venue."""

    value: Decimal
    time: datetime


class Top(NamedTuple):
    """Best bid and ask of a venue with their sizes, None where a side is empty, and when they were quoted."""

    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    time: datetime


def marks_of(prices: Mapping[str, Price]) -> dict[str, Decimal]:
    """Prices alone."""
    return {symbol: price.value for symbol, price in prices.items()}


def times_of(prices: Mapping[str, Price]) -> dict[str, datetime]:
    """When each was made."""
    return {symbol: price.time for symbol, price in prices.items()}
