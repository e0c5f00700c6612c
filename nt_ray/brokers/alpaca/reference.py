"""What Alpaca says about the market and the account's history: assets, clock, calendar, activities."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from nt_ray.brokers.alpaca.refusals import NotFoundError, RefusedError
from nt_ray.brokers.alpaca.transport import Transport
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, listing, mapping, moment, stamp, word

NEW_YORK: Final = ZoneInfo("America/New_York")
"""Zone of the calendar's dates and times."""

OLDEST_S: Final = 600.0
"""Seconds after which an order waits for an asset to be read anew; who looks regularly asks before that."""

_PAGE: Final = 100
_LOOK_BACK: Final = timedelta(seconds=1)
"""Whether `after` includes its instant is not documented; asking for a second more includes it in any case."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What can be traded at Alpaca, and how."""

    symbol: str
    name: str
    exchange: str
    tradable: bool
    fractionable: bool
    shortable: bool
    easy_to_borrow: bool
    marginable: bool


@dataclass(frozen=True, slots=True)
class MarketClock:
    """The venue's time, and the next turns of the regular session."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One day of the calendar with its regular session."""

    day: date
    opens: datetime
    closes: datetime


class Reference:
    """Reads reference data. An asset is read anew when what is known of it is old."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._assets: dict[str, tuple[Asset, float]] = {}

    def asset(self, symbol: str, oldest_s: float = OLDEST_S) -> Asset:
        """Find an asset; raise `RefusedError` where Alpaca knows none of that symbol."""
        known = self._assets.get(symbol)
        if known is not None and self._clock() - known[1] < oldest_s:
            return known[0]
        asked_at = self._clock()
        try:
            answer = self._transport.read(f"/v2/assets/{quote(symbol, safe='')}")
        except NotFoundError as error:
            raise RefusedError(f"alpaca knows no symbol {symbol!r}. Check the ticker.") from error
        found = _asset(mapping(answer, "an asset"))
        self._assets[symbol] = found, asked_at
        return found

    def assets(self) -> list[Asset]:
        """All active US equities."""
        answer = self._transport.read("/v2/assets", {"status": "active", "asset_class": "us_equity"})
        return [_asset(item) for item in listing(answer, "assets")]

    def clock(self) -> MarketClock:
        """Ask for the venue's time."""
        answer = mapping(self._transport.read("/v2/clock"), "a clock")
        return MarketClock(
            moment(answer, "timestamp"),
            answer.get("is_open") is True,
            moment(answer, "next_open"),
            moment(answer, "next_close"),
        )

    def calendar(self, first: date, last: date) -> list[TradingDay]:
        """Trading days from `first` to `last`, both included."""
        answer = self._transport.read("/v2/calendar", {"start": first.isoformat(), "end": last.isoformat()})
        return [_trading_day(item) for item in listing(answer, "a calendar")]

    def pages(self, path: str, since: datetime | None, query: dict[str, str] | None = None) -> list[Json]:
        """Read all pages of activities at or after a time, and possibly some shortly before."""
        asked = {"direction": "asc", "page_size": str(_PAGE), **(query or {})}
        if since is not None:
            asked["after"] = stamp(since - _LOOK_BACK)
        found: list[Json] = []
        while True:
            page = listing(self._transport.read(path, asked), "activities")
            found.extend(page)
            if len(page) < _PAGE:
                return found
            last = word(page[-1], "id")
            if last == asked.get("page_token"):
                raise UnreadableError("activities whose pages do not advance")
            asked["page_token"] = last


def _asset(item: Json) -> Asset:
    return Asset(
        word(item, "symbol"),
        str(item.get("name") or ""),
        str(item.get("exchange") or ""),
        item.get("tradable") is True and item.get("status") == "active",
        item.get("fractionable") is True,
        item.get("shortable") is True,
        item.get("easy_to_borrow") is True,
        item.get("marginable") is True,
    )


def _trading_day(item: Json) -> TradingDay:
    try:
        day = date.fromisoformat(word(item, "date"))
        opens, closes = (time_of_day.fromisoformat(word(item, key)) for key in ("open", "close"))
    except ValueError as error:
        raise UnreadableError(f"trading day {item!r}") from error
    return TradingDay(day, datetime.combine(day, opens, NEW_YORK), datetime.combine(day, closes, NEW_YORK))
