"""The tail of an account as its exposure moves: a bound that costs nothing, and the exact figure where the bound fails.

Open orders count at their worst, like in `nt_ray.risk.exposure`: what is held, what is held were all buys filled, and
what is held were all sells filled are three books, and the tail is that of the worst of them.

Shortfall is subadditive, so a bound of each book's shortfall may be carried along: a change adds the one that it has by
itself. Value at risk is never above shortfall. Only where the bound is above a limit is the book revalued in every
scenario, which also makes the bound exact again.
"""

from collections.abc import Mapping

import numpy as np

from nt_ray.risk.exposure import Exposure, Line
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.types import FloatArray

BOOKS = 3
"""Held; held and all buys; held and all sells."""

_NOTHING = (0.0, 0.0, 0.0)


class TailBooks:
    """Three books of one account over one table of scenarios."""

    def __init__(self, table: ScenarioTable, exposure: Exposure) -> None:
        self.table = table
        self.exposure = exposure
        self.unknown: set[str] = set()
        """Symbols with a position or open orders and no scenarios."""
        self._values: dict[str, tuple[float, float, float]] = {}
        self._bounds = [0.0] * BOOKS
        self.bought: Mapping[str, float] = {symbol: max(table.alone(symbol, 1.0), 0.0) for symbol in table.columns}
        self.sold: Mapping[str, float] = {symbol: max(table.alone(symbol, -1.0), 0.0) for symbol in table.columns}
        """By symbol, the most that a unit of value bought or sold adds to the shortfall of any book."""
        self.worst = 0.0
        """What the shortfall of no book exceeds."""
        exposure.touched.clear()
        self._take(exposure.lines)
        self._revalue()

    def follow(self) -> None:
        """Take in what has changed since the last call."""
        touched = self.exposure.touched
        if touched:
            self._take(touched)
            touched.clear()

    def var(self, symbol: str, value: float) -> float:
        """Exact value at risk of the worst book were a signed value added in a symbol."""
        books = self._revalue()
        column = self.table.columns[symbol]
        books[0, column] += value
        books[1 if value > 0.0 else 2, column] += value
        return float(self.table.var(books).max())

    def _take(self, symbols: "set[str] | dict[str, Line]") -> None:
        for symbol in symbols:
            new = _values_of(self.exposure.lines[symbol])
            old = self._values.get(symbol, _NOTHING)
            if symbol not in self.table.columns:
                (self.unknown.add if any(new) else self.unknown.discard)(symbol)
            elif new != old:
                self._values[symbol] = new
                for book in range(BOOKS):
                    if new[book] != old[book]:
                        self._bounds[book] += self.table.alone(symbol, new[book] - old[book])
        self.worst = max(self._bounds)

    def _revalue(self) -> FloatArray:
        """Values (3, N) of the books, after making the bounds exact."""
        books = np.zeros((BOOKS, len(self.table.columns)))
        for symbol, values in self._values.items():
            books[:, self.table.columns[symbol]] = values
        self._bounds = self.table.shortfall(books).tolist()
        self.worst = max(self._bounds)
        return books


def _values_of(line: Line) -> tuple[float, float, float]:
    mark = line.mark
    if mark is None:
        return _NOTHING
    price, held = float(mark), float(line.position)
    return held * price, (held + float(line.buys)) * price, (held - float(line.sells)) * price
