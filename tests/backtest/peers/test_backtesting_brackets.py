"""Entries with a stop-loss and a take-profit, as backtesting.py works them on its own GOOG bars.

Every `EVERY` bars there is room for one trade, which is out before the next, so that where the rules differ one
trade differs and not all that follow.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numba import njit

from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.strategies.order_step import (
    ACCOUNT_OPEN,
    ACCOUNT_ROW,
    DAY,
    GROUP,
    GTC,
    ID,
    ORDER_STEP_SIGNATURE,
    bracket,
    cancel,
    limit_order,
    market,
    stop_order,
)
from nt_ray.types import FloatArray, IntArray

CASH, LESS_CASH = 100_000, 10_000
EVERY, UNITS, LOSS, PROFIT, BELOW = 20, 20, 4, 6, 1
Levels = tuple[int, int, int, int]


@njit
def levels(row: int, close: int, below: int) -> Levels:
    """Side, entry, stop-loss and take-profit of the trade that is decided at this close."""
    side = 1 if row // EVERY % 2 == 0 else -1
    entry = close - side * (close * below // 100)
    return side, entry, entry - side * (entry * LOSS // 100), entry + side * (entry * PROFIT // 100)


@njit
def leave(lots: IntArray, account: IntArray, orders: IntArray, requests: IntArray) -> int:
    """Ask for the end of the position and of what works for it."""
    count = 0
    for i in range(account[ACCOUNT_OPEN]):
        count = cancel(requests, count, orders[i, ID])
    return int(market(requests, count, 0, -lots[0]))


@njit(ORDER_STEP_SIGNATURE)
def at_market(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Enter at the next open; the exits come with the entry."""
    row = account[ACCOUNT_ROW]
    if row % EVERY == 0 and row > 0:
        side, _, loss, profit = levels(row, ticks[0, CLOSE], 0)
        return int(bracket(requests, 0, 0, side * UNITS, 0, profit, loss))
    return leave(lots, account, orders, requests) if row % EVERY == EVERY - 2 else 0


