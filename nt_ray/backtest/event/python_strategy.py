"""Strategies in plain Python: one class with `on_bar`, driven by the same compiled simulator bar by bar.

A `Context` is what a strategy may see and do on a bar: bars up to this one, its account as it stands, its orders.
Prices and quantities are in the instrument's own units; prices are rounded to the nearest tick, quantities must be
whole lots. Requests are checked where they are made, so a mistake names its line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np

from nt_ray.backtest.event.result import STATES, TIMES_IN_FORCE, TYPES
from nt_ray.brokers.simulated.tables import Book
from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.strategies import order_step
from nt_ray.types import MONEY_DECIMALS, FloatArray

Number: TypeAlias = Decimal | int | float

_PLAIN: Final = {
    (False, False, False): order_step.MARKET,
    (True, False, False): order_step.LIMIT_ORDER,
    (False, True, False): order_step.STOP_MARKET,
    (True, True, False): order_step.STOP_LIMIT,
    (False, False, True): order_step.TRAILING_STOP,
}
_AUCTIONS: Final = {
    ("open", False): order_step.MARKET_ON_OPEN,
    ("open", True): order_step.LIMIT_ON_OPEN,
    ("close", False): order_step.MARKET_ON_CLOSE,
    ("close", True): order_step.LIMIT_ON_CLOSE,
}


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that works or waits."""

    id: int
    symbol: str
    type: str
    quantity: Decimal
    filled: Decimal
    limit: Decimal | None
    stop: Decimal | None
    tif: str
    status: str
    tag: int


class PythonStrategy:
    """Base of a strategy in plain Python: override `on_bar`, and `on_start` where something is to be prepared."""

    name = "python"

    def on_start(self, context: "Context") -> None:
        """Prepare; called once before the first bar."""

    def on_bar(self, context: "Context") -> None:
        """Look at the bar and ask for orders."""
        raise StrategyError(f"{type(self).__name__} has no on_bar. Write one.")


