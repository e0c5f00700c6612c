"""One run of a sweep with its record: every execution, and cash, equity and positions after every bar.

The run goes through the sweep's own kernel, which besides its totals notes executions; what an account held between
two executions follows from them and the marks. The record is the one that `backtest` makes, to the last quantum.
"""

from dataclasses import replace

import numpy as np
from numba import int64, njit, types, void

from nt_ray.backtest.simulator import BacktestResult
from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.chunk import run_recorded
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.space import SweepError
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.types import IntArray


def record(plan: SweepPlan, combination: int, group: int = 0, tape: SweepTape | None = None) -> BacktestResult:
    """Run one account of a plan and keep its record.

    Parameters
    ----------
    plan
        The sweep.
    combination, group
        Which of its accounts, counted from 0.
    tape
        `plan.tape()` where it is at hand; only the group's own bars are laid out where it is not.

    Returns
    -------
    Record over the group's symbols. Raises `SweepError` where there is no such account or its run fails.
    """
    if not (0 <= combination < plan.combinations and 0 <= group < len(plan.columns)):
        raise SweepError(
            f"There is no run of combination {combination} on group {group}. There are "
            f"{plan.combinations} combinations on {len(plan.columns)} groups, counted from 0."
        )
    symbols = tuple(plan.panel.symbols[c] for c in plan.columns[group])
    panel = plan.panel if symbols == tuple(plan.panel.symbols) else plan.panel.select(symbols)
    own = tape.of_group(group) if tape is not None else replace(plan, panel=panel, groups=None).tape()
    work = plan.work(combination, combination + 1)
    found, executions = run_recorded(plan.strategy, own, work)
    if found.whole[0, 0, totals.STATUS] != totals.FINE:
        raise SweepError(f"Combination {combination} on group {group} failed. {plan.failure(work, found, 0, 0)}")
    shape = own.marks.shape[1:]
    equity, cash = np.empty(shape[0], dtype=np.int64), np.empty(shape[0], dtype=np.int64)
    positions = np.empty(shape, dtype=np.int64)
    _account(executions, own.marks[0], own.units[0].copy(), own.cash, equity, cash, positions)
    return BacktestResult(panel, executions, equity, cash, positions)


@njit(
    void(
        int64[:, ::1], types.Array(int64, 2, "C", readonly=True), int64[::1], int64, int64[::1], int64[::1],
        int64[:, ::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _account(
    executions: IntArray,
    marks: IntArray,
    units: IntArray,
    cash: int,
    equity: IntArray,
    balance: IntArray,
    positions: IntArray,
) -> None:
    """Fill the last three from one execution's bar to the next one's."""
    bars, width = marks.shape
    lots = np.zeros(width, dtype=np.int64)
    done, first = 0, 0
    while first < bars:
        while done < executions.shape[0] and executions[done, 0] == first:
            column, signed, fee = executions[done, 1], executions[done, 2] * executions[done, 3], executions[done, 5]
            cash -= signed * executions[done, 4] * units[column] + fee
            lots[column] += signed
            done += 1
        last = executions[done, 0] if done < executions.shape[0] else bars
        equity[first:last] = cash
        balance[first:last] = cash
        for i in range(width):
            factor = lots[i] * units[i]
            for row in range(first, last):
                positions[row, i] = lots[i]
                equity[row] += factor * marks[row, i]
        first = last
