"""The linear program of expected shortfall, solved on the few scenarios and assets that matter.

Rockafellar and Uryasev (2000), Optimization of conditional value-at-risk: the smallest expected shortfall is the
minimum over moves x and a threshold t of

    price'x + t + c sum(z),   z_s >= -r_s'(base + Jx) - t,   z >= 0,   c = 1 / ((1 - confidence) T)

with J adding a segment's move to its asset. Most scenarios are never in the tail and most assets never held, so the
program starts with some of either, solves, adds scenarios whose loss passes t without a row and segments whose
reduced cost is negative without a column, and goes on from the same simplex basis. Once nothing is left to add, the
optimum is that of the whole program. The bound that proves it is computed over all rows and columns from the
multipliers alone, whatever the solver says.

Everything here is in units of `scale`, so that tolerances mean the same for daily and for yearly returns.
"""

from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt

from nt_ray.portfolio.optimise.segments import Segments
from nt_ray.portfolio.optimise.solution import UnsolvedError
from nt_ray.portfolio.tail_count import tail_size
from nt_ray.types import BoolArray, FloatArray, IntArray

TOLERANCE = 1e-10
"""Of the simplex method and of what counts as violated; the smallest that HiGHS takes."""
ROUNDS = 60
COLUMNS = 60
"""Most segments added in a round: those with the most negative reduced costs."""


class UnboundedError(UnsolvedError):
    """The objective falls without end."""

    code = "unbounded"

    def __init__(self) -> None:
        super().__init__("The objective has no end: weights may grow without limit. Give bounds or a gross limit.")


@dataclass(frozen=True, slots=True)
class TailProgram:
    """The whole program."""

    returns: FloatArray
    """(T, N)"""
    segments: Segments
    price: FloatArray
    """(K,) objective of one unit moved, in units of `scale`."""
    confidence: float
    scale: float

    @property
    def share(self) -> float:
        """Largest multiplier of a scenario."""
        return 1.0 / ((1.0 - self.confidence) * len(self.returns))

    def losses(self, weights: FloatArray) -> FloatArray:
        """Losses (T,) of weights (N,)."""
        held = np.flatnonzero(weights)
        if 4 * len(held) > len(weights):
            return -(self.returns @ weights) / self.scale
        return -(self.returns[:, held] @ weights[held]) / self.scale

    def shortfall(self, losses: FloatArray) -> float:
        """Coherent expected shortfall, as `nt_ray.risk.historical` defines it."""
        tail, k = tail_size(len(losses), self.confidence)
        worst = -np.partition(-losses, k - 1)[:k]
        threshold = worst.min()
        return float(threshold + (worst - threshold).sum() / tail)


@dataclass(frozen=True, slots=True)
class TailAnswer:
    """Moves and the multipliers that prove them."""

    moves: FloatArray
    """(K,)"""
    scenario_duals: FloatArray
    """(T,) from 0 to `share`, summing to 1: the worst mixture of scenarios for these weights."""
    row_duals: FloatArray
    """(m,)"""
    rounds: int
    iterations: int


def generate(program: TailProgram, scenarios: IntArray, columns: IntArray) -> TailAnswer:
    """Solve the program from some scenarios and segments, which must hold a feasible point of the segments' rows."""
    master = _Master(program)
    master.add_segments(columns)
    master.add_scenarios(scenarios)
    for rounds in range(1, ROUNDS + 1):
        master.solve()
        late = master.violated()
        cheap = master.profitable()
        if not late.size and not cheap.size:
            return master.answer(rounds)
        if late.size:
            master.add_scenarios(late)
        if cheap.size:
            master.add_segments(cheap)
    raise UnsolvedError(f"Expected shortfall is not settled after {ROUNDS} rounds. Scale or loosen the constraints.")


def gap(program: TailProgram, answer: TailAnswer) -> float:
    """Return how far the objective may lie above the optimum of the whole program, relative to it or to `scale`.

    The bound is the Lagrangian dual over all T scenarios and K segments at multipliers cleaned to be feasible, so it
    holds however they were found. An end that is infinite counts as one beyond the largest move.
    """
    segments = program.segments
    duals = np.clip(answer.scenario_duals, 0.0, program.share)
    duals = duals / duals.sum()
    prices = np.where(np.isinf(segments.row_lower), np.minimum(answer.row_duals, 0.0), answer.row_duals)
    prices = np.where(np.isinf(segments.row_upper), np.maximum(prices, 0.0), prices)
    reduced = _reduced(program, duals, prices)
    reach = 1.0 + float(np.abs(answer.moves).max(initial=0.0))
    low, high = np.maximum(segments.lower, -reach), np.minimum(segments.upper, reach)
    ends = np.where(prices > 0.0, segments.row_lower, segments.row_upper)
    bound = float(duals @ program.losses(segments.base))
    bound += float(prices[prices != 0.0] @ ends[prices != 0.0])
    bound += float(np.minimum(reduced * low, reduced * high).sum())
    reached = program.shortfall(program.losses(segments.weights(answer.moves))) + float(program.price @ answer.moves)
    return abs(reached - bound) / max(1.0, abs(reached))


def _reduced(program: TailProgram, duals: FloatArray, prices: FloatArray) -> FloatArray:
    """(K,) what a unit of each segment adds to the Lagrangian."""
    tail = np.flatnonzero(duals)
    of_assets = duals[tail] @ program.returns[tail] / program.scale
    segments = program.segments
    reduced: FloatArray = program.price - of_assets[segments.assets] - prices @ segments.rows
    return reduced


