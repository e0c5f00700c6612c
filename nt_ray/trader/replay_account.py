"""One brokerage account at a simulated exchange that replays a bar panel.

It couples the account, the one writer of its journal, with its venue and moves both along the rows of the panel.
Every call is safe to repeat: a row already replayed changes nothing, an order already known is not sent again. So
the object can die at any instant and be built again from its folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from nt_ray.brokers.base import VenueDownError
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.market.bars import CLOSE, VOLUME, BarPanel, last_known
from nt_ray.risk.gate import RiskLimits
from nt_ray.storage.opening import in_schema, open_journal
from nt_ray.trader.account import Account, AccountState, OrderReport
from nt_ray.trader.background import Background, background, bars_needed, is_needed
from nt_ray.trader.files import BARS
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import Fill, OrderRequest
from nt_ray.types import IntArray


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What it takes to open, or to open again, one simulated account.

    `outages` are drills: the venue cannot be reached from the first to the last row of each, both included.
    """

    name: str
    folder: Path
    capital: Decimal
    costs: Costs
    limits: RiskLimits
    outages: tuple[tuple[int, int], ...] = ()
    currency: str = "USD"
    lots: LotMethod = LotMethod.AVERAGE
    database: str = field(default="", repr=False)
    """Address of the database that keeps the journal; empty keeps it in a file of the folder."""

    @property
    def journal(self) -> str:
        """The account's journal: a path, or an address with a schema for this run and account."""
        if not self.database:
            return str(self.folder / f"journal-{self.name}.sqlite")
        return in_schema(self.database, f"{self.folder.name}_{self.name}")

    @property
    def bars_path(self) -> Path:
        """The bars that are replayed, for an account that is opened from its folder alone."""
        return self.folder / BARS

    @property
    def venue_path(self) -> Path:
        """The simulated venue's own book."""
        return self.folder / f"venue-{self.name}.sqlite"


class ReplayAccount:
    """An account and its simulated venue, moved along a panel row by row."""

    def __init__(self, plan: AccountPlan, panel: BarPanel) -> None:
        self._plan = plan
        self._panel = panel
        self._row = 0
        self._marks = last_known_closes(panel)
        self._venue = SimulatedExchange(plan.name, panel, plan.costs, plan.venue_path)
        self._account = Account(
            plan.name,
            open_journal(plan.journal),
            self._venue,
            plan.limits,
            panel.instruments,
            self._clock,
            plan.currency,
            plan.lots,
        )
        self._account.deposit(plan.capital)

    def advance(self, row: int) -> AccountState:
        """Let the venue match bar `row`, take in what it reports, mark at the bar's closes."""
        self._row = row
        self._venue.fail(any(first <= row <= last for first, last in self._plan.outages))
        self._venue.advance(row)
        marks = {
            instrument.symbol: instrument.price(ticks)
            for instrument, ticks in zip(self._panel.instruments, self._marks[row].tolist(), strict=True)
            if ticks != UNKNOWN_PRICE
        }
        limits = self._account.limits
        past = past_of(self._panel, self._marks, row, limits) if is_needed(limits) else None
        self._account.sync(self._clock(), marks, past)
        return self._account.state()

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue; one report for each, in order."""
        return self._account.submit(requests)

    def reach(self) -> bool:
        """Whether the venue answers."""
        try:
            self._venue.ping()
        except VenueDownError:
            return False
        return True

    def state(self) -> AccountState:
        """Return the account as it stands."""
        return self._account.state()

    def fills(self) -> list[Fill]:
        """All executions booked so far, oldest first."""
        return self._account.fills()

    def halt(self, scope: str, who: str, reason: str) -> None:
        """Set the kill switch of a scope."""
        self._account.halt(scope, who, reason)

    def close(self) -> None:
        """Close journal and venue book."""
        self._account.close()
        self._venue.close()

    def _clock(self) -> datetime:
        return self._panel.time(self._row)


def last_known_closes(panel: BarPanel) -> IntArray:
    """Last known close in ticks at each row, (T, N); `UNKNOWN_PRICE` before an instrument's first bar."""
    return last_known(panel.ticks()[:, :, CLOSE])


def past_of(panel: BarPanel, marks: IntArray, row: int, limits: RiskLimits, *, tail: bool = False) -> Background:
    """Past of the market up to a row, as far as limits look back; `marks` are the panel's `last_known_closes`."""
    late = slice(max(row + 1 - bars_needed(limits, tail=tail), 0), row + 1)
    # Ticks are as good as prices: only their ratios count.
    closes = np.where(marks[late] == UNKNOWN_PRICE, np.nan, marks[late])
    return background(panel.symbols, closes, panel.values[late, :, VOLUME], limits, tail=tail)
