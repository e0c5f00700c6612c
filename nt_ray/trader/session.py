"""A trading session: from the swarm's decisions over a replayed panel to orders, bar by bar.

On each bar, in this order (the compiled backtest keeps the same): the venues match the orders of the bar before; the
accounts take in fills and mark; the decision of this bar becomes target positions, by way of an allocation where one is
configured (`nt_ray.portfolio.allocation`); the differences become
market orders, which the next bar fills. No order is sent on the last bar.

The session keeps no truth: positions and money are the accounts'. Equal inputs give equal orders, and order ids derive
from (name, bar, column, attempt, account), so whatever has to be sent again is the same order.

Where an agent's fault is to stop trading, the bars before it are traded as they would be without it, whatever the size
of blocks; the bar of the fault is not reached.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.allocation import Allocator
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.swarm.failures import AgentFaultError
from nt_ray.swarm.messages import Decision
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.desk import Desk
from nt_ray.trader.routing import RoutingTable
from nt_ray.trader.targets import Targets
from nt_ray.trading.orders import OrderRequest, Side
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

OnBar = Callable[[int, int, Decimal], None]
"""Called after each bar with its row, the number of rows and the equity."""


OnDecision = Callable[[int, FloatArray], None]
"""Called after each bar with its row and the exposures decided for it, (N,), NaN where they are to stay."""


class Decider(Protocol):
    """Whoever decides: in a run, the swarm."""

    def prefetch(self, start: int, stop: int) -> None:
        """Start working on a block of bars."""
        ...

    def decide(self, start: int, stop: int) -> Decision:
        """Decide a block of bars."""
        ...


class Router(Protocol):
    """Keeper of the routing table: the switchboard, or the broker pool that holds it."""

    @property
    def table(self) -> RoutingTable:
        """The routing table now in force."""
        ...

    @property
    def trips(self) -> int:
        """How often an account was taken out of the table."""
        ...

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached."""
        ...

    def probe(self, now: float, reach: Callable[[str], bool]) -> RoutingTable:
        """Probe what is unreachable."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SessionRecord:
    """What a session leaves: equity in money quanta, gross and net exposure, exposures decided; all by row."""

    equity_quanta: IntArray
    gross: FloatArray
    net: FloatArray
    exposures: FloatArray


@dataclass(frozen=True, slots=True)
class Book:
    """Positions and equity of all accounts together, at one bar."""

    equity_quanta: int
    lots: IntArray
    by_account: Mapping[str, IntArray]


class Session:
    """One pass over a panel."""

    def __init__(
        self,
        name: str,
        panel: BarPanel,
        decider: Decider,
        desk: Desk,
        router: Router,
        sizing: SizingParams,
        *,
        allocator: Allocator | None = None,
        block_bars: int = 64,
        on_bar: OnBar | None = None,
        on_decision: OnDecision | None = None,
    ) -> None:
        self._name = name
        self._panel = panel
        self._decider = decider
        self._desk = desk
        self._router = router
        self._block_bars = block_bars
        self._on_bar = on_bar
        self._on_decision = on_decision
        self._targets = Targets(panel, sizing, allocator)
        self._columns = {symbol: i for i, symbol in enumerate(panel.symbols)}

    def run(self) -> SessionRecord:
        """Trade the panel from the first bar to the last, or to the one before `AgentFaultError`."""
        rows, columns = self._targets.closes.shape
        record = SessionRecord(
            np.zeros(rows, dtype=np.int64), np.zeros(rows), np.zeros(rows), np.full((rows, columns), np.nan)
        )
        marks = np.zeros(columns)
        for start in range(0, rows, self._block_bars):
            stop = min(start + self._block_bars, rows)
            decision, fault = self._decide(start, stop)
            stop = start + len(decision.exposures)
            if stop < rows and fault is None:
                self._decider.prefetch(stop, min(stop + self._block_bars, rows))
            record.exposures[start:stop] = decision.exposures
            for row in range(start, stop):
                closes = self._targets.closes[row]
                marks = np.where(np.isnan(closes), marks, closes)
                self._bar(row, decision.exposures[row - start], marks, record)
            if fault is not None:
                raise fault
        return record

    def _decide(self, start: int, stop: int) -> tuple[Decision, AgentFaultError | None]:
        """Decision for a block, or for its bars before an agent's fault, which then comes with it."""
        try:
            return self._decider.decide(start, stop), None
        except AgentFaultError as fault:
            if fault.bar == start:
                raise
            return self._decider.decide(start, fault.bar), fault

    def _bar(self, row: int, exposures: FloatArray, marks: FloatArray, record: SessionRecord) -> None:
        table = self._router.table
        if len(table.reachable) < len(table.accounts):
            self._router.probe(float(row), self._desk.reach)
        book = self._book(self._desk.advance(row))
        equity = book.equity_quanta / QUANTA_PER_UNIT
        record.equity_quanta[row] = book.equity_quanta
        values = book.lots * self._targets.lot_sizes * marks / equity if equity > 0 else np.zeros(len(marks))
        record.gross[row] = float(np.abs(values).sum())
        record.net[row] = float(values.sum())
        if row + 1 < len(self._panel):
            self._trade(row, exposures, book)
        if self._on_decision is not None:
            self._on_decision(row, exposures)
        if self._on_bar is not None:
            self._on_bar(row, len(self._panel), Decimal(book.equity_quanta).scaleb(-8))

    def _trade(self, row: int, exposures: FloatArray, book: Book) -> None:
        wanted = self._targets.differences(row, exposures, book.lots, book.equity_quanta)
        for attempt in range(len(self._desk.accounts)):
            if not wanted:
                return
            wanted = self._send(row, attempt, wanted, book)

    def _send(self, row: int, attempt: int, wanted: Mapping[int, int], book: Book) -> dict[int, int]:
        """Send what is wanted; return what certainly was not sent and may go another way."""
        orders: dict[str, list[OrderRequest]] = {}
        for column, lots in wanted.items():
            asset_class = self._panel.instruments[column].asset_class
            held = {name: int(position[column]) for name, position in book.by_account.items()}
            for account, part in self._router.table.route(lots, held, asset_class):
                orders.setdefault(account, []).append(self._order(f"{row}.{column}.{attempt}", column, account, part))
        unsent: dict[int, int] = {}
        for account, reports in self._desk.submit(orders).items() if orders else ():
            refused = [r for r in reports if r.not_sent]
            if refused:
                self._router.failed(account, float(row))
            for report in refused:
                column = self._columns[report.request.symbol]
                unsent[column] = unsent.get(column, 0) + self._signed_lots(column, report)
        return unsent

    def _signed_lots(self, column: int, report: OrderReport) -> int:
        instrument = self._panel.instruments[column]
        return instrument.lots(report.request.quantity) * report.request.side.sign

    def _order(self, sequence: str, column: int, account: str, lots: int) -> OrderRequest:
        instrument = self._panel.instruments[column]
        return OrderRequest(
            client_order_id=f"{self._name}.{sequence}.{account}",
            symbol=instrument.symbol,
            side=Side.BUY if lots > 0 else Side.SELL,
            quantity=instrument.quantity(abs(lots)),
            strategy=self._name,
        )

    def _book(self, states: Mapping[str, AccountState]) -> Book:
        by_account = {name: np.zeros(len(self._columns), dtype=np.int64) for name in states}
        equity = Decimal(0)
        for name, state in states.items():
            equity += state.equity
            for symbol, quantity in state.positions.items():
                column = self._columns[symbol]
                by_account[name][column] = self._panel.instruments[column].lots(quantity)
        total = np.array(list(by_account.values())).sum(axis=0)
        return Book(int(equity.scaleb(8)), total, by_account)
