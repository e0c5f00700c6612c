"""What a run of the event simulator leaves: fills, orders, equity, and books that add up."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from nt_ray.backtest.simulator import BacktestResult
from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.tables import Book
from nt_ray.market.bars import BarPanel
from nt_ray.strategies import order_step
from nt_ray.types import MONEY_DECIMALS, IntArray

TYPES = (
    "market", "limit", "stop", "stop_limit", "trailing_stop", "market_on_open", "limit_on_open", "market_on_close",
    "limit_on_close",
)  # fmt: skip
TIMES_IN_FORCE = ("day", "gtc", "gtd", "ioc", "fok")
STATES = ("held", "working", "filled", "canceled", "expired", "rejected")
REASONS = (
    "", "by_strategy", "by_group", "by_parent", "nothing_to_reduce", "not_at_once", "in_liquidation", "would_take",
    "no_margin", "no_borrow", "by_split",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class EventResult:
    """Row t holds what is true after bar t, before the orders that are asked for on it.

    `fills` has FILL_FIELDS columns, `orders` TABLE_FIELDS, see `tables`; `ledger` the totals of the account.
    """

    panel: BarPanel
    fills: IntArray
    orders: IntArray
    equity_quanta: IntArray
    cash_quanta: IntArray
    positions: IntArray
    ledger: IntArray
    basis: IntArray
    initial_quanta: int

    @property
    def final_equity(self) -> Decimal:
        """Equity after the last bar."""
        return _money(int(self.equity_quanta[-1]))

    @property
    def realised(self) -> Decimal:
        """P&L of closed positions before costs."""
        return _money(int(self.ledger[tables.REALISED]))

    @property
    def unrealised(self) -> Decimal:
        """Value of open positions above what they have cost."""
        value = int(self.ledger[tables.EQUITY] - self.ledger[tables.CASH])
        return _money(value - sum(int(b) for b in self.basis))

    @property
    def fees(self) -> Decimal:
        """Commissions and fees."""
        return _money(int(self.ledger[tables.FEES]))

    @property
    def borrowing(self) -> Decimal:
        """Cost of borrowed positions."""
        return _money(int(self.ledger[tables.BORROW]))

    @property
    def funding(self) -> Decimal:
        """Funding received, less paid."""
        return _money(int(self.ledger[tables.FUNDING]))

    @property
    def dividends(self) -> Decimal:
        """Dividends received, less paid on short positions."""
        return _money(int(self.ledger[tables.DIVIDENDS]))

    @property
    def unexplained(self) -> Decimal:
        """Change of equity less all that explains it: zero, to the last quantum, or the books are wrong."""
        explained = self.realised + self.unrealised + self.dividends + self.funding - self.fees - self.borrowing
        return self.final_equity - _money(self.initial_quanta) - explained

    def fill_table(self) -> pl.DataFrame:
        """Fills with exact decimals, with order, maker, slippage and realised P&L after those of a plain backtest."""
        executions = np.ascontiguousarray(self.fills[:, : tables.FILL_ORDER])
        plain = BacktestResult(self.panel, executions, self.equity_quanta, self.cash_quanta, self.positions).fills()
        moved = (self.fills[:, tables.FILL_TICKS] - self.fills[:, tables.FILL_RAW]) * self.fills[:, tables.FILL_SIDE]
        return plain.with_columns(
            pl.Series("order", self.fills[:, tables.FILL_ORDER]),
            pl.Series("maker", self.fills[:, tables.FILL_MAKER] == 1),
            pl.Series("slippage_ticks", moved),
            pl.Series("realised", [_money(int(q)) for q in self.fills[:, tables.FILL_REALISED]], pl.Decimal(38, 8)),
        )

    def order_table(self) -> pl.DataFrame:
        """Orders as the account left them."""
        o = self.orders
        return pl.DataFrame(
            {
                "order": o[:, order_step.ID],
                "row": o[:, order_step.ENTRY_ROW],
                "symbol": _names(self.panel.symbols, o[:, order_step.COLUMN]),
                "type": _names(TYPES, o[:, order_step.TYPE]),
                "tif": _names(TIMES_IN_FORCE, o[:, order_step.TIF]),
                "lots": o[:, order_step.SIDE] * o[:, order_step.LOTS],
                "limit": o[:, order_step.LIMIT],
                "stop": o[:, order_step.STOP],
                "filled": o[:, order_step.FILLED],
                "status": _names(STATES, o[:, order_step.STATUS]),
                "reason": _names(REASONS, o[:, order_step.REASON]),
                "tag": o[:, order_step.TAG],
            }
        )


def result_of(panel: BarPanel, book: Book, initial_quanta: int) -> EventResult:
    """Result of a finished run."""
    return EventResult(
        panel,
        book.fills[: book.counters[tables.FILLS]].copy(),
        book.orders[: book.counters[tables.ORDERS]].copy(),
        book.equity,
        book.cash,
        book.positions,
        book.ledger,
        book.basis,
        initial_quanta,
    )


def _names(names: tuple[str, ...], codes: IntArray) -> pl.Series:
    return pl.Series([names[c] for c in codes.tolist()], dtype=pl.String)


def _money(quanta: int) -> Decimal:
    return Decimal(quanta).scaleb(-MONEY_DECIMALS)
