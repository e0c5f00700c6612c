"""One brokerage account at a simulated exchange that replays a bar panel.

It couples the account, the one writer of its journal, with its venue and moves both along the rows of the panel.
Every call is safe to repeat: a row already replayed changes nothing, an order already known is not sent again. So
the object can die at any instant and be built again from its folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from nt_ray.brokers.base import VenueDownError
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.risk.gate import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.trader.account import Account, AccountState, OrderReport
from nt_ray.trader.files import BARS
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

    @property
    def journal_path(self) -> Path:
        """The account's journal."""
        return self.folder / f"journal-{self.name}.sqlite"

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
            plan.name, Journal(plan.journal_path), self._venue, plan.limits, panel.instruments, self._clock
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
        self._account.sync(self._clock(), marks)
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
    closes = panel.ticks()[:, :, CLOSE]
    rows = np.where(closes == UNKNOWN_PRICE, -1, np.arange(len(panel))[:, None])
    latest = np.maximum.accumulate(rows, axis=0)
    known = np.take_along_axis(closes, np.maximum(latest, 0), axis=0)
    return np.where(latest < 0, UNKNOWN_PRICE, known)
