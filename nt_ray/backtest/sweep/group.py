"""One account of a sweep: a strategy over a group of symbols, from the first bar to the last, keeping totals only.

The order of events on a bar is the simulator's own: match, mark, vote, size, order; sizing and matching are the very
functions it calls. Nothing here is compiled by itself: these functions take the strategy's step either as a value
or as a constant and become part of whichever kernel calls them (`kernels.py`), so they carry no signature.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from nt_ray.backtest.simulator import LARGEST_QUANTA
from nt_ray.backtest.sweep.account import execute, note, observe
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

WRONG_TARGET: Final = 2.0
WRONG_CONFIDENCE: Final = 3.0


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
def run_group(  # noqa: C901  as above
    step: Any,
    params: FloatArray,
    state: FloatArray,
    bar: FloatArray,
    targets: FloatArray,
    values: FloatArray,
    entries: IntArray,
    most: IntArray,
    marks: IntArray,
    closes: FloatArray,
    volatility: FloatArray,
    units: IntArray,
    lot_sizes: FloatArray,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    fills: IntArray,
    whole: IntArray,
    real: FloatArray,
) -> None:
    """Run one account of several symbols; write its totals to `whole` and `real`, which hold zeros.

    Executions go to `fills`, as many as it has rows.
    """
    bars, n = closes.shape
    scaled = sizing[0] != np.inf
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
            rates = (costs[i, 0], costs[i, 1], costs[i, 2], costs[i, 3], costs[i, 4])
            filled, notional, fee = execute(orders[i], entries[row, i], most[row, i], units[i], rates)
            if filled != 0:
                note(fills, whole[TRADES], row, i, filled, notional, units[i], fee)
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
                size += abs(float(lots[i]) * float(marks[row, i]) * float(units[i]))
                equity += lots[i] * marks[row, i] * units[i]
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
def run_groups(step: Any, inputs: tuple[Any, ...]) -> None:
    """Run every combination on every group of symbols."""
    (
        params, sizes, values, entries, most, _, marks, closes, volatility, units, lot_sizes, costs, sizing, cash, _, _,
        fills, whole, real,
    ) = inputs  # fmt: skip
    width = closes.shape[2]
    bar, targets, memory = np.empty((width, values.shape[3])), np.empty(width), np.zeros(sizes.max())
    for g in range(closes.shape[0]):
        for k in range(params.shape[0]):
            state = memory[: sizes[k]]
            state[:] = 0.0
            run_group(
                step, params[k], state, bar, targets, values[g], entries[g], most[g], marks[g], closes[g],
                volatility[g], units[g], lot_sizes[g], costs[g], sizing, cash, fills, whole[k, g], real[k, g],
            )  # fmt: skip
