"""A market written down: tables as a TOML file holds them, with everything that the simulator knows of a market.

    path = "worst"                 # worst, ohlc, olhc or colour
    latency = 1                    # bars
    [terms]                        # of every instrument: fields of `Costs` and `Terms`
    commission_bps = 0.5
    [symbols.AAPL]                 # what differs for one
    borrow_rate = 0.03
    [[fee_tiers]]
    traded = 1_000_000
    taker_bps = 0.4
    maker_bps = -0.2               # a rebate
    [currencies]                   # of instruments, where not the account's
    SAP = "EUR"
    [fx]                           # a rate, or rates from days on
    EUR = [["2020-01-01", 1.12], ["2020-06-01", 1.10]]
    [[dividends]]
    symbol = "KO"
    date = 2020-03-13              # first bar without it
    amount = 0.41
    [[splits]]
    symbol = "AAPL"
    date = 2020-08-31              # first bar at the new price
    new = 4
    old = 1
    [[funding]]                    # a long pays `rate` of its value on each bar of these days
    symbol = "BTC"
    rate = 0.0001

Every key is checked before anything runs; an unknown one is an error that names the nearest.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path as File
from typing import Any, Final

import numpy as np

from nt_ray.backtest.event.market import FeeTier, Market, Path, Terms
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel
from nt_ray.types import FloatArray, IntArray

PATHS: Final = {
    "worst": Path.WORST_CASE,
    "ohlc": Path.OPEN_HIGH_LOW_CLOSE,
    "olhc": Path.OPEN_LOW_HIGH_CLOSE,
    "colour": Path.BY_COLOUR,
}

COST_NAMES: Final = tuple(f.name for f in fields(Costs))
TERM_NAMES: Final = (*COST_NAMES, *(f.name for f in fields(Terms) if f.name != "costs"))
PLAIN: Final = ("path", "latency", "same_close", "sessions", "currency", "requests")
TABLES: Final = ("terms", "symbols", "currencies", "fx")
LISTS: Final = ("fee_tiers", "dividends", "splits", "funding")


class MarketError(BadInputError):
    """A market that is not written as it must be."""

    code = "market"


def read_market(path: File) -> dict[str, Any]:
    """Read the tables of a TOML file, numbers as exact decimals."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise MarketError(f"{str(path)!r} cannot be read ({error.strerror}). Give a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MarketError(f"{str(path)!r} is no TOML ({error}). Mend the file.") from None


def market_of(table: Mapping[str, Any], panel: BarPanel, base: Costs) -> tuple[BarPanel, Market]:
    """Market of tables over a panel, and the panel with the currencies of its instruments.

    `base` are the costs of what the tables do not name.
    """
    _known("", table, (*PLAIN, *TABLES, *LISTS))
    for name in TABLES:
        _require(isinstance(table.get(name, {}), Mapping), f"{name} is not a table. Write [{name}] and its keys below.")
    for name in LISTS:
        listed = table.get(name, [])
        fine = isinstance(listed, list) and all(isinstance(row, Mapping) for row in listed)
        _require(fine, f"{name} is not a list of tables. Write [[{name}]] for each.")
    own = table.get("symbols", {})
    for symbol in (*own, *table.get("currencies", {})):
        _column(panel, symbol)
    common = table.get("terms", {})
    terms: Terms | dict[str, Terms] = _terms("terms", common, base)
    if own:
        terms = {s: _terms(f"symbols.{s}", {**common, **own.get(s, {})}, base) for s in panel.symbols}
    currencies = {symbol: _text(f"currencies.{symbol}", v) for symbol, v in table.get("currencies", {}).items()}
    home = _text("currency", table.get("currency", "USD"))
    instruments = tuple(replace(i, currency=currencies.get(i.symbol, home)) for i in panel.instruments)
    path = table.get("path", "worst")
    _require(path in PATHS, f"path = {path!r} is unknown. Use one of {', '.join(PATHS)}.")
    return replace(panel, instruments=instruments), Market(
        terms=terms,
        path=PATHS[path],
        latency=_whole("latency", table.get("latency", 0)),
        same_close=_truth("same_close", table.get("same_close", False)),
        fee_tiers=tuple(_tier(row) for row in table.get("fee_tiers", ())),
        currency=home,
        fx={name: _rates(name, value, panel) for name, value in table.get("fx", {}).items()},
        sessions=_sessions(table.get("sessions", "bar"), panel),
        dividends=_dividends(table.get("dividends", ()), panel),
        splits=_splits(table.get("splits", ()), panel),
        funding=_funding(table.get("funding", ()), panel),
        requests=_whole("requests", table.get("requests", 64)),
    )


def _terms(place: str, values: Mapping[str, Any], base: Costs) -> Terms:
    _known(place, values, TERM_NAMES)
    read: dict[str, Any] = {
        name: _whole(f"{place}.{name}", v) if name == "slippage_ticks" else _number(f"{place}.{name}", v)
        for name, v in values.items()
    }
    costs = {name: read.pop(name) for name in COST_NAMES if name in read}
    return Terms(costs=replace(base, **costs), **read)


def _tier(row: Mapping[str, Any]) -> FeeTier:
    _complete("fee_tiers", row, ("traded", "taker_bps", "maker_bps"))
    return FeeTier(**{name: _number(f"fee_tiers.{name}", value) for name, value in row.items()})


