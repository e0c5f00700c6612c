"""Instruments and the bar panel: the one shape in which market data enters the platform.

A panel is dense: T bar times by N instruments, float64, NaN where an instrument has no bar (before its
listing, or a day on which it did not trade). A *close-only* instrument has closes and nothing else: its open,
high, low and volume are NaN and no code may invent them. Further named fields (a forecast, a score) may stand
after the volume; nothing is known of them but their names, and NaN is a value that is not there. Arrays are
read-only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.types import QUANTA_PER_UNIT, BoolArray, FloatArray, IntArray

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
"""Positions of the fields in the last axis of a bar array."""

FIELDS = ("open", "high", "low", "close", "volume")


class AssetClass(StrEnum):
    """What kind of thing an instrument is."""

    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"
    CRYPTO = "crypto"
    FX = "fx"
    FUTURE = "future"
    OPTION = "option"
    BOND = "bond"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What can be traded: its symbol and the increments in which its price and quantity are counted.

    `close_only` says that only closing prices are known.
    """

    symbol: str
    price_increment: Decimal = Decimal("0.0001")
    quantity_increment: Decimal = Decimal("1")
    currency: str = "USD"
    close_only: bool = False
    asset_class: AssetClass = AssetClass.EQUITY

    def __post_init__(self) -> None:
        if not self.symbol or self.symbol != self.symbol.strip():
            raise MarketDataError(f"Instrument symbol {self.symbol!r} is empty or padded. Give a plain ticker.")
        for name in ("price_increment", "quantity_increment"):
            if getattr(self, name) <= 0:
                raise MarketDataError(
                    f"{self.symbol}: {name} {getattr(self, name)} is not positive. Give the venue's increment."
                )

    @property
    def notional_unit(self) -> int:
        """Money quanta of one price increment times one quantity increment; raises where they are no whole number."""
        unit = self.price_increment * self.quantity_increment * QUANTA_PER_UNIT
        if unit != unit.to_integral_value():
            raise MarketDataError(
                f"{self.symbol}: price_increment x quantity_increment is finer than 1e-8. Use coarser increments."
            )
        return int(unit)

    def price(self, ticks: int) -> Decimal:
        """Price of `ticks` price increments."""
        return self.price_increment * int(ticks)

    def quantity(self, lots: int) -> Decimal:
        """Quantity of `lots` quantity increments (signed)."""
        return self.quantity_increment * int(lots)

    def lots(self, quantity: Decimal) -> int:
        """Whole quantity increments in `quantity`; raises where it is not a whole number of them."""
        lots = quantity / self.quantity_increment
        if lots != lots.to_integral_value():
            raise MarketDataError(f"{self.symbol}: quantity {quantity} is not a multiple of {self.quantity_increment}.")
        return int(lots)


