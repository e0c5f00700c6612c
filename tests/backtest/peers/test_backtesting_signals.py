"""Market orders at the next open, as backtesting.py fills them on its own GOOG bars."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate
from typing import Any

import numpy as np
from numba import njit

from nt_ray.backtest.event.market import Terms
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import CLOSE, OPEN, BarPanel
from nt_ray.strategies.order_step import ACCOUNT_CASH, ACCOUNT_EQUITY, ACCOUNT_ROW, ORDER_STEP_SIGNATURE, market
from nt_ray.types import FloatArray, IntArray

CASH, MORE_CASH = 10_000, 100_000
FAST, SLOW = 10, 20
WINDOW, LOW, HIGH = 14, 30, 70
CENT = 1_000_000
COSTS = Costs(commission_bps=Decimal(20), slippage_bps=Decimal(0), volume_share=Decimal(1))


@njit
def fee(lots: int, ticks: int) -> int:
    """Cents of 0.2 % of a notional, half a cent up."""
    return (2 * abs(lots) * ticks + 500) // 1000


@njit(ORDER_STEP_SIGNATURE)
def crossing(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Two exact moving sums; state: the last closes, then the sign of their difference one bar ago.

    The peer turns "all that the account has" into units at the price of the fill. This simulator takes a quantity
    that is known when the order is sent, so the run is told the next open in a field of its own.
    """
    row = account[ACCOUNT_ROW]
    state[row % SLOW] = ticks[0, CLOSE]
    if row < SLOW - 1:
        return 0
    slow = fast = 0
    for back in range(SLOW):
        close = np.int64(state[(row - back) % SLOW])
        slow += close
        fast += close if back < FAST else 0
    before = state[SLOW]
    now = np.sign(fast * (SLOW // FAST) - slow)
    state[SLOW] = now
    if now * before >= 0 or np.isnan(bar[0, 5]):
        return 0
    opening = np.int64(np.rint(bar[0, 5] * 100))
    cents = account[ACCOUNT_CASH] // CENT + lots[0] * opening - fee(lots[0], opening)
    count = market(requests, 0, 0, -lots[0])
    return int(market(requests, count, 0, np.int64(now) * (cents * 1000 // (opening * 1002))))


@njit(ORDER_STEP_SIGNATURE)
def strength(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Relative strength from exact sums; state: the last changes, the last close."""
    row, close = account[ACCOUNT_ROW], ticks[0, CLOSE]
    state[row % WINDOW] = close - state[WINDOW] if row > 0 else 0.0
    state[WINDOW] = close
    gains = moves = 0
    for i in range(WINDOW):
        gains += max(np.int64(state[i]), 0)
        moves += abs(np.int64(state[i]))
    if row <= WINDOW:
        return 0
    if lots[0] == 0 and 100 * gains < LOW * moves:
        return int(market(requests, 0, 0, account[ACCOUNT_EQUITY] // CENT // close))
    return int(market(requests, 0, 0, -lots[0])) if 100 * gains > HIGH * moves else 0


def test_a_crossing_of_means_with_everything_at_stake(
    simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(crossing, SLOW + 1, CASH), recorded("crossing")
    assert ours.trades == peer.trades
    assert len(ours.trades) > 90
    assert {trade.size > 0 for trade in ours.trades} == {True, False}
    assert ours.equity == peer.equity


def test_strength_bought_low_and_sold_high_with_the_same_orders_refused(
    simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(strength, WINDOW + 1, MORE_CASH), recorded("strength")
    assert ours.trades == peer.trades
    assert ours.equity == peer.equity
    # Without the check of cash the orders that a higher open makes too dear would fill.
    unchecked = simulate(strength, WINDOW + 1, MORE_CASH, terms=Terms(costs=COSTS))
    assert unchecked.trades != peer.trades


def test_fees_that_the_peer_does_not_round_differ_by_the_rounding_alone(
    simulate: Callable[..., Any], backtesting: dict[str, Any]
) -> None:
    ours, peer = simulate(crossing, SLOW + 1, CASH), backtesting["crossing, fees not rounded"]
    rounding = [Decimal(0)] * len(ours.equity)
    for mine, theirs in zip(ours.trades, peer["trades"], strict=True):
        assert [mine.entry, mine.exit or -1, mine.size, mine.entry_price] == [*theirs[:3], round(theirs[3] * 100)]
        for row, price in ((mine.entry, mine.entry_price), (mine.exit, mine.exit_price)):
            if row is not None:
                exact = abs(mine.size) * Decimal(price) / 100 * Decimal("0.002")
                rounding[row] += exact.quantize(Decimal("0.01"), ROUND_HALF_UP) - exact
    for mine, theirs, gone in zip(ours.equity, peer["equity"], accumulate(rounding), strict=True):
        # The record has six decimals.
        assert abs(Decimal(mine) / 100 + gone - Decimal(str(theirs))) < Decimal("0.000002")
    assert sum(map(abs, rounding)) > 0


def test_the_peer_closes_what_is_left_at_an_open_that_is_past(
    goog: BarPanel, simulate: Callable[..., Any], recorded: Callable[[str], Any]
) -> None:
    ours, peer = simulate(crossing, SLOW + 1, CASH), recorded("crossing, closed at the end")
    assert ours.trades[:-1] == peer.trades[:-1]
    assert ours.equity[:-1] == peer.equity[:-1]
    mine, theirs = ours.trades[-1], peer.trades[-1]
    assert mine.exit is None
    assert [mine.entry, mine.size, mine.entry_price] == [theirs.entry, theirs.size, theirs.entry_price]
    # After the last decision it matches the last bar once more, from its open.
    last = round(goog.values[-1, 0, OPEN] * 100)
    assert (theirs.exit, theirs.exit_price) == (len(goog) - 1, last)
    close = round(goog.values[-1, 0, CLOSE] * 100)
    assert peer.equity[-1] == ours.equity[-1] - mine.size * (close - last) - int(fee(mine.size, last))
