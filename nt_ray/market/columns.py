"""Columns of a table of bars: which one is the time, the price, the symbol, and in which layout they stand.

Names are compared without case, separators and leading numbers ("4. close", "Adj Close", "<CLOSE>"). Three
layouts are known: *long* (a symbol column), *single* (one instrument), *wide* (a time and one column of
closes for each symbol). What could mean two things is an error that names the columns; nothing is guessed.
Cells are not looked at here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from nt_ray.errors import MarketDataError

TIME_NAMES = frozenset(
    {
        "date",
        "datetime",
        "timestamp",
        "time",
        "ts",
        "day",
        "datetimeutc",
        "timestamputc",
        "tradedate",
        "tradingday",
    }
    | {"dateutc", "timeutc", "bartime", "asof", "period"}
)
INDEX_NAMES = frozenset({"", "unnamed0", "index", "indexlevel0", "level0"})
"""Names a data frame gives an index without one: the time where no column bears a name of time."""

SYMBOL_NAMES = frozenset({"symbol", "ticker", "instrument", "sym", "code", "asset", "tic", "symbols", "tickersymbol"})
FIELD_NAMES: dict[str, frozenset[str]] = {
    "open": frozenset({"open", "openprice", "pxopen"}),
    "high": frozenset({"high", "highprice", "pxhigh"}),
    "low": frozenset({"low", "lowprice", "pxlow"}),
    "close": frozenset({"close", "last", "price", "pxlast", "closeprice", "lastprice", "closelast"}),
    "adjusted": frozenset({"adjclose", "adjustedclose", "closeadj", "adjcloseprice", "closeadjusted", "adjustedprice"}),
    "volume": frozenset({"volume", "vol", "totalvolume", "pxvolume", "shares"}),
}
LETTERS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
"""One-letter fields count only as a full set: C, L, O and V are also tickers."""

EXTRA_NAMES = frozenset(
    {
        "dividends",
        "dividend",
        "dividendamount",
        "stocksplits",
        "splits",
        "splitcoefficient",
        "splitfactor",
        "openint",
    }
    | {
        "openinterest",
        "vwap",
        "trades",
        "turnover",
        "change",
        "changepercent",
        "return",
        "returns",
        "currency",
        "oi",
    }
    | {"capitalgains", "exchange", "name", "n", "vw", "tradecount", "amount", "quotevolume", "adjfactor"}
)
"""Columns that data vendors add and that mean neither a price nor a symbol."""


class NoColumnError(MarketDataError):
    """A table lacks a column that was asked for by name."""

    code = "no_column"

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column = column


class Layout(StrEnum):
    """How instruments stand in a table."""

    LONG = "long"
    SINGLE = "single"
    WIDE = "wide"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column plays which role; names as they stand in the table.

    `fields` maps open, high, low, close, adjusted and volume to columns (long and single layouts);
    `closes` lists the columns that are instruments (wide layout); `extra` the columns kept besides, as asked for.
    """

    layout: Layout
    time: str
    symbol: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    closes: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def field(self, name: str) -> str | None:
        """Column of a field, or None where the table has none."""
        return dict(self.fields).get(name)

    @property
    def has_bars(self) -> bool:
        """Whether open, high and low stand beside the close."""
        return all(self.field(name) for name in ("open", "high", "low"))


def plain(name: str) -> str:
    """Reduce a column name to lower-case letters and digits, without the number some vendors put in front."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"^\d+(?=[a-z])", "", letters)


def recognise(names: Sequence[str], file: str, extra: Sequence[str] = ()) -> Columns:
    """Find the role of each column, or raise `MarketDataError` naming the columns found.

    Columns called as in `extra` play no other role; a table without one of them is refused.
    """
    shown = ", ".join(repr(n) for n in names) or "none"
    kept = _kept(names, extra, file, shown)
    names = [n for n in names if n not in kept]
    time = _time_column(names, file, shown)
    rest = [n for n in names if n != time]
    symbol = _only("symbol", [n for n in rest if plain(n) in SYMBOL_NAMES], file)
    fields = _fields([n for n in rest if n != symbol], file)
    if "close" not in fields and "adjusted" in fields:
        fields["close"] = fields.pop("adjusted")
    if "close" in fields:
        if symbol is None:
            _refuse_mixture(rest, fields, file)
        layout = Layout.SINGLE if symbol is None else Layout.LONG
        return Columns(layout, time, symbol, tuple(fields.items()), extra=kept)
    closes = tuple(n for n in rest if plain(n) not in INDEX_NAMES)
    if symbol is not None or not closes or {"open", "high"} <= fields.keys():
        raise MarketDataError(
            f"{file}: no price column among {shown}. Name one close, adj close, last or price, "
            "or give one column of closes for each symbol."
        )
    if kept:
        raise MarketDataError(
            f"{file}: column {kept[0]!r} stands beside one column of closes for each symbol, so it belongs to none. "
            "Give a symbol column (long), or a file for each symbol."
        )
    return Columns(Layout.WIDE, time, closes=closes)


def _kept(names: Sequence[str], extra: Sequence[str], file: str, shown: str) -> tuple[str, ...]:
    """Columns of the extra fields, in the order asked for."""
    found = []
    for wanted in extra:
        column = _only(wanted, [n for n in names if plain(n) == plain(wanted)], file)
        if column is None:
            raise NoColumnError(wanted, f"{file}: no column {wanted!r} among {shown}. Add it, or do not ask for it.")
        found.append(column)
    return tuple(found)


def _time_column(names: Sequence[str], file: str, shown: str) -> str:
    named = _only("time", [n for n in names if plain(n) in TIME_NAMES], file)
    found = named if named is not None else _only("time", [n for n in names if plain(n) in INDEX_NAMES], file)
    if found is None:
        raise MarketDataError(
            f"{file}: no time column among {shown}. Name one date, datetime, timestamp or time (in the first line)."
        )
    return found


def _fields(names: Sequence[str], file: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, known in FIELD_NAMES.items():
        column = _only(field, [n for n in names if plain(n) in known], file)
        if column is not None:
            found[field] = column
    letters = {plain(n): n for n in names if plain(n) in LETTERS}
    if not found and {"o", "h", "l", "c"} <= letters.keys():
        found = {LETTERS[letter]: column for letter, column in letters.items()}
    return found


def _only(role: str, columns: list[str], file: str) -> str | None:
    if len(columns) > 1:
        listed = " and ".join(repr(c) for c in columns)
        raise MarketDataError(f"{file}: columns {listed} could each be the {role}. Keep one, or rename the others.")
    return columns[0] if columns else None


def _refuse_mixture(names: Sequence[str], fields: dict[str, str], file: str) -> None:
    """Refuse a lone close beside columns that look like further instruments."""
    if {"open", "high", "low"} & fields.keys():
        return
    taken = set(fields.values())
    strange = [n for n in names if n not in taken and plain(n) not in EXTRA_NAMES | INDEX_NAMES]
    if strange:
        raise MarketDataError(
            f"{file}: column {fields['close']!r} is a close, but {strange[0]!r} may be another instrument. "
            "Give one close column for each symbol (wide), or a symbol column (long)."
        )
