"""Market data of Alpaca: bars, the latest quote and the latest trade, from the feed `iex` unless another is named.

Prices become floats here, as in all market data; an instrument without a bar in a span has none in the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.transport import Patience, Transport
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, listing, mapping, moment, number, stamp
from nt_ray.errors import BadInputError, MarketDataError

_PAGE: Final = 10_000
_TIMEFRAMES: Final = ("1Min", "5Min", "15Min", "30Min", "1Hour", "1Day", "1Week", "1Month")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `time` is its beginning."""

    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class TopOfBook:
    """Best bid and ask with their sizes, and when they were quoted."""

    time: datetime
    bid: float
    ask: float
    bid_size: float
    ask_size: float


@dataclass(frozen=True, slots=True)
class Trade:
    """The latest trade."""

    time: datetime
    price: float
    size: float


class AlpacaData:
    """Reads market data."""

    def __init__(self, access: AlpacaAccess, patience: Patience | None = None, feed: str = "iex") -> None:
        self._transport = Transport(access, access.data, patience)
        self._feed = feed

    def bars(
        self, symbols: Sequence[str], timeframe: str, start: datetime, end: datetime, adjustment: str = "raw"
    ) -> dict[str, list[Bar]]:
        """Bars of each symbol from `start` to `end`, both included, oldest first."""
        if not symbols or timeframe not in _TIMEFRAMES or start.tzinfo is None or end.tzinfo is None or end < start:
            raise BadInputError(
                f"No bars of {list(symbols)} at {timeframe!r} from {start} to {end}. Name symbols, one of "
                f"{', '.join(_TIMEFRAMES)}, and two times with their zones, in order."
            )
        query = {"symbols": ",".join(symbols), "timeframe": timeframe, "start": stamp(start), "end": stamp(end)}
        query |= {"feed": self._feed, "adjustment": adjustment, "limit": str(_PAGE), "sort": "asc"}
        found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        while True:
            page = mapping(self._transport.read("/v2/stocks/bars", query), "bars")
            for symbol, items in mapping(page.get("bars") or {}, "bars").items():
                found.setdefault(symbol, []).extend(_bar(item) for item in listing(items, "bars"))
            token = page.get("next_page_token")
            if not token:
                return found
            if token == query.get("page_token"):
                raise UnreadableError("bars whose pages do not advance")
            query["page_token"] = str(token)

    def latest_quote(self, symbol: str) -> TopOfBook:
        """Ask for the best bid and ask."""
        return self.latest_quotes([symbol])[symbol]

    def latest_quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        """Ask for the best bid and ask of several symbols at once; a side that is empty has the price 0."""
        return {symbol: _top(item) for symbol, item in self._latest(symbols, "quotes").items()}

    def latest_trade(self, symbol: str) -> Trade:
        """Ask for the last trade."""
        return self.latest_trades([symbol])[symbol]

    def latest_trades(self, symbols: Sequence[str]) -> dict[str, Trade]:
        """Ask for the last trade of several symbols at once."""
        found = self._latest(symbols, "trades")
        return {s: Trade(moment(i, "t"), float(number(i, "p")), float(number(i, "s"))) for s, i in found.items()}

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _latest(self, symbols: Sequence[str], what: str) -> dict[str, Json]:
        query = {"symbols": ",".join(symbols), "feed": self._feed}
        answer = mapping(self._transport.read(f"/v2/stocks/{what}/latest", query), what)
        items = mapping(answer.get(what) or {}, what)
        for symbol in symbols:
            if items.get(symbol) is None:
                raise MarketDataError(f"alpaca has no {what} of {symbol!r} in the feed {self._feed}. Check the ticker.")
        return {symbol: mapping(items[symbol], what) for symbol in symbols}


def _top(item: Json) -> TopOfBook:
    return TopOfBook(moment(item, "t"), *(float(number(item, key)) for key in ("bp", "ap", "bs", "as")))


def _bar(item: Json) -> Bar:
    return Bar(moment(item, "t"), *(float(number(item, key)) for key in ("o", "h", "l", "c", "v")))
