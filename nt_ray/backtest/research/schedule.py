"""A schedule: one account that trades one strategy and changes its parameters at given rows.

This is what somebody does who fits anew every so often: positions are carried over, and the turn from the old
parameters' positions to the new ones' pays its costs. Order of events, sizing and matching are those of
`nt_ray.backtest.simulator`, whose kernels run here, so one stretch over the whole panel is that backtest to the
last quantum. Before a stretch begins, its strategy sees `warm` rows without trading, so its memory is full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numba import boolean, float64, int64, njit, types

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.training import Training
from nt_ray.backtest.simulator import LARGEST_QUANTA, Tape, cash_quanta, decide, marked, match_bar, with_room
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams, target_lots, volatility_path
from nt_ray.strategies.base import STEP_TYPE, Strategy
from nt_ray.strategies.fault import StepError, find_fault, located
from nt_ray.strategies.inputs import input_values
from nt_ray.types import QUANTA_PER_UNIT, BoolArray, FloatArray, IntArray

_TOO_LARGE = 3.0
_FIRST_CAPACITY = 256


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Rows first..after-1 whose returns these parameters earn; they decide from the row before."""

    params: FloatArray
    first: int
    after: int


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What an account has done. Row i of the arrays is row `first` - 1 + i of the panel: the opening comes first."""

    first: int
    equity_quanta: IntArray
    """(after - first + 1,), the opening cash first."""
    positions: IntArray
    """(after - first + 1, N) lots after each row."""
    executions: IntArray
    """(F, 6) as in `BacktestResult.executions`, rows of the panel."""

    @property
    def equity(self) -> FloatArray:
        """Equity in units of currency, the opening cash first."""
        return self.equity_quanta / QUANTA_PER_UNIT


class Stage:
    """A panel made ready once, on which many schedules run; safe to use from several threads."""

    def __init__(self, panel: BarPanel, strategy: Strategy, *, sizing: SizingParams, costs: Costs, cash: Decimal):
        if len(panel) < 2:
            raise ResearchError(f"Panel {panel.name!r} has {len(panel)} bars. Give at least 2.")
        columns = len(panel.symbols) - len(panel.symbols) % strategy.width
        if columns == 0:
            raise StrategyError(
                f"{strategy.name} looks at {strategy.width} symbols at a time; the panel has {len(panel.symbols)}. "
                "Give more symbols."
            )
        self.panel = panel
        self.strategy = strategy
        self.cash = cash_quanta(cash)
        self._groups = np.arange(columns, dtype=np.int64).reshape(-1, strategy.width)
        self._values = input_values(strategy, panel)
        self._tape = Tape.of(panel, costs)
        self._marks = self._tape.marks()
        self._volatility = volatility_path(self._tape.closes, panel.periods_per_year, sizing.volatility_halflife)
        self._sizing = sizing.vector()
        self.training = Training.of(panel, strategy, self._groups, sizing, costs, self.cash)
        """Scores many candidates of a window at once; None where the account holds several groups."""

    def run(self, stretches: Sequence[Stretch], *, warm: int) -> Course:
        """Run contiguous stretches on one account that opens flat.

        Parameters
        ----------
        stretches
            In order, each beginning where the one before ends; the first begins at row 1 or later.
        warm
            Rows before a stretch's first decision that its strategy sees without trading, as far as there are
            any.
        """
        _check(stretches, len(self.panel))
        tape, strategy = self._tape, self.strategy
        first, after = stretches[0].first, stretches[-1].after
        rows = np.array([(max(s.first - 1 - warm, 0), s.first - 1, s.after - 1) for s in stretches], dtype=np.int64)
        params = np.array([s.params for s in stretches], dtype=np.float64)
        sizes = np.array([strategy.state_size(s.params) for s in stretches], dtype=np.int64)
        equity = np.zeros(after - first + 1, dtype=np.int64)
        positions = np.zeros((len(equity), len(self.panel.symbols)), dtype=np.int64)
        failure = np.zeros(4)
        with located(lambda: self._fault(stretches, rows)):
            executions = _perform(
                strategy.step, params, sizes, rows, self._groups,
                self._values, tape.ticks, self._marks, tape.volumes, tape.closes, self._volatility,
                tape.close_only, tape.units, tape.lot_sizes, tape.costs, self._sizing, self.cash,
                equity, positions, failure,
            )  # fmt: skip
        if failure[0] == _TOO_LARGE:
            when = self.panel.time(int(failure[1])).isoformat()
            raise StrategyError(f"{strategy.name}: the account outgrows its scale at {when}. Use less cash.")
        if failure[0] != 0.0:
            raise self._fault(stretches, rows) or StepError(f"{strategy.name} gave {failure[3]:g}. Mend the step.")
        return Course(first, equity, positions, executions)

    def _fault(self, stretches: Sequence[Stretch], rows: IntArray) -> StepError | None:
        """Fault of the first stretch whose step goes wrong; the kernel does not know at which bar one raised."""
        for stretch, (warm, _, after) in zip(stretches, rows.tolist(), strict=True):
            groups = self._groups.tolist()
            found = find_fault(self.strategy, stretch.params, self.panel, groups, first=warm, after=after)
            if found is not None:
                return found
        return None


def _check(stretches: Sequence[Stretch], rows: int) -> None:
    if not stretches:
        raise ResearchError("The schedule is empty. Give at least one stretch.")
    at = stretches[0].first
    for s in stretches:
        if s.first != at or not 1 <= s.first < s.after <= rows:
            raise ResearchError(
                f"The stretch of rows {s.first} to {s.after} does not fit. "
                f"Stretches follow one another within rows 1 to {rows}."
            )
        at = s.after


@njit(
    int64[:, ::1](
        STEP_TYPE, float64[:, ::1], int64[::1], int64[:, ::1], int64[:, ::1],
        types.Array(float64, 3, "C", readonly=True), int64[:, :, ::1], int64[:, ::1], float64[:, ::1],
        float64[:, ::1], float64[:, ::1], boolean[::1], int64[::1], float64[::1], int64[:, ::1], float64[::1],
        int64, int64[::1], int64[:, ::1], float64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _perform(
    step: Any,
    params: FloatArray,
    sizes: IntArray,
    rows: IntArray,
    groups: IntArray,
    values: FloatArray,
    ticks: IntArray,
    marks: IntArray,
    volumes: FloatArray,
    closes: FloatArray,
    volatility: FloatArray,
    close_only: BoolArray,
    units: IntArray,
    lot_sizes: FloatArray,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    equity: IntArray,
    positions: IntArray,
    failure: FloatArray,
) -> IntArray:
    """Run the schedule; write the last three arguments, return the executions.

    `rows` (S, 3): first warm row, first deciding row, one past the last deciding row of each stretch.
    """
    n = closes.shape[1]
    cash = np.full(1, initial_cash, dtype=np.int64)
    lots, orders = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    exposures = np.full(n, np.nan)
    executions = np.zeros((_FIRST_CAPACITY, 6), dtype=np.int64)
    count = 0
    opening = rows[0, 1]
    equity[0] = initial_cash
    for k in range(rows.shape[0]):
        states = np.zeros((groups.shape[0], sizes[k]))
        exposures[:] = np.nan
        for row in range(rows[k, 0], rows[k, 2]):
            decide(step, params[k], states, groups, row, values, exposures, failure)
            if failure[0] != 0.0:
                return executions[:count].copy()
            if row < rows[k, 1]:
                continue
            at = row - opening
            orders[:] = target_lots(exposures, closes[row], volatility[row], lots, lot_sizes, equity[at], sizing) - lots
            executions = with_room(executions, count + n)
            count += match_bar(
                row + 1, ticks, volumes, close_only, units, lot_sizes, costs, orders, lots, cash, executions[count:]
            )
            equity[at + 1] = marked(cash[0], lots, marks[row + 1], units)
            positions[at + 1] = lots
            if equity[at + 1] == LARGEST_QUANTA:
                failure[:] = (_TOO_LARGE, float(row + 1), 0.0, 0.0)
                return executions[:count].copy()
    return executions[:count].copy()
