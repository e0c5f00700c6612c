"""Connection to an account at a real venue: its adapter, its prices and its journal, from the settings.

Orders with real money need two consents: `live = true` in the settings and `live` in the call, which is `--live` on the
command line. Without both a live host is not even connected to.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import DATA, PAPER, AlpacaAccess, is_live
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.data import AlpacaData, Bar, TopOfBook
from nt_ray.brokers.alpaca.transport import REQUESTS_PER_MINUTE
from nt_ray.config import Settings
from nt_ray.config.venues import Venue
from nt_ray.errors import ConfigError
from nt_ray.market.bars import FIELDS, BarPanel, Instrument, known_closes
from nt_ray.market.nyse import NEW_YORK, sessions
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import in_schema, open_journal, opened
from nt_ray.trader.account import Account
from nt_ray.trader.background import Background, background, bars_needed
from nt_ray.trader.bar_reading import BarReading
from nt_ray.trader.books import Books
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trader.finished_bars import FinishedBars, finished
from nt_ray.trader.planning import risk_limits
from nt_ray.trader.price import Price, Top, marks_of, times_of
from nt_ray.trading.lots import LotMethod
from nt_ray.types import QUANTITY_DECIMALS

TICK = Decimal("0.01")
RECENT = timedelta(minutes=5)
"""How far back bars are read for those who watch: minute bars come late where a symbol is hardly traded."""
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
LONGEST_PAST = timedelta(days=1461)
"""How far back daily bars are read where nobody says since when."""
LONGEST_BREAK = timedelta(days=14)
"""Longer than the exchange was ever closed since the days that its calendar knows."""
FRACTION = Decimal("0.000001")
"""Part of a share in which positions are sized: a tick of it is a whole number of money quanta."""
FINEST = Decimal(1).scaleb(-QUANTITY_DECIMALS)
"""Finest part of a share in an order, so that what an order by notional has bought can be sold."""


class Connection:
    """One account at one venue of the settings, opened by its first use."""

    def __init__(self, settings: Settings, name: str, *, live: bool = False) -> None:
        self._settings = settings
        self.name = name
        venue = venue_of(settings, name)
        access = access_of(venue, name, live=settings.live and live)
        self.broker = AlpacaBroker(
            name, access,
            requests_per_minute=venue.requests_per_minute or REQUESTS_PER_MINUTE, connections=venue.connections,
        )  # fmt: skip
        self._data = AlpacaData(access)
        self._where = journal_of(settings, name)
        self._finished: dict[tuple[tuple[str, ...], datetime | None], FinishedBars] = {}

    def account(self, symbols: Sequence[str] = ()) -> Account:
        """Open the account, which recovers and fences off any other copy, and mark these symbols and its positions."""
        wanted = sorted({*symbols, *self.broker.positions()})
        account = self.open(wanted, lambda: datetime.now(UTC))
        prices = self.prices(wanted)
        account.sync(datetime.now(UTC), marks_of(prices), made=times_of(prices))
        return account

    def open(self, symbols: Sequence[str], clock: Callable[[], datetime], *, shared: bool = False) -> Account:
        """Open the account over these symbols, not marked yet; where it is new it takes over what the venue keeps."""
        instruments = [self._instrument(symbol, FINEST) for symbol in symbols]
        with ExitStack() as failed:
            journal = self._journal()
            failed.callback(journal.close)
            account = Account(
                self.name, journal, self.broker, risk_limits(self._settings, live=True), instruments, clock,
                self._settings.account.currency, LotMethod(self._settings.account.lots), custodian=self.broker,
                shared=shared,
            )  # fmt: skip
            account.begin()
            failed.pop_all()
        return account

    def prices(self, symbols: Sequence[str]) -> dict[str, Price]:
        """Prices of the last trades, in whole ticks, each with the time of its trade."""
        if not symbols:
            return {}
        trades = self._data.latest_trades(symbols)
        return {s: Price(Decimal(repr(trade.price)).quantize(TICK), trade.time) for s, trade in trades.items()}

    def tops(self, symbols: Sequence[str]) -> dict[str, Top]:
        """Best bids and asks with their sizes, as they are quoted now."""
        found = self._data.latest_quotes(symbols) if symbols else {}
        return {symbol: _top(quote) for symbol, quote in found.items()}

    def bars(self, symbols: Sequence[str], now: datetime) -> list[BarReading]:
        """Bars of the last minutes that are complete, oldest first."""
        if not symbols:
            return []
        found = self._data.bars(symbols, "1Min", now - RECENT, now)
        return [
            BarReading(symbol, bar.time + _MINUTE, (bar.open, bar.high, bar.low, bar.close, bar.volume), "1m")
            for symbol, bars in found.items()
            for bar in bars
            if bar.time + _MINUTE <= now
        ]

    def past(self, symbols: Sequence[str], now: datetime, limits: RiskLimits) -> Background:
        """Daily bars before today, as far as limits and the value at risk look back."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        # Seven days hold five bars or fewer; two weeks more cover what holidays take.
        start = midnight - timedelta(days=math.ceil(bars_needed(limits, tail=True) * 7 / 5) + 14)
        bars = self._data.bars(symbols, "1Day", start, midnight - timedelta(seconds=1), "split")
        rows = {time: row for row, time in enumerate(sorted({bar.time for of in bars.values() for bar in of}))}
        closes, volumes = (np.full((len(rows), len(symbols)), np.nan) for _ in range(2))
        for column, symbol in enumerate(symbols):
            for bar in bars[symbol]:
                closes[rows[bar.time], column], volumes[rows[bar.time], column] = bar.close, bar.volume
        return background(symbols, known_closes(closes), volumes, limits, tail=True)

    def finished(self, symbols: Sequence[str], since: datetime | None, now: datetime) -> FinishedBars:
        """Daily bars complete at `since` or later, adjusted for splits; read anew once a day, when one is due.

        A bar is complete a day after it began, when nothing of its day can come any more.
        """
        asked = tuple(symbols), since
        due = due_at(now)
        known = self._finished.get(asked)
        if known is None or known.due != due or known.is_late:
            start = (now - LONGEST_PAST if since is None else since) - _DAY
            bars = self._data.bars(symbols, "1Day", start, now, "split")
            found = finished(self._panel(symbols, bars, now), due)
            self._finished[asked] = known = found
        return known

    def close(self) -> None:
        """Let go of the venue."""
        self.broker.close()
        self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _panel(self, symbols: Sequence[str], bars: Mapping[str, Sequence[Bar]], now: datetime) -> BarPanel:
        times = sorted({bar.time for of in bars.values() for bar in of if bar.time + _DAY <= now})
        rows = {time: row for row, time in enumerate(times)}
        values = np.full((len(rows), len(symbols), len(FIELDS)), np.nan)
        for column, symbol in enumerate(symbols):
            for bar in bars[symbol]:
                if bar.time in rows:
                    values[rows[bar.time], column] = bar.open, bar.high, bar.low, bar.close, bar.volume
        stamps = np.array([round((time + _DAY).timestamp()) * 10**9 for time in times], dtype=np.int64)
        instruments = tuple(self._instrument(symbol, FRACTION) for symbol in symbols)
        return BarPanel(instruments, stamps, values, name=self.name)

    def _journal(self) -> Journal:
        if isinstance(self._where, Path):
            self._where.parent.mkdir(parents=True, exist_ok=True)
        return open_journal(self._where)

    def _instrument(self, symbol: str, fraction: Decimal) -> Instrument:
        asset = self.broker.reference.asset(symbol)
        return Instrument(symbol, TICK, fraction if asset.fractionable else Decimal(1))


