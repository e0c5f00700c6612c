"""What it takes to open a live account, or to open it again: values that travel to another process.

`SettingsPlan` opens an account at a real venue from the settings; `ExchangePlan` one at a simulated exchange that
stands at a row of a bar panel. Whatever opens gives the account, its venue and its prices together.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from nt_ray.brokers.alpaca.orders import CAPABILITIES
from nt_ray.brokers.base import Broker
from nt_ray.brokers.one_at_a_time import OneAtATime
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.config import Settings
from nt_ray.market.archive import open_panel
from nt_ray.market.bars import BarPanel
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.background import Background
from nt_ray.trader.bar_reading import BarReading, bars_at, time_of
from nt_ray.trader.connection import Connection
from nt_ray.trader.finished_bars import FinishedBars, finished, rows_of
from nt_ray.trader.price import Price, Top
from nt_ray.trader.replay_account import last_known_closes, past_of

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class OpenedVenue:
    """An account that has recovered, the venue it trades at, where prices come from, and how to let go of both.

    `past` gives what limits ask of the market's past, and scenarios; without it such limits refuse whatever opens a
    position, and no value at risk is known. `bars` gives the newest finished bars, for those who watch; `finished` all
    of some symbols from a time on, for those who decide; `tops` what is bid and asked. `compared` takes the daily
    reconciliations; without it none are made.
    """

    account: Account
    broker: Broker
    prices: Callable[[], Mapping[str, Price]]
    close: Callable[[], None]
    past: Callable[[RiskLimits], Background] | None = None
    bars: Callable[[], Sequence[BarReading]] | None = None
    finished: Callable[[Sequence[str], datetime | None], FinishedBars] | None = None
    compared: Path | None = None
    tops: Callable[[], Mapping[str, Top]] | None = None


class LivePlan(Protocol):
    """How a live account is opened. Opening it fences off every other copy."""

    @property
    def name(self) -> str:
        """Name of the account."""
        ...

    @property
    def moves(self) -> bool:
        """Whether every node can open it: neither journal nor venue lies in a file."""
        ...

    @property
    def concurrency(self) -> int:
        """How many orders its venue takes at a time."""
        ...

    def open(self, clock: Clock) -> OpenedVenue:
        """Open venue and journal, and recover."""
        ...


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """An account at a real venue of the settings; `live` is the second consent to real money."""

    settings: Settings
    name: str
    symbols: tuple[str, ...]
    live: bool = False

    @property
    def moves(self) -> bool:
        """Whether the journal is in a database."""
        return self.settings.account.journal is not None

    @property
    def concurrency(self) -> int:
        """What Alpaca takes."""
        return CAPABILITIES.concurrency

    def open(self, clock: Clock) -> OpenedVenue:
        """Connect and recover."""
        connection = Connection(self.settings, self.name, live=self.live)
        with ExitStack() as failed:
            failed.callback(connection.close)
            wanted = sorted({*self.symbols, *connection.broker.positions()})
            account = connection.open(wanted, clock, shared=True)
            failed.pop_all()
        return OpenedVenue(
            account,
            connection.broker,
            lambda: connection.prices(wanted),
            connection.close,
            lambda limits: connection.past(wanted, clock(), limits),
            lambda: connection.bars(wanted, clock()),
            lambda symbols, since: connection.finished(symbols, since, clock()),
            comparisons_of(self.settings, self.name),
            lambda: connection.tops(wanted),
        )


@dataclass(frozen=True, slots=True)
class ExchangePlan:
    """An account at a simulated exchange over saved bars, which stands at `row` and no earlier."""

    name: str
    folder: Path
    bars: Path
    row: int
    capital: Decimal
    costs: Costs = field(default_factory=Costs)
    limits: RiskLimits = field(default_factory=RiskLimits)
    journal: str = ""
    """Path or address; empty takes a file of the folder."""

    @property
    def moves(self) -> bool:
        """The venue's book is a file, so never."""
        return False

    @property
    def concurrency(self) -> int:
        """One: the exchange answers at once."""
        return 1

    def open(self, clock: Clock) -> OpenedVenue:
        """Open the exchange's book and recover."""
        panel = open_panel(self.bars)
        exchange = SimulatedExchange(self.name, panel, self.costs, self.folder / f"venue-{self.name}.sqlite")
        broker = OneAtATime(exchange)
        with ExitStack() as failed:
            failed.callback(broker.close)
            exchange.advance(self.row)
            journal = open_journal(self.journal or self.folder / f"journal-{self.name}.sqlite")
            account = Account(
                self.name, journal, broker, self.limits, panel.instruments, clock, shared=True
            )  # fmt: skip
            account.deposit(self.capital)
            failed.pop_all()
        closes = last_known_closes(panel)

        def prices() -> dict[str, Price]:
            broker.ping()
            row = zip(panel.instruments, closes[exchange.cursor].tolist(), strict=True)
            # The exchange stands at its bar, so whenever it is asked, the price is of that moment.
            return {i.symbol: Price(i.price(ticks), clock()) for i, ticks in row if ticks != UNKNOWN_PRICE}

        return OpenedVenue(
            account,
            broker,
            prices,
            broker.close,
            lambda limits: past_of(panel, closes, exchange.cursor, limits, tail=True),
            lambda: bars_at(panel, exchange.cursor),
            lambda symbols, since: finished_at(panel, exchange.cursor, symbols, since),
        )


def comparisons_of(settings: Settings, account: str) -> Path:
    """Where the daily reconciliations of an account lie."""
    return settings.state / f"{account}.reconciliations.jsonl"


def finished_at(panel: BarPanel, row: int, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
    """Bars up to a row of a panel at which an exchange stands."""
    return finished(rows_of(panel.select(symbols), 0, row + 1), time_of(panel, row), since)
