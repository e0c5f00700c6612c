"""Steps of one account of a sweep: an execution, its note, and the sums in which an equity curve is kept.

Matching is done by the very functions that the simulator calls. Nothing here is compiled by itself: these functions
become part of whichever kernel calls them (`kernels.py`), so they carry no signature.
"""

from typing import Final

from numba import njit

from nt_ray.backtest.simulator import COLUMN, COMMISSION, LOTS, ROW, SIDE, TICKS
from nt_ray.brokers.simulated import matching
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.types import IntArray

UNIT: Final = 1e-8
"""Money of one quantum."""


@njit(nogil=True)
def execute(order: int, first: int, most: int, unit: int, costs: tuple[int, ...]) -> tuple[int, int, int]:
    """Signed lots filled, notional and commission in quanta of a market order on a bar.

    `first` and `most` are `SweepTape.entries` and `SweepTape.most` of the bar, `unit` is quanta of a tick times a lot.
    """
    rate, per_lot, minimum, slippage, _ = costs
    side = 1 if order > 0 else -1
    filled = min(side * order, most)
    if first == UNKNOWN_PRICE or filled == 0:
        return 0, 0, 0
    notional = matching.slipped(first, side, slippage) * filled * unit
    return side * filled, notional, matching.commission_at(notional, filled, rate, per_lot, minimum)


@njit(forceinline=True)
def note(fills: IntArray, count: int, row: int, column: int, filled: int, notional: int, unit: int, fee: int) -> None:
    """Keep an execution, as `BacktestResult.executions` has it, where there is room."""
    if count < fills.shape[0]:
        lots = abs(filled)
        fills[count, ROW], fills[count, COLUMN], fills[count, SIDE] = row, column, 1 if filled > 0 else -1
        fills[count, LOTS], fills[count, TICKS], fills[count, COMMISSION] = lots, notional // (lots * unit), fee


@njit(forceinline=True)
def add(change: float, returns: float, squares: float, downside: float) -> tuple[float, float, float]:
    """Take in the return of a bar: the last three arguments afterwards."""
    loss = min(change, 0.0)
    return returns + change, squares + change * change, downside + loss * loss


@njit(forceinline=True)
def deepen(value: float, peak: float, drawdown: float) -> tuple[float, float]:
    """Take in the equity after a bar: the last two arguments afterwards."""
    if value > peak:
        peak = value
    elif value < peak * (1.0 + drawdown):
        drawdown = value / peak - 1.0
    return peak, drawdown


@njit(forceinline=True)
def observe(
    equity: int, previous: float, peak: float, returns: float, squares: float, downside: float, drawdown: float
) -> tuple[float, float, float, float, float, float]:
    """Take in the equity after a bar: the last six arguments afterwards."""
    value = float(equity)
    returns, squares, downside = add(value / previous - 1.0, returns, squares, downside)
    peak, drawdown = deepen(value, peak, drawdown)
    return value, peak, returns, squares, downside, drawdown
