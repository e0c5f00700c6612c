"""One account of a sweep: a strategy over one symbol, from the first bar to the last, keeping totals only.

The order of events on a bar is the simulator's own: match, mark, vote, size, order; sizing and matching are the very
functions it calls. Nothing here is compiled by itself: these functions take the strategy's step either as a value
or as a constant and become part of whichever kernel calls them (`kernels.py`), so they carry no signature.

A bar on which the present position already is the wanted one is recognised by a few multiplications; whatever is so
near a limit that rounding could decide goes through `size_into`.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from nt_ray.backtest.simulator import LARGEST_QUANTA
from nt_ray.backtest.sweep.account import UNIT, execute, note, observe
from nt_ray.backtest.sweep.stretch import stay_in, stay_out, told
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
from nt_ray.portfolio.sizing import size_into
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE
from nt_ray.types import FloatArray, IntArray

MARGIN: Final = 1e-9
"""Far above the rounding of a weight, far below any band that matters."""


@njit(nogil=True)
def run_single(  # noqa: C901  one pass over the bars: a function for a part of it would count references on each
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
    sums: IntArray,
    counts: IntArray,
    fills: IntArray,
    whole: IntArray,
    real: FloatArray,
) -> None:
    """Run one account of one symbol; write its totals to `whole` and `real`, which hold zeros.

    Executions go to `fills`, as many as it has rows.
    """
    target_volatility, max_weight, max_position, max_gross, max_net, band = sizing
    scaled = target_volatility != np.inf
    bounded = max_position != np.inf
    limit = min(max_weight, max_gross, max_net)
    tolerance = band - MARGIN
    rates = (costs[0], costs[1], costs[2], costs[3], costs[4])
    steady = sums.shape[0] > 0 and not scaled and not bounded
    one_exposure, one_price, one_volatility, one_size = np.empty(1), np.empty(1), np.ones(1), np.full(1, lot_size)
    one_lot, one_target, weights = np.empty(1, dtype=np.int64), np.empty(1, dtype=np.int64), np.empty(1)
    bars = closes.shape[0]
    shared, holes = sums.shape[0] > 0, counts.shape[0] > 0
    fast, slow, short = (int(params[0]), int(params[1]), params[2]) if shared else (0, 0, 0.0)
    cash, equity = initial_cash, initial_cash
    lots, order, trades, fees, held = 0, 0, 0, 0, 0
    previous, peak = float(cash), float(cash)
    returns, squares, downside, drawdown, traded, area = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    exposure = np.nan
    alive = True
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
        area += equity
        if shared:
            known = counts[row] if holes else row + 1
            exposure = told(sums, known, fast, slow, short, exposure)
            if lots == 0 and exposure == 0.0:
                # Nothing can happen before the vote changes, and most bars of most runs are such ones.
                row, area = stay_out(row, sums, counts, entries, fast, slow, short != 0.0, equity, area)
                order = 0
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
                last, worth, previous, peak, returns, squares, downside, drawdown, area = stay_in(
                    row, sums, known, entries, marks, closes, fast, slow, weight, tolerance, lots * lot_size,
                    lots * unit, cash, ceiling, previous, peak, returns, squares, downside, drawdown, area,
                )  # fmt: skip
                if last > row:
                    held += last - row
                    row, equity = last, worth
            continue
        if lots == 0 and abs(weight * account) < (1.0 - MARGIN) * lot_size * price and account > 0.0:
            # Not enough for one lot.
            continue
        one_exposure[0], one_price[0], one_lot[0] = exposure, price, lots
        if scaled:
            one_volatility[0] = volatility[row, 0]
        size_into(one_exposure, one_price, one_volatility, one_lot, one_size, equity, sizing, weights, one_target)
        order = one_target[0] - lots
    whole[FINAL], whole[TRADES], whole[FEES], whole[HELD] = equity, trades, fees, held
    whole[RUINED] = 0 if alive else 1
    real[RETURNS], real[SQUARES], real[DOWNSIDE], real[DRAWDOWN] = returns, squares, downside, drawdown
    real[TRADED], real[EQUITY] = traded, area


@njit(nogil=True)
def run_singles(step: Any, inputs: tuple[Any, ...]) -> None:
    """Run every combination on every symbol: a symbol's bars stay in the cache while the combinations go over them."""
    (
        params, sizes, values, entries, most, least, marks, closes, volatility, units, lot_sizes, costs, sizing, cash,
        sums, counts, fills, whole, real,
    ) = inputs  # fmt: skip
    bar, targets, memory = np.empty((1, values.shape[3])), np.empty(1), np.zeros(sizes.max())
    bars = closes.shape[1]
    for g in range(closes.shape[0]):
        entry, cap, mark = entries[g].reshape(bars), most[g].reshape(bars), marks[g].reshape(bars)
        close = closes[g].reshape(bars)
        for k in range(params.shape[0]):
            state = memory[: sizes[k]]
            state[:] = 0.0
            run_single(
                step, params[k], state, bar, targets, values[g], entry, cap, least[g, 0], mark, close, volatility[g],
                units[g, 0], lot_sizes[g, 0], costs[g, 0], sizing, cash, sums[g], counts[g], fills, whole[k, g],
                real[k, g],
            )  # fmt: skip