class Context:
    """What a `PythonStrategy` sees and does on a bar."""

    __slots__ = ("_book", "_columns", "_count", "_name", "_panel", "_values", "row")

    def __init__(self, panel: BarPanel, name: str) -> None:
        self._panel = panel
        self._name = name
        # A view gives plain floats, in little more than half the time of an array.
        self._values = panel.values.data
        self._columns = {symbol: i for i, symbol in enumerate(panel.symbols)}
        self._book: Book | None = None
        self._count = 0
        self.row = -1

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the panel."""
        return self._panel.symbols

    @property
    def time(self) -> datetime:
        """Time of this bar."""
        return self._panel.time(self.row)

    @property
    def cash(self) -> Decimal:
        """Cash of the account."""
        return Decimal(int(self._ready.account[order_step.ACCOUNT_CASH])).scaleb(-MONEY_DECIMALS)

    @property
    def equity(self) -> Decimal:
        """Cash and positions at their last known closes."""
        return Decimal(int(self._ready.account[order_step.ACCOUNT_EQUITY])).scaleb(-MONEY_DECIMALS)

    def position(self, symbol: str) -> Decimal:
        """Position, signed."""
        return self._instrument(symbol).quantity(int(self._ready.lots[self._columns[symbol]]))

    def bar(self, symbol: str) -> FloatArray:
        """Open, high, low, close, volume and extra fields of this bar, shape (5 + X,); NaN where unknown."""
        values: FloatArray = self._panel.values[self.row, self._column(symbol)]
        return values

    def close(self, symbol: str) -> float:
        """Close of this bar; NaN where unknown."""
        close: float = self._values[self.row, self._column(symbol), CLOSE]
        return close

    def history(self, symbol: str, bars: int) -> FloatArray:
        """Up to `bars` bars that end with this one, shape (bars, 5 + X)."""
        first = max(self.row + 1 - bars, 0)
        return self._panel.values[first : self.row + 1, self._column(symbol)]

    def orders(self) -> Iterator[OpenOrder]:
        """Open orders, by symbol, then in order of entry."""
        book = self._ready
        for fields in book.shown[: book.account[order_step.ACCOUNT_OPEN]]:
            instrument = self._panel.instruments[fields[order_step.COLUMN]]
            yield OpenOrder(
                int(fields[order_step.ID]),
                instrument.symbol,
                TYPES[fields[order_step.TYPE]],
                instrument.quantity(int(fields[order_step.SIDE] * fields[order_step.LOTS])),
                instrument.quantity(int(fields[order_step.FILLED])),
                instrument.price(int(fields[order_step.LIMIT])) if fields[order_step.LIMIT] else None,
                instrument.price(int(fields[order_step.STOP])) if fields[order_step.STOP] else None,
                TIMES_IN_FORCE[fields[order_step.TIF]],
                STATES[fields[order_step.STATUS]],
                int(fields[order_step.TAG]),
            )

    def buy(self, symbol: str, quantity: Number, **terms: "Number | str | bool | None") -> int:
        """Ask to buy; see `order`."""
        return self.order(symbol, quantity, **terms)  # type: ignore[arg-type]

    def sell(self, symbol: str, quantity: Number, **terms: "Number | str | bool | None") -> int:
        """Ask to sell; see `order`."""
        return self.order(symbol, -quantity, **terms)  # type: ignore[arg-type]

    def order(
        self,
        symbol: str,
        quantity: Number,
        *,
        limit: Number | None = None,
        stop: Number | None = None,
        trail: Number | None = None,
        trail_bps: Number | None = None,
        auction: str | None = None,
        tif: str = "day",
        good_till: int = 0,
        reduce_only: bool = False,
        post_only: bool = False,
        parent: int | None = None,
        group: int = 0,
        tag: int = 0,
    ) -> int:
        """Ask for an order over a signed quantity; return its number among this bar's requests.

        Parameters
        ----------
        symbol, quantity
            What to trade; more than zero buys.
        limit, stop
            Prices: none is a market order, both a stop-limit.
        trail, trail_bps
            Distance of a trailing stop, as a price or in basis points.
        auction
            "open" or "close" for an order in that auction.
        tif, good_till
            "day", "gtc", "gtd" with the last row, "ioc" or "fok".
        reduce_only, post_only
            Only reduces the position; only rests, never takes.
        parent
            Number of an earlier request of this bar that must fill first.
        group
            Requests of this bar with the same number above zero cancel each other.
        tag
            Any number of your own.
        """
        instrument = self._instrument(symbol)
        lots = instrument.lots(Decimal(str(quantity)))
        distance = trail_bps if trail_bps is not None else trail
        if auction is None:
            kind = _PLAIN.get((limit is not None, stop is not None, distance is not None))
        else:
            given = (stop, distance) == (None, None)
            kind = _AUCTIONS.get((auction, limit is not None)) if given else None
        if kind is None or tif not in TIMES_IN_FORCE or lots == 0:
            raise StrategyError(
                f"{self._name}: an order over {quantity} {symbol} with limit={limit}, stop={stop}, trail={distance}, "
                f"auction={auction}, tif={tif} does not exist. Give a quantity, and prices that go together."
            )
        if distance is None:
            amount = 0
        elif trail_bps is not None:
            amount = round(Decimal(str(trail_bps)) * 100)
        else:
            amount = self._ticks(instrument, distance)
        fields = self._next()
        fields[:] = 0
        fields[order_step.ID] = order_step.NEW
        fields[order_step.COLUMN] = self._columns[symbol]
        fields[order_step.SIDE] = 1 if lots > 0 else -1
        fields[order_step.LOTS] = abs(lots)
        fields[order_step.TYPE] = kind
        fields[order_step.LIMIT] = 0 if limit is None else self._ticks(instrument, limit)
        fields[order_step.STOP] = 0 if stop is None else self._ticks(instrument, stop)
        fields[order_step.TRAIL] = amount
        fields[order_step.TIF] = TIMES_IN_FORCE.index(tif)
        fields[order_step.GOOD_TILL] = good_till
        fields[order_step.FLAGS] = (
            order_step.REDUCE_ONLY * reduce_only
            + order_step.POST_ONLY * post_only
            + order_step.TRAIL_PPM * (trail_bps is not None)
        )
        fields[order_step.TAG] = tag
        fields[order_step.PARENT] = -1 if parent is None else parent
        fields[order_step.GROUP] = group
        self._count += 1
        return self._count - 1

    def bracket(
        self, symbol: str, quantity: Number, *, profit: Number, loss: Number, limit: Number | None = None
    ) -> int:
        """Ask for an entry with a take-profit and a stop-loss that cancel each other; return the entry's number."""
        entry = self.order(symbol, quantity, limit=limit)
        group = entry + 1
        self.order(symbol, -quantity, limit=profit, tif="gtc", parent=entry, group=group)
        self.order(symbol, -quantity, stop=loss, tif="gtc", parent=entry, group=group)
        return entry

    def cancel(self, order: int) -> None:
        """Ask to cancel the order of this ID."""
        fields = self._next()
        fields[:] = 0
        fields[order_step.ID] = order
        self._count += 1

    def attach(self, book: Book) -> None:
        """Point to the arrays of a run; they are new whenever they had to grow."""
        self._book = book

    def turn(self, strategy: PythonStrategy, row: int) -> int:
        """Let a strategy see a row; return how many requests it made."""
        self.row, self._count = row, 0
        strategy.on_bar(self)
        return self._count

    @property
    def _ready(self) -> Book:
        if self._book is None:
            raise StrategyError(f"{self._name}: there is no account before the first bar. Look at it in on_bar.")
        return self._book

    def _next(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        requests = self._ready.requests
        if self._count == len(requests):
            raise StrategyError(
                f"{self._name}: more than {len(requests)} requests on {self.time.isoformat()}. Raise Market.requests."
            )
        return requests[self._count]  # type: ignore[no-any-return]

    def _column(self, symbol: str) -> int:
        column = self._columns.get(symbol)
        if column is None:
            raise StrategyError(
                f"{self._name}: {symbol!r} is not in the panel. Use one of {', '.join(self.symbols[:8])}."
            )
        return column

    def _instrument(self, symbol: str) -> Instrument:
        return self._panel.instruments[self._column(symbol)]

    @staticmethod
    def _ticks(instrument: Instrument, price: Number) -> int:
        return round(Decimal(str(price)) / instrument.price_increment)
