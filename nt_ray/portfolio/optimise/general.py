"""Everything the fast routes do not know: any convex objective through cvxpy, any risk measure through skfolio.

Same constraints, same `Solution`. The residual of `general` is Clarabel's own (primal, dual and gap, relative); skfolio
tells none, so `mean_risk` has NaN there and checks the constraints alone. Both libraries are imported when called.
"""

import time
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.certificate import PROVEN
from nt_ray.portfolio.optimise.conflicts import conflicts
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import Factor
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution, UnsolvedError
from nt_ray.types import FloatArray

_ACCURACY: Final = 1e-9
_MOST_ITERATIONS: Final = 500
_MISSED: Final = 1e-6
"""How far weights of skfolio may miss a constraint."""
_LONG_ONLY = Constraints()

Objective = Literal["minimize_risk", "maximize_return", "maximize_utility", "maximize_ratio"]


def general(build: Callable[[Any], Any], assets: int, constraints: Constraints = _LONG_ONLY) -> Solution:
    """Minimise what `build` makes of the weights, a convex cvxpy expression of a variable (N,), plus trading costs."""
    # Half a second of import, for those who ask for it.
    import cvxpy
    from cvxpy.atoms.elementwise.abs import abs as size_of

    started = time.perf_counter()
    problem = _feasible_problem(assets, constraints, "general")
    weights = cvxpy.Variable(assets)
    traded = size_of(weights - problem.previous)
    objective = build(weights) + problem.cost @ traded
    program = cvxpy.Problem(cvxpy.Minimize(objective), _in_cvxpy(cvxpy, problem, weights, traded))
    if not program.is_dcp():
        raise RiskError("The objective is not convex by cvxpy's rules. Write it with cvxpy's own atoms.")
    options = {"tol_feas": _ACCURACY, "tol_gap_abs": _ACCURACY, "tol_gap_rel": _ACCURACY, "max_iter": _MOST_ITERATIONS}
    data, chain, inverse = program.get_problem_data(cvxpy.CLARABEL, solver_opts=options)
    raw = chain.solve_via_data(program, data, warm_start=False, verbose=False, solver_opts=options)
    residual = _clarabel_residual(raw)
    if residual > PROVEN:
        raise UnsolvedError(f"Clarabel ended with {raw.status} and a residual of {residual:.3g}. Rescale the inputs.")
    program.unpack_results(raw, chain, inverse)
    return Solution(
        weights=np.clip(np.asarray(weights.value, dtype=np.float64), problem.lower, problem.upper),
        objective=float(program.value),
        solver="cvxpy/clarabel",
        residual=residual,
        iterations=int(raw.iterations),
        seconds=time.perf_counter() - started,
    )


def mean_risk(
    returns: npt.ArrayLike,
    measure: str,
    objective: Objective = "minimize_risk",
    constraints: Constraints = _LONG_ONLY,
    *,
    risk_aversion: float = 1.0,
    rate: float = 0.0,
) -> Solution:
    """Optimise returns (T, N) by any of skfolio's risk measures ("SEMI_VARIANCE", "CDAR", "EVAR", ...), by skfolio.

    The objective is skfolio's: the utility is mean - risk_aversion * risk, without a half. Caps on the sum of trades
    or of sizes and a number of names are refused.
    """
    started = time.perf_counter()
    panel = check_returns(returns)
    problem = _feasible_problem(panel.shape[1], constraints, "mean_risk")
    if np.isfinite(problem.caps).any():
        raise RiskError("mean_risk does not honour max_turnover or max_gross. Use general, or mean_variance.")
    # Three seconds of import, for those who ask for it.
    from skfolio import RiskMeasure  # type: ignore[import-untyped]
    from skfolio.optimization import MeanRisk, ObjectiveFunction  # type: ignore[import-untyped]

    if measure not in RiskMeasure.__members__:
        raise RiskError(f"Unknown risk measure {measure!r}. Known: {', '.join(RiskMeasure.__members__)}.")
    left, right = _one_sided(problem)
    model = MeanRisk(
        objective_function=ObjectiveFunction[objective.upper()],
        risk_measure=RiskMeasure[measure],
        risk_aversion=risk_aversion,
        risk_free_rate=rate,
        min_weights=problem.lower,
        max_weights=problem.upper,
        budget=None,
        transaction_costs=problem.cost if problem.cost.any() else 0.0,
        previous_weights=problem.previous,
        left_inequality=left,
        right_inequality=right,
        fallback=None,
    )
    model.fit(panel)
    weights = np.asarray(model.weights_, dtype=np.float64)
    missed = _missed(problem, weights)
    if missed > _MISSED:
        raise UnsolvedError(f"skfolio's weights miss a constraint by {missed:.3g}. Rescale the returns.")
    return Solution(
        weights=weights,
        objective=float(model.problem_values_["objective"]),
        solver="skfolio",
        residual=float("nan"),
        iterations=0,
        seconds=time.perf_counter() - started,
    )


def _feasible_problem(assets: int, constraints: Constraints, name: str) -> Problem:
    if constraints.max_names is not None or constraints.min_position != 0.0:
        raise RiskError(f"{name} does not choose names. Use mean_variance with max_names.")
    nothing = Factor(FactorCovariance(np.zeros((assets, 1)), np.ones((1, 1)), np.ones(assets)))
    problem = Problem.of(nothing, np.zeros(assets), constraints)
    contradiction = conflicts(problem)
    if contradiction:
        raise InfeasibleError(contradiction)
    return problem


def _in_cvxpy(cvxpy: Any, problem: Problem, weights: Any, traded: Any) -> list[Any]:
    held = []
    below, above = np.isfinite(problem.lower), np.isfinite(problem.upper)
    if below.any():
        held.append(weights[below] >= problem.lower[below])
    if above.any():
        held.append(weights[above] <= problem.upper[above])
    for row, low, high in zip(problem.rows, problem.low, problem.high, strict=True):
        if low == high:
            held.append(row @ weights == low)
            continue
        if low > -np.inf:
            held.append(row @ weights >= low)
        if high < np.inf:
            held.append(row @ weights <= high)
    if problem.max_turnover is not None:
        held.append(cvxpy.sum(traded) <= problem.max_turnover)
    if problem.max_gross is not None:
        held.append(cvxpy.norm1(weights) <= problem.max_gross)
    return held


def _clarabel_residual(raw: Any) -> float:
    gap = abs(raw.obj_val - raw.obj_val_dual) / max(1.0, abs(raw.obj_val))
    worst = max(float(raw.r_prim), float(raw.r_dual), float(gap))
    return worst if np.isfinite(worst) else float("inf")


def _one_sided(problem: Problem) -> tuple[FloatArray | None, FloatArray | None]:
    """Return rows as left @ w <= right."""
    high, low = problem.high < np.inf, problem.low > -np.inf
    left = np.concatenate([problem.rows[high], -problem.rows[low]])
    right = np.concatenate([problem.high[high], -problem.low[low]])
    return (left, right) if right.size else (None, None)


def _missed(problem: Problem, weights: FloatArray) -> float:
    sums = problem.rows @ weights
    return float(
        max(
            (problem.lower - weights).max(),
            (weights - problem.upper).max(),
            (problem.low - sums).max(initial=-np.inf),
            (sums - problem.high).max(initial=-np.inf),
        )
    )
