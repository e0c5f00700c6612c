"""Connection to an account at a real venue: its adapter, its prices and its journal, from the settings.

Orders with real money need two consents: `live = true` in the settings and `live` in the call, which is `--live` on the
command line. Without both a live host is not even connected to.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import DATA, PAPER, AlpacaAccess, is_live
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.data import AlpacaData
from nt_ray.config import Settings
from nt_ray.config.venues import Venue
from nt_ray.errors import ConfigError
from nt_ray.market.bars import Instrument, known_closes
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import in_schema, open_journal, opened
from nt_ray.trader.account import Account
from nt_ray.trader.background import Background, background, bars_needed
from nt_ray.trader.books import Books
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trader.planning import risk_limits
from nt_ray.trader.price import Price, marks_of, times_of

TICK = Decimal("0.01")
FRACTION = Decimal("0.000001")
"""Finest part of a share that is traded: a tick of it is a whole number of money quanta."""


class Connection:
    """One account at one venue of the settings, opened by its first use."""

    def __init__(self, settings: Settings, name: str, *, live: bool = False) -> None:
        self._settings = settings
        self.name = name
        venue = venue_of(settings, name)
        access = access_of(venue, name, live=settings.live and live)
        self.broker = AlpacaBroker(name, access)
        self._data = AlpacaData(access)
        self._where = journal_of(settings, name)

    def account(self, symbols: Sequence[str] = ()) -> Account:
        """Open the account, which recovers and fences off any other copy, and mark these symbols and its positions."""
        wanted = sorted({*symbols, *self.broker.positions()})
        account = self.open(wanted, lambda: datetime.now(UTC))
        prices = self.prices(wanted)
        account.sync(datetime.now(UTC), marks_of(prices), made=times_of(prices))
        return account

    def open(self, symbols: Sequence[str], clock: Callable[[], datetime], *, shared: bool = False) -> Account:
        """Open the account over these symbols, not marked yet; its first deposit is the venue's cash."""
        instruments = [self._instrument(symbol) for symbol in symbols]
        account = Account(
            self.name, self._journal(), self.broker, risk_limits(self._settings), instruments, clock,
            self._settings.account.currency, shared=shared,
        )  # fmt: skip
        money = self.broker.account()
        if not account.books.deposits:
            account.deposit(money.cash)
        return account

    def prices(self, symbols: Sequence[str]) -> dict[str, Price]:
        """Prices of the last trades, in whole ticks, each with the time of its trade."""
        if not symbols:
            return {}
        trades = self._data.latest_trades(symbols)
        return {s: Price(Decimal(repr(trade.price)).quantize(TICK), trade.time) for s, trade in trades.items()}

    def past(self, symbols: Sequence[str], now: datetime, limits: RiskLimits) -> Background:
        """Daily bars before today, as far as limits look back."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        # Seven days hold five bars or fewer; two weeks more cover what holidays take.
        start = midnight - timedelta(days=math.ceil(bars_needed(limits) * 7 / 5) + 14)
        bars = self._data.bars(symbols, "1Day", start, midnight - timedelta(seconds=1), "split")
        rows = {time: row for row, time in enumerate(sorted({bar.time for of in bars.values() for bar in of}))}
        closes, volumes = (np.full((len(rows), len(symbols)), np.nan) for _ in range(2))
        for column, symbol in enumerate(symbols):
            for bar in bars[symbol]:
                closes[rows[bar.time], column], volumes[rows[bar.time], column] = bar.close, bar.volume
        return background(symbols, known_closes(closes), volumes, limits)

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

    def _journal(self) -> Journal:
        if isinstance(self._where, Path):
            self._where.parent.mkdir(parents=True, exist_ok=True)
        return open_journal(self._where)

    def _instrument(self, symbol: str) -> Instrument:
        asset = self.broker.reference.asset(symbol)
        return Instrument(symbol, TICK, FRACTION if asset.fractionable else Decimal(1))


def books_of(settings: Settings, name: str) -> Books:
    """State of an account at a real venue by its journal alone; it fences nobody off and asks no venue."""
    venue_of(settings, name)
    books = Books(settings.account.currency)
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