class _Master:
    """The program on the scenarios and segments added so far. Columns: t, then segments and excesses z as they came."""

    def __init__(self, program: TailProgram) -> None:
        self._program = program
        segments = program.segments
        self._rows = len(segments.rows)
        self._scenarios = np.zeros(0, dtype=np.int64)
        self._columns = np.zeros(0, dtype=np.int64)
        self._places = np.zeros(0, dtype=np.int64)
        """Where in the solver the columns of the segments are."""
        self._known_scenarios = np.zeros(len(program.returns), dtype=np.bool_)
        self._known_columns = np.zeros(len(program.price), dtype=np.bool_)
        self._iterations = 0
        self._solver = new_solver(segments.row_lower, segments.row_upper)
        self._solver.addCol(1.0, -np.inf, np.inf, 0, np.zeros(0, dtype=np.int32), np.zeros(0))

    def add_segments(self, columns: IntArray) -> None:
        """Add segments, with what they do in every row there is."""
        program, segments = self._program, self._program.segments
        many, deep = len(columns), self._rows + len(self._scenarios)
        block = np.empty((many, deep))
        block[:, : self._rows] = segments.rows[:, columns].T
        block[:, self._rows :] = self._block(self._scenarios, columns).T
        first = self._solver.getNumCol()
        self._solver.addCols(
            many, program.price[columns], segments.lower[columns], segments.upper[columns],
            many * deep, starts(many, deep), np.tile(np.arange(deep, dtype=np.int32), many), block.ravel(),
        )  # fmt: skip
        self._places = np.concatenate([self._places, np.arange(first, first + many)])
        self._columns = np.concatenate([self._columns, columns])
        self._known_columns[columns] = True

    def add_scenarios(self, scenarios: IntArray) -> None:
        """Add rows t + z_s + the segments' returns >= the loss at the base, and their columns z_s."""
        many, wide = len(scenarios), 1 + len(self._columns)
        block = np.empty((many, wide))
        block[:, 0] = 1.0
        block[:, 1:] = self._block(scenarios, self._columns)
        index = np.concatenate([np.zeros(1, dtype=np.int64), self._places]).astype(np.int32)
        least = -(self._program.returns[scenarios] @ self._program.segments.base) / self._program.scale
        first = self._solver.getNumRow()
        self._solver.addRows(
            many, least, np.full(many, np.inf), many * wide, starts(many, wide), np.tile(index, many), block.ravel()
        )
        self._solver.addCols(
            many, np.full(many, self._program.share), np.zeros(many), np.full(many, np.inf),
            many, starts(many, 1), np.arange(first, first + many, dtype=np.int32), np.ones(many),
        )  # fmt: skip
        self._scenarios = np.concatenate([self._scenarios, scenarios])
        self._known_scenarios[scenarios] = True

    def solve(self) -> None:
        """Find the optimum of what is there, from the basis of the last one."""
        self._solver.run()
        status = self._solver.getModelStatus()
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            raise UnboundedError
        if status != highspy.HighsModelStatus.kOptimal:
            raise UnsolvedError(f"HiGHS ended with {status.name}. Scale the returns or loosen the constraints.")
        self._iterations += self._solver.getInfo().simplex_iteration_count
        found = self._solver.getSolution()
        values, duals = np.array(found.col_value), np.array(found.row_dual)
        self._threshold = float(values[0])
        self._moves = values[self._places]
        self._prices = duals[: self._rows]
        self._duals = duals[self._rows :]

    def violated(self) -> IntArray:
        """Scenarios without a row whose loss passes the threshold."""
        losses = self._program.losses(self._program.segments.weights(self._all_moves()))
        late: BoolArray = (losses > self._threshold + TOLERANCE) & ~self._known_scenarios
        return np.flatnonzero(late)

    def profitable(self) -> IntArray:
        """Segments without a column that would lower the objective, the best of them."""
        reduced = _reduced(self._program, self._all_duals(), self._prices)
        segments = self._program.segments
        reduced = np.where(segments.lower < 0.0, -reduced, reduced)
        found = np.flatnonzero((reduced < -TOLERANCE) & ~self._known_columns)
        if len(found) > COLUMNS:
            found = found[np.argpartition(reduced[found], COLUMNS)[:COLUMNS]]
        return found

    def answer(self, rounds: int) -> TailAnswer:
        return TailAnswer(self._all_moves(), self._all_duals(), self._prices, rounds, self._iterations)

    def _all_moves(self) -> FloatArray:
        moves = np.zeros(len(self._known_columns))
        moves[self._columns] = self._moves
        return moves

    def _all_duals(self) -> FloatArray:
        duals = np.zeros(len(self._known_scenarios))
        duals[self._scenarios] = self._duals
        return duals

    def _block(self, scenarios: IntArray, columns: IntArray) -> FloatArray:
        """(S, C) returns of the segments' assets."""
        block: FloatArray = self._program.returns[np.ix_(scenarios, self._program.segments.assets[columns])]
        return block / self._program.scale


def new_solver(lower: FloatArray, upper: FloatArray) -> highspy.Highs:
    """Return a simplex solver with rows (m,) in their ranges and no columns."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    # Presolve would throw away the basis that the next round starts from, and returns are of one size already.
    settings: dict[str, bool | int | str] = {
        "output_flag": False,
        "presolve": "off",
        "parallel": "off",
        "threads": 1,
        "simplex_scale_strategy": 0,
    }
    for name, value in settings.items():
        solver.setOptionValue(name, value)
    for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        solver.setOptionValue(name, TOLERANCE)
    solver.addRows(len(lower), lower, upper, 0, starts(len(lower), 0), np.zeros(0, dtype=np.int32), np.zeros(0))
    return solver


def starts(many: int, each: int) -> npt.NDArray[np.int32]:
    """Return where each of `many` rows or columns with `each` entries begins."""
    return np.arange(many, dtype=np.int32) * np.int32(each)
