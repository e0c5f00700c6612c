"""A price and its age: a venue's last trade is as old as the trade, however often it is asked for."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Price(NamedTuple):
    """A price, and when it was made at the venue."""

    value: Decimal
    time: datetime


def marks_of(prices: Mapping[str, Price]) -> dict[str, Decimal]:
    """Prices alone."""
    return {symbol: price.value for symbol, price in prices.items()}


def times_of(prices: Mapping[str, Price]) -> dict[str, datetime]:
    """When each was made."""
    return {symbol: price.time for symbol, price in prices.items()}
