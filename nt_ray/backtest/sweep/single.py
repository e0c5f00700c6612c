"""One account of a sweep: a strategy over one symbol, from the first bar to the last, keeping totals only.

The order of events on a bar is the simulator's own: match, mark, vote, size, order; sizing and matching are the very
functions it calls. Nothing here is compiled by itself: these functions take the strategy's step either as a value
or as a constant and become part of whichever kernel calls them (`kernels.py`), so they carry no signature.

A bar on which the present position already is the wanted one is recognised by a few multiplications; whatever is so
near a limit that rounding could decide goes through `size_one`.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from nt_ray.backtest.simulator import LARGEST_QUANTA
from nt_ray.backtest.sweep.account import UNIT, execute, note, observe
from nt_ray.backtest.sweep.crossing import trace
from nt_ray.backtest.sweep.prefetch import prefetch
from nt_ray.backtest.sweep.stretch import BLOCK, stay, turn
from nt_ray.backtest.sweep.totals import (
    BAD_CONFIDENCE,
    BAD_TARGET,
    DOWNSIDE,
    DRAWDOWN,
    EQUITY,
    FEES,
    FINAL,
    HELD,
    RETURNS,
    ROW,
    RUINED,
    SQUARES,
    STATUS,
    TOO_LARGE,
    TRADED,
    TRADES,
)
from nt_ray.portfolio.sizing import size_one
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE
from nt_ray.types import ByteArray, FloatArray, IntArray, WordArray

MARGIN: Final = 1e-9
"""Far above the rounding of a weight, far below any band that matters."""


@njit(forceinline=True)
def run_single(  # noqa: C901  one pass over the bars, and part of its caller: calls with arrays count references
    step: Any,
    params: FloatArray,
    state: FloatArray,
    bar: FloatArray,
    targets: FloatArray,
    values: FloatArray,
    entries: IntArray,
    most: IntArray,
    least: int,
    marks: IntArray,
    closes: FloatArray,
    volatility: FloatArray,
    unit: int,
    lot_size: float,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    votes: ByteArray,
    words: WordArray,
    room: FloatArray,
    fills: IntArray,
    whole: IntArray,
    real: FloatArray,
) -> None:
    """Run one account of one symbol; write its totals to `whole` and `real`, which hold zeros.

    Executions go to `fills`, as many as it has rows. Where there are `votes` (`crossing.trace`; `words` are the same
    bytes), they are followed and no step is called.
    """
    target_volatility, max_weight, max_position, max_gross, max_net, band = sizing
    limits = (target_volatility, max_weight, max_position, max_gross, max_net, band)
    scaled = target_volatility != np.inf
    bounded = max_position != np.inf
    limit = min(max_weight, max_gross, max_net)
    tolerance = band - MARGIN
    rates = (costs[0], costs[1], costs[2], costs[3], costs[4])
    bars = closes.shape[0]
    shared = votes.shape[0] > 0
    steady = shared and not scaled and not bounded and bars > BLOCK
    below = -params[2] if shared else 0.0
    cash, equity = initial_cash, initial_cash
    lots, order, trades, fees, held, idle = 0, 0, 0, 0, 0, 0
    previous, peak = float(cash), float(cash)
    returns, squares, downside, drawdown, traded, area = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    exposure = np.nan
    alive = True
    # Rows from which on the vote is another one: of the present stretch, and of the one after it.
    end, later = 0, turn(words, 0) if shared else 0
    row = -1
    while row + 1 < bars:
        row += 1
        moved = lots != 0
        if order != 0:
            # Most orders are smaller than what any bar fills: they need not look this bar's up.
            cap = least if abs(order) <= least else most[row]
            filled, notional, fee = execute(order, entries[row], cap, unit, rates)
            if filled != 0:
                note(fills, trades, row, 0, filled, notional, unit, fee)
                cash -= (notional if filled > 0 else -notional) + fee
                lots += filled
                trades += 1
                fees += fee
                traded += float(notional)
                moved = True
        if moved:
            if idle != 0:
                area += float(equity) * idle
                idle = 0
            equity = cash
            size = abs(float(cash))
            if lots != 0:
                held += 1
                equity += lots * marks[row] * unit
                size += abs(float(lots) * float(marks[row]) * float(unit))
            if size >= LARGEST_QUANTA:
                whole[STATUS], whole[ROW] = TOO_LARGE, row
                break
            alive = alive and equity > 0
            if alive:
                previous, peak, returns, squares, downside, drawdown = observe(
                    equity, previous, peak, returns, squares, downside, drawdown
                )
            elif equity < peak * (1.0 + drawdown):
                drawdown = equity / peak - 1.0
            area += float(equity)
        else:
            idle += 1
        if shared:
            if row == end:
                end = later
                later = turn(words, end) if end < bars else bars
                prefetch(entries, later + 1)
                prefetch(marks, later + 1)
                prefetch(closes, later + 1)
            vote = votes[row]
            exposure = 1.0 if vote > 0 else (below if vote < 0 else 0.0)
            if lots == 0 and exposure == 0.0:
                # Nothing can happen before the vote changes, and most bars of most runs are such ones.
                idle += end - 1 - row
                row, order = end - 1, 0
                continue
        else:
            targets[0] = 0.0
            for field in range(bar.shape[1]):
                bar[0, field] = values[row, 0, field]
            confidence = step(state, bar, params, targets)
            if not 0.0 <= confidence <= 1.0:
                whole[STATUS], whole[ROW] = BAD_CONFIDENCE, row
                break
            if confidence > 0.0 and not -1.0 <= targets[0] <= 1.0:
                whole[STATUS], whole[ROW] = BAD_TARGET, row
                break
            exposure = np.nan
            if np.rint(confidence * WEIGHT_ONE) != 0.0:
                exposure = np.rint(targets[0] * TARGET_ONE) / TARGET_ONE
        order = 0
        if exposure == 0.0 and lots == 0:
            continue
        account = equity * UNIT
        if np.isnan(exposure) and account > 0.0:
            continue
        price = closes[row]
        value = lots * lot_size * price
        weight = exposure
        if scaled:
            weight = exposure * target_volatility / volatility[row, 0] if volatility[row, 0] > 0.0 else 0.0
        cap = min(limit, max_position / account) if bounded else limit
        weight = min(max(weight, -cap), cap)
        if weight * value >= 0.0 and weight != 0.0 and abs(weight * account - value) < tolerance * account:
            if steady and lots != 0 and alive:
                ceiling = (LARGEST_QUANTA - abs(float(cash))) * (UNIT / 4.0)
                factor = lots * unit
                last, peak, returns, squares, downside, drawdown, area = stay(
                    row, end, marks, closes, room, weight, tolerance, lots * lot_size, factor, cash,
                    ceiling, peak, returns, squares, downside, drawdown, area,
                )  # fmt: skip
                held += last - row
                row, equity = last, cash + factor * marks[last]
                previous = float(equity)
            continue
        if lots == 0 and abs(weight * account) < (1.0 - MARGIN) * lot_size * price and account > 0.0:
            # Not enough for one lot.
            continue
        spread = volatility[row, 0] if scaled else 1.0
        order = size_one(exposure, price, spread, lots, lot_size, equity, limits) - lots
    whole[FINAL], whole[TRADES], whole[FEES], whole[HELD] = equity, trades, fees, held
    whole[RUINED] = 0 if alive else 1
    real[RETURNS], real[SQUARES], real[DOWNSIDE], real[DRAWDOWN] = returns, squares, downside, drawdown
    real[TRADED], real[EQUITY] = traded, area + float(equity) * idle


@njit(nogil=True)
def run_singles(step: Any, inputs: tuple[Any, ...]) -> None:
    """Run every combination on every symbol: a symbol's bars stay in the cache while the combinations go over them."""
    (
        params, sizes, values, entries, most, least, marks, closes, volatility, units, lot_sizes, costs, sizing, cash,
        sums, counts, fills, whole, real,
    ) = inputs  # fmt: skip
    bar, targets, memory = np.empty((1, values.shape[3])), np.empty(1), np.zeros(sizes.max())
    bars, shared = closes.shape[1], sums.shape[1] > 0
    words, room = np.zeros((bars >> 3) + 1 if shared else 0, dtype=np.uint64), np.empty((2, BLOCK))
    votes = words.view(np.int8)
    for g in range(closes.shape[0]):
        entry, cap, mark = entries[g].reshape(bars), most[g].reshape(bars), marks[g].reshape(bars)
        close = closes[g].reshape(bars)
        for k in range(params.shape[0]):
            state = memory[: sizes[k]]
            state[:] = 0.0
            if shared:
                trace(sums[g], counts[g], int(params[k, 0]), int(params[k, 1]), votes)
            run_single(
                step, params[k], state, bar, targets, values[g], entry, cap, least[g, 0], mark, close, volatility[g],
                units[g, 0], lot_sizes[g, 0], costs[g, 0], sizing, cash, votes, words, room, fills,
                whole[k, g], real[k, g],
            )  # fmt: skip
