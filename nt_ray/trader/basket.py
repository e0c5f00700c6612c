"""A benchmark for an account: equal parts of every symbol that it marks, bought once and held, dividends left out.

`Basket` follows marks and says what one unit of money in it has become. A symbol that joins later gets as much money as
the others have on average, so joining moves nothing; nor does a split or a change of name. `beside` puts the same money
into it as went into the account. Levels are floats: they are drawn, never booked.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from nt_ray.trader.worth import Sample

NAME: Final = "equal parts, held"


class Basket:
    """What one unit of money in equal parts of all symbols has become; `level` is 0 before the first mark."""

    def __init__(self) -> None:
        self.level = 0.0
        self._units: dict[str, float] = {}
        self._prices: dict[str, float] = {}
        self._divisor = 1.0

    def mark(self, marks: Mapping[str, Decimal]) -> None:
        """Take in prices in the account's currency; those that are not positive are passed over."""
        fresh = {symbol: float(price) for symbol, price in marks.items() if price > 0}
        joined = [symbol for symbol in fresh if symbol not in self._units]
        self._prices |= fresh
        value = self._value()
        # The first of all share one unit of money; whoever joins later gets the mean of those that are there.
        part = value / len(self._units) if self._units else 1.0 / max(len(joined), 1)
        self._units |= {symbol: part / fresh[symbol] for symbol in joined}
        if value:
            self._divisor *= (value + part * len(joined)) / value
        if self._units:
            self.level = self._value() / self._divisor

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that are in it, in order."""
        return tuple(sorted(self._units))

    def split(self, symbol: str, new: int, old: int) -> None:
        """Hold `new` units for every `old`, at a price that makes them worth the same."""
        if symbol in self._units:
            self._units[symbol] *= new / old
            self._prices[symbol] *= old / new

    def rename(self, symbol: str, into: str) -> None:
        """Go on with a symbol under another name; what is in that one already is joined by its value."""
        if symbol not in self._units:
            return
        units, price = self._units.pop(symbol), self._prices.pop(symbol)
        if into in self._units:
            self._units[into] += units * price / self._prices[into]
        else:
            self._units[into], self._prices[into] = units, price

    def _value(self) -> float:
        return sum(units * self._prices[symbol] for symbol, units in self._units.items())


def beside(samples: Sequence[Sample], levels: Sequence[Sample], paid_in: Sequence[Sample]) -> list[float | None]:
    """Return what the account's money had become in the basket, one value for each sample of the equity.

    It begins with the equity of the first sample that has a level, and gets what is paid in later, at the level then.

    Parameters
    ----------
    samples
        Equity by minute or by day, oldest first.
    levels
        Levels of the basket at such times; where one is missing the one before holds.
    paid_in
        Deposits, negative where money went out, at the moments they were made.
    """
    known = {time: float(level) for time, level in levels}
    deposits = deque(paid_in)
    units: float | None = None
    level = 0.0
    found: list[float | None] = []
    for place, (time, equity) in enumerate(samples):
        following = samples[place + 1][0] if place + 1 < len(samples) else None
        paid = _taken(deposits, following)
        level = known.get(time, level)
        if level > 0:
            # The first equity holds what was paid in up to then.
            units = float(equity) / level if units is None else units + paid / level
        found.append(None if units is None else units * level)
    return found


def _taken(deposits: deque[Sample], before: datetime | None) -> float:
    """Take what was paid in before a moment."""
    paid = Decimal(0)
    while deposits and (before is None or deposits[0][0] < before):
        paid += deposits.popleft()[1]
    return float(paid)