@dataclass(frozen=True, slots=True, eq=False)
class BarPanel:
    """Bars of N instruments on one common time axis.

    One increment of price times one of quantity is a whole number of money quanta for each instrument, so that what
    trades here has exact amounts.

    Attributes
    ----------
    instruments
        N instruments in column order; symbols are unique.
    timestamps
        int64, shape (T,): nanoseconds since the epoch, UTC, strictly increasing; the moment a bar is complete.
    values
        float64, shape (T, N, 5 + X), C-contiguous: open, high, low, close, volume, then the extra fields. NaN
        where unknown.
    periods_per_year
        Bars in a year, for annualisation (252 for daily equity bars).
    name
        Where the data come from, for reports.
    fields
        Names of the X extra fields, in their order.
    """

    instruments: tuple[Instrument, ...]
    timestamps: IntArray
    values: FloatArray
    periods_per_year: float = 252.0
    name: str = ""
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.timestamps), len(self.instruments), len(FIELDS) + len(self.fields))
        if self.values.shape != shape:
            raise MarketDataError(f"Bar values have shape {self.values.shape}; {shape} is needed.")
        for position, field in enumerate(self.fields):
            check_field_name(field, FIELDS + self.fields[:position])
        for instrument in self.instruments:
            _ = instrument.notional_unit
        symbols = [i.symbol for i in self.instruments]
        if len(set(symbols)) != len(symbols):
            twice = sorted({s for s in symbols if symbols.count(s) > 1})
            raise MarketDataError(f"Symbols {twice} stand twice in one panel. Name each symbol once.")
        if len(self.timestamps) > 1 and not bool(np.all(np.diff(self.timestamps) > 0)):
            row = int(np.argmax(np.diff(self.timestamps) <= 0)) + 1
            raise MarketDataError(f"Bar times are not strictly increasing at row {row}. Sort and de-duplicate.")
        self.timestamps.setflags(write=False)
        self.values.setflags(write=False)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in column order."""
        return tuple(i.symbol for i in self.instruments)

    @property
    def closes(self) -> FloatArray:
        """Closing prices, shape (T, N), a view."""
        return self.values[:, :, CLOSE]

    def field(self, name: str) -> FloatArray:
        """Values of a field by name, shape (T, N), a view; `MarketDataError` where the panel has none."""
        names = FIELDS + self.fields
        if name not in names:
            raise MarketDataError(f"The panel has no field {name!r}. It has: {', '.join(names)}.")
        return self.values[:, :, names.index(name)]

    def with_field(self, name: str, values: FloatArray) -> "BarPanel":
        """Panel with one more field after the present ones.

        Parameters
        ----------
        name
            Name of the field: letters, digits and underscores, not one the panel has.
        values
            (T, N); NaN where there is no value. Row t may hold only what is known when bar t is complete.
        """
        check_field_name(name, FIELDS + self.fields)
        column = np.asarray(values, dtype=np.float64)
        if column.shape != self.values.shape[:2]:
            raise MarketDataError(
                f"Field {name!r} has shape {column.shape}; {self.values.shape[:2]} is needed. Give a value a bar."
            )
        if np.isinf(column).any():
            row = int(np.argmax(np.isinf(column).any(axis=1)))
            raise MarketDataError(f"Field {name!r} is infinite in row {row}. Give a number, or NaN for none.")
        stacked = np.concatenate([self.values, column[:, :, None]], axis=2)
        return replace(self, values=stacked, fields=(*self.fields, name))

    @property
    def close_only(self) -> BoolArray:
        """Which instruments have closes only, shape (N,)."""
        return np.array([i.close_only for i in self.instruments], dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.timestamps)

    def time(self, row: int) -> datetime:
        """UTC time of a row."""
        return datetime.fromtimestamp(int(self.timestamps[row]) / 1e9, tz=UTC)

    def ticks(self) -> IntArray:
        """Open, high, low and close in whole price increments, shape (T, N, 4); -1 where unknown."""
        increments = np.array([float(i.price_increment) for i in self.instruments])
        prices = self.values[:, :, :VOLUME] / increments[None, :, None]
        return np.where(np.isnan(prices), -1, np.rint(np.nan_to_num(prices))).astype(np.int64)

    def select(self, symbols: Sequence[str]) -> "BarPanel":
        """Panel of these symbols, in this order."""
        unknown = [s for s in symbols if s not in self.symbols]
        if unknown:
            raise MarketDataError(f"Unknown symbols {unknown}. Known here: {', '.join(self.symbols)}.")
        columns = [self.symbols.index(s) for s in symbols]
        return replace(
            self,
            instruments=tuple(self.instruments[c] for c in columns),
            values=np.ascontiguousarray(self.values[:, columns, :]),
        )

    def between(self, start: datetime | None, end: datetime | None) -> "BarPanel":
        """Rows from `start` to `end`, both included; raises where none is left."""
        rows = np.ones(len(self), dtype=np.bool_)
        if start is not None:
            rows &= self.timestamps >= int(start.timestamp() * 1_000_000_000)
        if end is not None:
            rows &= self.timestamps <= int(end.timestamp() * 1_000_000_000)
        if not rows.any():
            raise MarketDataError(
                f"No bars between {start} and {end}: the data run from {self.time(0)} to {self.time(-1)}."
            )
        return replace(self, timestamps=self.timestamps[rows], values=np.ascontiguousarray(self.values[rows]))


def check_field_name(name: str, taken: Sequence[str]) -> None:
    """Refuse a name of an extra field that is no plain word or already taken."""
    if not name.isidentifier():
        raise MarketDataError(f"Field name {name!r} is not usable. Use letters, digits and underscores.")
    if name in taken:
        raise MarketDataError(f"The panel already has a field {name!r}. Choose another name.")


def known_closes(closes: FloatArray) -> FloatArray:
    """Closes (T, N) with each gap filled with the close before; NaN stays before the first."""
    rows = np.maximum.accumulate(np.where(np.isfinite(closes), np.arange(len(closes))[:, None], 0), axis=0)
    found: FloatArray = np.take_along_axis(closes, rows, axis=0)
    return found


def last_known(ticks: IntArray) -> IntArray:
    """Fill -1 with what was known last in each column, (T, N); -1 stays before a column's first."""
    rows = np.where(ticks == -1, -1, np.arange(len(ticks))[:, None])
    latest = np.maximum.accumulate(rows, axis=0)
    known = np.take_along_axis(ticks, np.maximum(latest, 0), axis=0)
    return np.ascontiguousarray(np.where(latest < 0, -1, known))