def _rates(name: str, value: Any, panel: BarPanel) -> FloatArray | float:
    """A rate, or for each bar the last one that was known."""
    if not isinstance(value, list):
        return float(_number(f"fx.{name}", value))
    fine = bool(value) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
    _require(fine, f'fx.{name} is no list of days and rates. Write [["2020-01-01", 1.12], ...].')
    days = np.array([_day(f"fx.{name}", day) for day, _ in value])
    rates = np.array([float(_number(f"fx.{name}", rate)) for _, rate in value])
    _require(bool((np.diff(days) > np.timedelta64(0, "D")).all()), f"fx.{name}: its days do not rise. Sort them.")
    at = np.searchsorted(days, _days(panel), side="right") - 1
    _require(bool(at[0] >= 0), f"fx.{name} has no rate before {days[0]}. Give one from the first bar on.")
    return np.ascontiguousarray(rates[at])


def _sessions(value: Any, panel: BarPanel) -> IntArray | None:
    _require(value in ("bar", "day"), f"sessions = {value!r} is unknown. Use bar, or day for the days of UTC.")
    return None if value == "bar" else _days(panel).astype(np.int64)


def _dividends(rows: Iterable[Mapping[str, Any]], panel: BarPanel) -> FloatArray | None:
    found = np.zeros(panel.closes.shape)
    for row in rows:
        _complete("dividends", row, ("symbol", "date", "amount"))
        found[_bar("dividends", row, panel)] += float(_number("dividends.amount", row["amount"]))
    return found if found.any() else None


def _splits(rows: Iterable[Mapping[str, Any]], panel: BarPanel) -> IntArray | None:
    found = np.ones((*panel.closes.shape, 2), dtype=np.int64)
    for row in rows:
        _complete("splits", row, ("symbol", "date", "new", "old"))
        found[_bar("splits", row, panel)] = [_whole(f"splits.{k}", row[k]) for k in ("new", "old")]
    return found if (found != 1).any() else None


def _funding(rows: Iterable[Mapping[str, Any]], panel: BarPanel) -> FloatArray | None:
    found, days = np.zeros(panel.closes.shape), _days(panel)
    for row in rows:
        _known("funding", row, ("symbol", "rate", "from", "to"))
        _complete("funding", {k: v for k, v in row.items() if k not in ("from", "to")}, ("symbol", "rate"))
        first = _day("funding.from", row["from"]) if "from" in row else days[0]
        last = _day("funding.to", row["to"]) if "to" in row else days[-1]
        rate = float(_number("funding.rate", row["rate"]))
        found[(days >= first) & (days <= last), _column(panel, row["symbol"])] += rate
    return found if found.any() else None


def _bar(name: str, row: Mapping[str, Any], panel: BarPanel) -> tuple[int, int]:
    """Row and column of an event: the first bar of its symbol's panel on or after its day."""
    day, days = _day(f"{name}.date", row["date"]), _days(panel)
    at = int(np.searchsorted(days, day))
    inside = bool(days[0] <= day) and at < len(days)
    _require(inside, f"{name}.date = {day} lies outside the bars, {days[0]} to {days[-1]}. Leave it out.")
    return at, _column(panel, row["symbol"])


def _days(panel: BarPanel) -> Any:
    return panel.timestamps.astype("datetime64[ns]").astype("datetime64[D]")


def _column(panel: BarPanel, symbol: Any) -> int:
    if symbol not in panel.symbols:
        near = get_close_matches(str(symbol), panel.symbols, n=1, cutoff=0.0)
        raise MarketError(f"Market: {symbol!r} is not among the symbols. Did you mean {near[0]}?")
    return panel.symbols.index(symbol)


def _known(place: str, given: Mapping[str, Any], names: Iterable[str]) -> None:
    for key in given:
        if key not in (known := tuple(names)):
            near = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise MarketError(f"Market: unknown key {place and place + '.'}{key}. Did you mean {near}?")


def _complete(place: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    _known(place, given, names)
    missing = next((name for name in names if name not in given), None)
    _require(missing is None, f"an entry of {place} has no {missing}. Give {', '.join(names)}.")


def _number(place: str, value: Any) -> Decimal:
    try:
        number = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    _require(number.is_finite(), f"{place} = {value!r} is no number. Write it like 0.5.")
    return number


def _whole(place: str, value: Any) -> int:
    number = _number(place, value)
    _require(number == int(number), f"{place} = {value} is no whole number. Give one.")
    return int(number)


def _truth(place: str, value: Any) -> bool:
    _require(isinstance(value, bool), f"{place} = {value!r} is neither true nor false. Give one of them.")
    return bool(value)


def _text(place: str, value: Any) -> str:
    _require(isinstance(value, str) and bool(value.strip()), f'{place} = {value!r} is no text. Write it like "EUR".')
    return str(value).strip()


def _day(place: str, value: Any) -> Any:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).date() if value.tzinfo is not None else value.date()
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise MarketError(f"Market: {place} = {value!r} is no day. Write it like 2020-03-13.") from None
    return np.datetime64(day, "D")


def _require(true: bool, sentence: str) -> None:
    if not true:
        raise MarketError(f"Market: {sentence}")