@njit(ORDER_STEP_SIGNATURE)
def by_limit(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Enter by a limit; the exits come with the entry."""
    row = account[ACCOUNT_ROW]
    if row % EVERY == 0 and row > 0:
        side, entry, loss, profit = levels(row, ticks[0, CLOSE], BELOW)
        return int(bracket(requests, 0, 0, side * UNITS, entry, profit, loss))
    return leave(lots, account, orders, requests) if row % EVERY == EVERY - 2 else 0


@njit(ORDER_STEP_SIGNATURE)
def by_limit_first(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Enter by a limit; ask for the exits once the position is there. State: their levels."""
    row = account[ACCOUNT_ROW]
    if row % EVERY == 0 and row > 0:
        side, entry, loss, profit = levels(row, ticks[0, CLOSE], BELOW)
        state[0], state[1] = loss, profit
        return int(limit_order(requests, 0, 0, side * UNITS, entry, DAY))
    if row % EVERY == EVERY - 2:
        return leave(lots, account, orders, requests)
    if lots[0] == 0 or account[ACCOUNT_OPEN] > 0 or row % EVERY == EVERY - 1:
        return 0
    count = stop_order(requests, 0, 0, -lots[0], np.int64(state[0]), GTC)
    count = limit_order(requests, count, 0, -lots[0], np.int64(state[1]), GTC)
    requests[:count, GROUP] = 1
    return int(count)


class AtMarket(PythonStrategy):
    """`at_market` in plain Python."""

    def on_bar(self, context: Context) -> None:
        """Enter or leave."""
        if context.row % EVERY == 0 and context.row > 0:
            side, _, loss, profit = levels(context.row, round(context.close("GOOG") * 100), 0)
            context.bracket("GOOG", side * UNITS, profit=Decimal(profit) / 100, loss=Decimal(loss) / 100)
        elif context.row % EVERY == EVERY - 2:
            for order in list(context.orders()):
                context.cancel(order.id)
            if context.position("GOOG"):
                context.sell("GOOG", context.position("GOOG"))


class Corners(PythonStrategy):
    """A bracket on every third bar, five below and above a close of 100."""

    def on_bar(self, context: Context) -> None:
        """Enter."""
        if context.row % 3 == 1:
            context.bracket("X", UNITS, profit=105, loss=95)


@pytest.mark.parametrize("strategy", [at_market, AtMarket()], ids=["compiled", "Python"])
def test_a_bracket_around_a_market_order(
    strategy: Any, simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(strategy, 0, CASH), recorded("bracket")
    assert ours.trades == peer.trades
    assert ours.equity == peer.equity
    assert len(ours.trades) > 100


def test_a_bracket_that_cash_does_not_reach_for(simulate: Callable[..., Any], recorded: Callable[[str], Any]) -> None:
    ours, peer = simulate(at_market, 0, LESS_CASH), recorded("bracket, short of cash")
    assert ours.trades == peer.trades
    assert ours.equity == peer.equity
    assert 0 < len(ours.trades) < 100


def test_a_limit_entry_whose_exits_start_on_the_bar_after(
    simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(by_limit_first, 2, CASH), recorded("limit bracket")
    assert ours.trades == peer.trades
    assert ours.equity == peer.equity
    assert len(ours.trades) > 40


def test_exits_that_come_with_a_limit_entry_differ_on_the_entry_bar_alone(
    goog: BarPanel, simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(by_limit, 0, CASH), recorded("limit bracket")
    prices = np.rint(goog.values[:, 0, : CLOSE + 1] * 100).astype(np.int64)
    different = []
    for mine, theirs in zip(ours.trades, peer.trades, strict=True):
        row = (mine.entry - 1) // EVERY * EVERY
        side, _, loss, profit = levels(row, int(prices[row, CLOSE]), BELOW)
        opening, high, low, close = prices[mine.entry].tolist()
        best, worst = (high, low) if side > 0 else (low, high)
        stopped = side * worst <= side * loss
        # The limit filled at the open has the bar for its profit; one filled later has no more than the close.
        last = best if mine.entry_price == opening else close
        profited = side * last >= side * profit
        # Here the exits work from the fill on; the peer begins with the next bar.
        if stopped or profited:
            if stopped:
                out = side * min(side * loss, side * mine.entry_price)
            else:
                out = profit if mine.entry_price == opening else close
            assert (mine.entry, mine.entry_price) == (theirs.entry, theirs.entry_price)
            assert (mine.exit, mine.exit_price) == (mine.entry, out)
            assert theirs.exit is None or theirs.exit > theirs.entry
            different.append(mine.profit - theirs.profit)
        else:
            assert mine == theirs
    assert 0 < len(different) < len(ours.trades) / 4
    assert ours.equity[-1] - peer.equity[-1] == sum(different)


def test_an_open_beyond_the_profit_takes_it_here_and_is_overlooked_there(
    simulate: Callable[..., Any], recorded: Callable[[str], Any], backtesting: dict[str, Any]
) -> None:
    prices = np.array(backtesting["corners"]["bars"], dtype=float)
    values = np.concatenate((prices, np.full((len(prices), 1), 1e6)), axis=1)[:, None, :]
    bars = BarPanel((Instrument("X", Decimal("0.01")),), np.arange(len(prices), dtype=np.int64), values)
    ours, peer = simulate(Corners(), 0, LESS_CASH, bars=bars), recorded("corners")
    # Both exits inside the range: the loss in both. The open below the loss: the open in both.
    assert (ours.trades[0], ours.trades[2]) == (peer.trades[0], peer.trades[2])
    # The open above the profit: here that limit is met before anything else of the bar, there the stop comes first.
    mine, theirs = ours.trades[1], peer.trades[1]
    assert (mine.entry, mine.exit, mine.size) == (theirs.entry, theirs.exit, theirs.size)
    assert (mine.exit_price, theirs.exit_price) == (10_700, 9_500)
    assert ours.equity[-1] - peer.equity[-1] == mine.profit - theirs.profit