def _top(quote: TopOfBook) -> Top:
    """Quote in decimals; a side without a price is empty."""
    bid, ask = ((_exact(price), _exact(size)) if price > 0.0 else (None, None)
                for price, size in ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size)))  # fmt: skip
    return Top(bid[0], ask[0], bid[1], ask[1], quote.time)


def _exact(value: float) -> Decimal:
    return Decimal(repr(value)).normalize()


def due_at(now: datetime) -> datetime:
    """Time of the newest daily bar that is complete: of the last trading day whose next midnight has passed."""
    today = now.astimezone(NEW_YORK).date()
    day = sessions(today - LONGEST_BREAK, today - _DAY)[-1].day + _DAY
    # Venues begin a day at midnight of their own zone; that of UTC comes before that of New York.
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def books_of(settings: Settings, name: str) -> Books:
    """State of an account at a real venue by its journal alone; it fences nobody off and asks no venue."""
    venue_of(settings, name)
    limits, account = risk_limits(settings), settings.account
    books = Books(account.currency, daily_loss_by_hand=limits.daily_loss_by_hand, lots=LotMethod(account.lots))
    with opened(journal_of(settings, name)) as journal:
        Checkpoints(journal).replay(books)
    return books


def venue_of(settings: Settings, name: str) -> Venue:
    """Table of a real venue; `ConfigError` where the name is of none."""
    venue = settings.brokers.table(name)
    if venue.kind == "simulated":
        raise ConfigError(
            f"{name} is simulated and lives within a run. Name a broker of kind alpaca; `nt-ray simulate alpaca` "
            "serves one on this machine."
        )
    return venue


def access_of(venue: Venue, name: str, *, live: bool) -> AlpacaAccess:
    """Host and keys of a venue; `ConfigError` where they are missing or where a live host is not allowed."""
    missing = [field for field in ("key", "secret") if getattr(venue, field) is None]
    if missing:
        variable = f"NT_BROKERS__{name.upper().replace('-', '_')}__{missing[0].upper()}"
        raise ConfigError(f"brokers.{name}.{missing[0]} is not set. Put it into the environment as {variable}.")
    url = (venue.url or PAPER).rstrip("/")
    data = (venue.data_url or (DATA if url.endswith("alpaca.markets") else url)).rstrip("/")
    return AlpacaAccess(venue.key or SecretStr(""), venue.secret or SecretStr(""), url, data, live=live)


def is_real_money(settings: Settings, name: str) -> bool:
    """Whether orders of a venue would be paid for with real money."""
    return is_live(venue_of(settings, name).url or PAPER)


def journal_of(settings: Settings, name: str) -> str | Path:
    """Where the journal of an account at a real venue lies."""
    database = settings.account.journal
    return settings.state / f"{name}.sqlite" if database is None else in_schema(database.get_secret_value(), name)
