"""Weights with the smallest expected shortfall over given scenarios, alone or traded against expected return.

Returns are scenarios: simple returns (T, N), one row a period, each as likely as another. Expected shortfall is the
coherent one of `nt_ray.risk.historical`; it and the confidence mean the mean loss of the worst 1 - confidence of the
scenarios. Costs are paid out of return, so they count like a loss. The answer is the exact optimum over all scenarios
and assets; its residual is the relative gap to a bound computed from all of them.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_returns, check_weights
from nt_ray.portfolio.optimise.conflicts import conflicts
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.segments import Segments
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution, UnsolvedError
from nt_ray.portfolio.optimise.tail_program import TailAnswer, TailProgram, gap, generate
from nt_ray.portfolio.optimise.tail_start import start
from nt_ray.portfolio.tail_count import check_tail
from nt_ray.types import FloatArray, IntArray

_LONG_ONLY = Constraints()
ACCEPTED = 1e-8
"""Largest relative gap of an answer."""
TARGET = "target_return"


@dataclass(frozen=True, slots=True)
class TailStart:
    """Weights from which the next solve of a similar problem starts."""

    weights: FloatArray


def min_cvar(
    returns: npt.ArrayLike,
    confidence: float = 0.95,
    constraints: Constraints = _LONG_ONLY,
    *,
    target_return: float | None = None,
    expected: npt.ArrayLike | None = None,
    warm: TailStart | None = None,
) -> Solution:
    """Minimise expected shortfall plus trading costs.

    Parameters
    ----------
    returns
        (T, N) simple returns, one scenario a row; NaN and infinity are errors.
    confidence
        From 0.5 to 1, such as 0.95; at least one scenario must be in the tail.
    constraints
        Boxes, budget, linear, turnover, cost and gross limits. Numbers of names and smallest positions are refused.
    target_return
        Least expected return of the weights, before costs.
    expected
        (N,) expected returns for the target; the mean of the scenarios where not given.
    warm
        `Solution.warm` of a similar problem, such as yesterday's; it changes the time alone.

    Returns
    -------
    Solution
        Its objective is the expected shortfall plus costs, as a fraction lost.
    """
    problem = _Tail(returns, confidence, constraints, expected if target_return is not None else None, target_return)
    return problem.solve(problem.segments.price, warm)


def mean_cvar(
    returns: npt.ArrayLike,
    risk_aversion: float,
    confidence: float = 0.95,
    constraints: Constraints = _LONG_ONLY,
    *,
    expected: npt.ArrayLike | None = None,
    warm: TailStart | None = None,
) -> Solution:
    """Maximise expected return minus risk aversion times expected shortfall minus trading costs.

    The objective of the solution is that utility; for the other parameters see `min_cvar`.
    """
    if not 0.0 < risk_aversion < np.inf:
        raise RiskError(f"Risk aversion {risk_aversion} is not a positive number. Give one, such as 1.")
    problem = _Tail(returns, confidence, constraints, expected, None)
    moves = problem.segments
    price = (moves.price - problem.expected[moves.assets]) / risk_aversion
    return problem.solve(price, warm, utility=risk_aversion)


def cvar_frontier(
    returns: npt.ArrayLike,
    targets: npt.ArrayLike,
    confidence: float = 0.95,
    constraints: Constraints = _LONG_ONLY,
    *,
    expected: npt.ArrayLike | None = None,
) -> list[Solution]:
    """Minimise expected shortfall for each least expected return (P,), each solve starting from the one before."""
    found: list[Solution] = []
    for target in np.asarray(targets, dtype=np.float64).tolist():
        warm = found[-1].warm if found else None
        found.append(min_cvar(returns, confidence, constraints, target_return=target, expected=expected, warm=warm))
    return found


class _Tail:
    """One problem: checked scenarios and constraints as segments."""

    def __init__(
        self,
        returns: npt.ArrayLike,
        confidence: float,
        constraints: Constraints,
        expected: npt.ArrayLike | None,
        target: float | None,
    ) -> None:
        self._began = time.perf_counter()
        self.returns = check_returns(returns)
        self.confidence = check_confidence(confidence)
        count, assets = self.returns.shape
        check_tail(count, self.confidence)
        self.expected = self.returns.mean(axis=0) if expected is None else check_weights(expected, assets)
        extra = () if target is None else (Linear(name=TARGET, loadings=self.expected, lower=_finite(target)),)
        self.segments = Segments.of(constraints, assets, extra)
        size = float(np.sqrt(np.vdot(self.returns, self.returns) / self.returns.size))
        self.scale = size if size > 0.0 else 1.0

    def solve(self, price: FloatArray, warm: TailStart | None, utility: float | None = None) -> Solution:
        """Minimise expected shortfall plus the price of the moves; `utility` turns the sum into the caller's units."""
        program = TailProgram(self.returns, self.segments, price / self.scale, self.confidence, self.scale)
        begin = start(program, _held(warm, self.returns.shape[1]))
        if begin is None:
            found = conflicts(self.segments.problem)
            if not found:
                raise UnsolvedError("Constraints leave less room than HiGHS can tell from none. Widen them a little.")
            raise InfeasibleError(found)
        answer, residual = _proven(program, begin)
        weights = self.segments.weights(answer.moves)
        objective = program.shortfall(program.losses(weights)) * self.scale + float(price @ answer.moves)
        if utility is None:
            objective += self.segments.base_cost
        else:
            held = float(self.expected @ self.segments.base)
            objective = held - self.segments.base_cost - utility * objective
        return Solution(
            weights=weights,
            objective=objective,
            solver="highs",
            residual=residual,
            iterations=answer.iterations,
            seconds=time.perf_counter() - self._began,
            warm=TailStart(weights),
        )


def _proven(program: TailProgram, begin: tuple[IntArray, IntArray]) -> tuple[TailAnswer, float]:
    """Solve by generation; where that ends without proof, solve the whole program at once."""
    try:
        answer = generate(program, *begin)
    except UnsolvedError:
        residual = np.inf
    else:
        residual = gap(program, answer)
    if residual > ACCEPTED:
        answer = generate(program, np.arange(len(program.returns)), np.arange(len(program.price)))
        residual = gap(program, answer)
    if residual > ACCEPTED:
        raise UnsolvedError(f"The optimum is known within {residual:.1e} only. Loosen the constraints.")
    return answer, residual


def _held(warm: TailStart | None, assets: int) -> FloatArray | None:
    if warm is None:
        return None
    if not isinstance(warm, TailStart):
        raise RiskError(f"warm is of type {type(warm).__name__}. Give the warm of a solution of this function.")
    return check_weights(warm.weights, assets)


def _finite(target: float) -> float:
    if not np.isfinite(target):
        raise RiskError(f"target_return={target} is not a number. Give a return of one period.")
    return float(target)
