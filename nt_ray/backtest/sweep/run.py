"""One account of a sweep: a strategy over one group of symbols, from the first bar to the last, keeping totals only.

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
from nt_ray.brokers.simulated import matching
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.portfolio.sizing import size_into
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE
from nt_ray.types import FloatArray, IntArray

WRONG_TARGET: Final = 2.0
WRONG_CONFIDENCE: Final = 3.0
UNIT: Final = 1e-8
MARGIN: Final = 1e-9
"""Far above the rounding of a weight, far below any band that matters."""


@njit(forceinline=True)
def ask(
    step: Any,
    row: int,
    params: FloatArray,
    state: FloatArray,
    bar: FloatArray,
    targets: FloatArray,
    values: FloatArray,
) -> float:
    """Run a step; 0 where `targets` now are exposures, else NaN (it abstains) or `WRONG_...`."""
    for i in range(bar.shape[0]):
        targets[i] = 0.0
        for field in range(bar.shape[1]):
            bar[i, field] = values[row, i, field]
    confidence = step(state, bar, params, targets)
    if not 0.0 <= confidence <= 1.0:
        return WRONG_CONFIDENCE
    for i in range(bar.shape[0]):
        if confidence > 0.0 and not -1.0 <= targets[i] <= 1.0:
            return WRONG_TARGET
    return np.nan if np.rint(confidence * WEIGHT_ONE) == 0.0 else 0.0


@njit(forceinline=True)
def rounded(target: float) -> float:
    """Target in the fixed point in which votes travel."""
    return float(np.rint(target * TARGET_ONE) / TARGET_ONE)


@njit(nogil=True)
def execute(
    order: int,
    row: int,
    i: int,
    ticks: IntArray,
    values: FloatArray,
    facts: IntArray,
    lot_size: float,
    costs: IntArray,
    bar: IntArray,
) -> tuple[int, int, int]:
    """Signed lots filled, notional and commission in quanta of a market order; `facts`: unit, close-only."""
    side = 1 if order > 0 else -1
    for field in range(4):
        bar[field] = ticks[row, i, field]
    price = matching.fill_price(bar, facts[i, 1] != 0, side, matching.NO_LIMIT, costs)
    if price == UNKNOWN_PRICE:
        return 0, 0, 0
    filled = matching.fill_lots(side * order, values[row, i, 4], lot_size, costs[4])
    if filled == 0:
        return 0, 0, 0
    notional = price * filled * facts[i, 0]
    return side * filled, notional, matching.commission(notional, filled, costs)


@njit(forceinline=True)
def observe(
    equity: int, previous: float, peak: float, returns: float, squares: float, downside: float, drawdown: float
) -> tuple[float, float, float, float, float, float]:
    """Take in the equity after a bar: the last six arguments afterwards."""
    value = float(equity)
    change = value / previous - 1.0
    loss = min(change, 0.0)
    if value > peak:
        peak = value
    elif value < peak * (1.0 + drawdown):
        drawdown = value / peak - 1.0
    return value, peak, returns + change, squares + change * change, downside + loss * loss, drawdown


@njit(forceinline=True)
def told(sums: IntArray, known: int, fast: int, slow: int, short: float, last: float) -> float:
    """Vote of a crossover after so many known closes, from their sums; NaN before the slow mean is known."""
    if known < slow:
        return np.nan
    newest = sums[known]
    position = 0.0 if np.isnan(last) else last
    above, below = (newest - sums[known - fast]) * slow, (newest - sums[known - slow]) * fast
    return 1.0 if above > below else (-short if above < below else position)


@njit(nogil=True)
def run_single(  # noqa: C901  one pass over the bars: a function for a part of it would count references on each
    step: Any,
    params: FloatArray,
    state: FloatArray,
    bar: FloatArray,
    targets: FloatArray,
    values: FloatArray,
    ticks: IntArray,
    marks: IntArray,
    closes: FloatArray,
    volatility: FloatArray,
    facts: IntArray,
    lot_size: float,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    sums: IntArray,
    counts: IntArray,
    whole: IntArray,
    real: FloatArray,
) -> None:
    """Run one account of one symbol; write its totals to `whole` and `real`, which hold zeros."""
    target_volatility, max_weight, max_position, max_gross, max_net, band = sizing
    scaled = target_volatility != np.inf
    bounded = max_position != np.inf
    limit = min(max_weight, max_gross, max_net)
    tolerance = band - MARGIN
    unit = facts[0, 0]
    tape_bar = np.empty(4, dtype=np.int64)
    one_exposure, one_price, one_volatility, one_size = np.empty(1), np.empty(1), np.ones(1), np.full(1, lot_size)
    one_lot, one_target, weights = np.empty(1, dtype=np.int64), np.empty(1, dtype=np.int64), np.empty(1)
    bars = closes.shape[0]
    shared = counts.shape[0] > 0
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
            filled, notional, fee = execute(order, row, 0, ticks, values, facts, lot_size, costs, tape_bar)
            if filled != 0:
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
                equity += lots * marks[row, 0] * unit
                size += abs(float(lots) * float(marks[row, 0]) * float(unit))
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
            exposure = told(sums, counts[row], fast, slow, short, exposure)
            if lots == 0:
                # Nothing can happen before the vote changes, and most bars of most runs are such ones.
                while exposure == 0.0 and row + 1 < bars:
                    row += 1
                    area += equity
                    exposure = told(sums, counts[row], fast, slow, short, exposure)
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
        price = closes[row, 0]
        value = lots * lot_size * price
        weight = exposure
        if scaled:
            weight = exposure * target_volatility / volatility[row, 0] if volatility[row, 0] > 0.0 else 0.0
        cap = min(limit, max_position / account) if bounded else limit
        weight = min(max(weight, -cap), cap)
        if weight * value >= 0.0 and weight != 0.0 and abs(weight * account - value) < tolerance * account:
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
def run_group(  # noqa: C901  as above
    step: Any,
    params: FloatArray,
    state: FloatArray,
    bar: FloatArray,
    targets: FloatArray,
    values: FloatArray,
    ticks: IntArray,
    marks: IntArray,
    closes: FloatArray,
    volatility: FloatArray,
    facts: IntArray,
    lot_sizes: FloatArray,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    whole: IntArray,
    real: FloatArray,
) -> None:
    """Run one account of several symbols; write its totals to `whole` and `real`, which hold zeros."""
    bars, n = closes.shape
    scaled = sizing[0] != np.inf
    tape_bar = np.empty(4, dtype=np.int64)
    exposures, weights = np.full(n, np.nan), np.empty(n)
    prices, volatilities = np.empty(n), np.ones(n)
    lots, wanted, orders = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    cash, equity = initial_cash, initial_cash
    previous, peak = float(cash), float(cash)
    returns, squares, downside, drawdown = 0.0, 0.0, 0.0, 0.0
    alive = True
    for row in range(bars):
        for i in range(n):
            if orders[i] == 0:
                continue
            filled, notional, fee = execute(orders[i], row, i, ticks, values, facts, lot_sizes[i], costs[i], tape_bar)
            if filled != 0:
                cash -= (notional if filled > 0 else -notional) + fee
                lots[i] += filled
                whole[TRADES] += 1
                whole[FEES] += fee
                real[TRADED] += float(notional)
        equity = cash
        size = abs(float(cash))
        open_positions = 0
        for i in range(n):
            if lots[i] != 0:
                open_positions = 1
                size += abs(float(lots[i]) * float(marks[row, i]) * float(facts[i, 0]))
                equity += lots[i] * marks[row, i] * facts[i, 0]
        if size >= LARGEST_QUANTA:
            whole[STATUS], whole[ROW] = TOO_LARGE, row
            break
        whole[HELD] += open_positions
        alive = alive and equity > 0
        if alive:
            previous, peak, returns, squares, downside, drawdown = observe(
                equity, previous, peak, returns, squares, downside, drawdown
            )
        elif equity < peak * (1.0 + drawdown):
            drawdown = equity / peak - 1.0
        real[EQUITY] += equity
        code = ask(step, row, params, state, bar, targets, values)
        if code >= WRONG_TARGET:
            whole[STATUS] = BAD_TARGET if code == WRONG_TARGET else BAD_CONFIDENCE
            whole[ROW] = row
            break
        for i in range(n):
            exposures[i] = code if np.isnan(code) else rounded(targets[i])
            prices[i] = closes[row, i]
            if scaled:
                volatilities[i] = volatility[row, i]
        size_into(exposures, prices, volatilities, lots, lot_sizes, equity, sizing, weights, wanted)
        for i in range(n):
            orders[i] = wanted[i] - lots[i]
    whole[FINAL] = equity
    whole[RUINED] = 0 if alive else 1
    real[RETURNS], real[SQUARES], real[DOWNSIDE], real[DRAWDOWN] = returns, squares, downside, drawdown


@njit(nogil=True)
def run_singles(step: Any, inputs: tuple[Any, ...]) -> None:
    """Run every combination on every symbol: a symbol's bars stay in the cache while the combinations go over them."""
    (
        params, sizes, values, ticks, marks, closes, volatility, facts, lot_sizes, costs, sizing, cash, sums, counts,
        whole, real,
    ) = inputs  # fmt: skip
    bar, targets, memory = np.empty((1, values.shape[3])), np.empty(1), np.zeros(sizes.max())
    for g in range(closes.shape[0]):
        for k in range(params.shape[0]):
            state = memory[: sizes[k]]
            state[:] = 0.0
            run_single(
                step, params[k], state, bar, targets, values[g], ticks[g], marks[g], closes[g], volatility[g], facts[g],
                lot_sizes[g, 0], costs[g, 0], sizing, cash, sums[g], counts[g], whole[k, g], real[k, g],
            )  # fmt: skip


@njit(nogil=True)
def run_groups(step: Any, inputs: tuple[Any, ...]) -> None:
    """Run every combination on every group of symbols."""
    (
        params, sizes, values, ticks, marks, closes, volatility, facts, lot_sizes, costs, sizing, cash, _, _,
        whole, real,
    ) = inputs  # fmt: skip
    width = closes.shape[2]
    bar, targets, memory = np.empty((width, values.shape[3])), np.empty(width), np.zeros(sizes.max())
    for g in range(closes.shape[0]):
        for k in range(params.shape[0]):
            state = memory[: sizes[k]]
            state[:] = 0.0
            run_group(
                step, params[k], state, bar, targets, values[g], ticks[g], marks[g], closes[g], volatility[g], facts[g],
                lot_sizes[g], costs[g], sizing, cash, whole[k, g], real[k, g],
            )  # fmt: skip
