"""Stops that trail, as backtesting.py works them on its own GOOG bars."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from nt_ray.market.bars import CLOSE, HIGH, LOW, BarPanel
from nt_ray.strategies.order_step import (
    ACCOUNT_OPEN,
    ACCOUNT_ROW,
    FLAGS,
    GTC,
    ID,
    ORDER_STEP_SIGNATURE,
    PARENT,
    TRAIL_PPM,
    TRAILING_STOP,
    cancel,
    market,
    request,
    stop_order,
)
from nt_ray.types import FloatArray, IntArray

CASH, UNITS = 100_000, 20
RANGES, TIMES = 14, 3
EVERY, TRAIL = 20, 50_000


@njit(ORDER_STEP_SIGNATURE)
def from_closes(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Move a stop up by hand; state: the last true ranges, the last close, the stop."""
    row, close = account[ACCOUNT_ROW], ticks[0, CLOSE]
    before = np.int64(state[RANGES]) if row > 0 else close
    state[row % RANGES] = max(ticks[0, HIGH], before) - min(ticks[0, LOW], before)
    state[RANGES] = close
    if row < RANGES:
        return 0
    if lots[0] == 0:
        state[RANGES + 1] = 0.0
        return int(market(requests, 0, 0, UNITS))
    level = close - np.int64(state[:RANGES].sum()) * TIMES // RANGES
    if level <= state[RANGES + 1]:
        return 0
    state[RANGES + 1] = level
    count = 0
    for i in range(account[ACCOUNT_OPEN]):
        count = cancel(requests, count, orders[i, ID])
    return int(stop_order(requests, count, 0, -lots[0], level, GTC))


@njit(ORDER_STEP_SIGNATURE)
def from_highs(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """On a timetable, leave it to a trailing stop, which starts with the entry."""
    row = account[ACCOUNT_ROW]
    if row % EVERY == EVERY - 2 and lots[0] != 0:
        cancel(requests, 0, orders[0, ID])
        return int(market(requests, 1, 0, -lots[0]))
    if row % EVERY != 0 or row == 0:
        return 0
    market(requests, 0, 0, UNITS)
    request(requests, 1, 0, -UNITS, TRAILING_STOP, 0, 0, TRAIL, GTC)
    requests[1, FLAGS] = TRAIL_PPM
    requests[1, PARENT] = 0
    return 2


def test_a_stop_moved_up_at_each_close(simulate: Callable[..., Any], recorded: Callable[[str], Any]) -> None:
    ours, peer = simulate(from_closes, RANGES + 2, CASH), recorded("trail from closes")
    assert ours.trades == peer.trades
    assert ours.equity == peer.equity
    assert len(ours.trades) > 50


def stop_below(top: int) -> int:
    return top - top * TRAIL // 1_000_000


def out_by_the_open(prices: IntArray, entry: int, last: int) -> tuple[int, int] | None:
    """First row up to `last` on which a stop that has seen the bar's own open is met, and where; else None.

    The peer sets its stop at a close, so it knows neither the fill that it is to start from nor the open of a bar
    above all highs before.
    """
    top = 0
    for row in range(entry, last + 1):
        opening, high, low, _ = prices[row].tolist()
        if opening > top and low <= stop_below(opening):
            return row, stop_below(opening)
        top = max(top, high)
    return None


def test_a_trailing_stop_order_differs_where_the_bar_s_own_open_moves_it(
    goog: BarPanel, simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(from_highs, 0, CASH), recorded("trail from highs")
    prices = np.rint(goog.values[:, 0, : CLOSE + 1] * 100).astype(np.int64)
    different = []
    for mine, theirs in zip(ours.trades, peer.trades, strict=True):
        out = out_by_the_open(prices, mine.entry, theirs.exit or len(goog) - 1)
        if out is None:
            assert mine == theirs
        else:
            assert (mine.entry, mine.entry_price, mine.exit, mine.exit_price) == (
                theirs.entry,
                theirs.entry_price,
                *out,
            )
            assert mine != theirs
            different.append(mine.profit - theirs.profit)
    assert 0 < len(different) < len(ours.trades) / 10
    assert ours.equity[-1] - peer.equity[-1] == sum(different)
    assert sum(trade.exit % EVERY != EVERY - 1 for trade in ours.trades if trade.exit) > 30
