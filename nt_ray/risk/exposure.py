"""Exposure of one account: positions, what is left of open orders, marks, and the totals the gate compares.

Open orders count at their worst: per symbol either all buys fill and no sell, or the reverse. Totals are kept
up to date symbol by symbol, so reading them costs the same with one symbol as with a thousand.

Invariant: `gross`, `longest`, `shortest`, `used` and `heat` equal the sums over `symbols` of what `Line` says.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from nt_ray.risk.heat import Stop, at_risk

ZERO: Final = Decimal(0)


class Line:
    """One symbol: signed position, unsigned open quantity to buy and to sell, mark (None: unknown)."""

    __slots__ = ("buys", "gross", "heat", "longest", "mark", "position", "sells", "shortest", "stops", "used")

    def __init__(self) -> None:
        self.position = ZERO
        self.buys = ZERO
        self.sells = ZERO
        self.mark: Decimal | None = None
        self.stops: tuple[Stop, ...] = ()
        self.gross = self.longest = self.shortest = self.used = self.heat = ZERO

    def worst(self, buys: Decimal, sells: Decimal) -> Decimal:
        """Largest position, unsigned, were these quantities open."""
        most, least = abs(self.position + buys), abs(self.position - sells)
        return most if most > least else least

    def opening(self, buys: Decimal, sells: Decimal) -> Decimal:
        """Quantity that would open or add to a position, were these quantities open, each side by itself."""
        position = self.position
        if not position:
            return buys + sells
        if position > 0:
            return buys + (sells - position if sells > position else ZERO)
        return sells + (buys + position if buys > -position else ZERO)


class Exposure:
    """Exposure of an account over all symbols."""

    __slots__ = ("gross", "heat", "lines", "longest", "shortest", "touched", "used")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.gross = ZERO
        """Worst-case sum of position sizes at the marks."""
        self.longest = ZERO
        """Net value were all open buys filled and no sell."""
        self.shortest = ZERO
        """Net value were all open sells filled and no buy."""
        self.used = ZERO
        """Buying power in use: position sizes plus what open orders would open, each order by itself."""

        self.heat = ZERO
        """Loss at the marks were every position stopped out."""
        self.touched: set[str] = set()
        """Symbols whose line has changed since whoever follows them (`nt_ray.risk.tail_books`) last looked."""

    def line(self, symbol: str) -> Line:
        """Line of a symbol, made on first use."""
        line = self.lines.get(symbol)
        if line is None:
            line = self.lines[symbol] = Line()
        return line

    def peek(self, symbol: str) -> Line:
        """Line of a symbol for reading only; an empty one where there is none."""
        return self.lines.get(symbol) or Line()

    def mark(self, marks: Mapping[str, Decimal]) -> None:
        """Take new marks in; one that is not a positive number makes the symbol's mark unknown."""
        for symbol, price in marks.items():
            line = self.line(symbol)
            line.mark = price if price.is_finite() and price > 0 else None
            self._refresh(symbol, line)

    def open(self, symbol: str, sign: int, quantity: Decimal) -> None:
        """Count a quantity as open; a negative quantity takes it back."""
        line = self.line(symbol)
        if sign > 0:
            line.buys += quantity
        else:
            line.sells += quantity
        self._refresh(symbol, line)

    def move(self, symbol: str, position: Decimal) -> None:
        """Set the position of a symbol."""
        line = self.line(symbol)
        line.position = position
        self._refresh(symbol, line)

    def protect(self, symbol: str, stops: Iterable[Stop]) -> None:
        """Set the stop orders that work in a symbol."""
        line = self.line(symbol)
        line.stops = tuple(stops)
        self._refresh(symbol, line)

    def _refresh(self, symbol: str, line: Line) -> None:
        self.touched.add(symbol)
        mark = line.mark or ZERO
        position = line.position
        gross = line.worst(line.buys, line.sells) * mark
        longest = (position + line.buys) * mark
        shortest = (position - line.sells) * mark
        used = (abs(position) + line.opening(line.buys, line.sells)) * mark
        self.gross += gross - line.gross
        self.longest += longest - line.longest
        self.shortest += shortest - line.shortest
        self.used += used - line.used
        line.gross, line.longest, line.shortest, line.used = gross, longest, shortest, used
        heat = at_risk(position, mark, line.stops) if position else ZERO
        self.heat += heat - line.heat
        line.heat = heat
