"""Log-optimal weights over scenarios: the fractions that make wealth grow fastest, whatever the distribution.

Maximises sum_s p_s log(1 + rate + R_s f), R_s the returns above the rate. Without other constraints the weights are not
negative and stake at most the whole wealth. Breiman (1961), Optimal gambling systems for favorable games.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.solution import UnsolvedError
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.chances import check_distribution
from nt_ray.risk.kelly.interior import minimise
from nt_ray.risk.kelly.objectives import NegativeGrowth
from nt_ray.risk.kelly.region import Region, bankroll, region
from nt_ray.risk.kelly.ruin import fall_bound
from nt_ray.types import FloatArray

SUSPICIOUS = 100.0
"""Wealth in a scenario above which it is checked that growth has a bound."""
LEAST_WEALTH = 1e-6
"""Choices that leave less than this in a likely scenario count as ruin when it is asked why none was found."""


def log_optimal(
    returns: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    *,
    constraints: Constraints | None = None,
    rate: float = 0.0,
) -> KellyAnswer:
    """Weights of the fastest growth over scenarios.

    Parameters
    ----------
    returns
        (S, N) simple returns of each asset, or net gains of a unit stake, in each scenario; NaN is an error.
    probabilities
        (S,) that sum to one; None means equally likely.
    constraints
        Bounds, budget and linear rows; None: no short positions and no more than the whole wealth at stake.
    rate
        Riskless return of a period, earned on what is not invested and paid on what is borrowed.
    """
    gains, chances = scenarios(returns, probabilities)
    objective, place = growth_problem(gains, chances, constraints or bankroll(gains.shape[1]), rate)
    return solved(objective, place, gains, chances, rate=rate)


def scenarios(returns: npt.ArrayLike, probabilities: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Return checked scenarios (S, N) and their probabilities (S,)."""
    gains = check_returns(returns, least=1, what="Scenario returns")
    return gains, check_distribution(probabilities, gains.shape[0])


def growth_problem(
    gains: FloatArray, chances: FloatArray, constraints: Constraints, rate: float = 0.0
) -> tuple[NegativeGrowth, Region]:
    """Return the objective over the likely scenarios; the impossible ones still must not cost more than all wealth."""
    if not rate > -1.0:
        raise RiskError(f"Rate {rate} loses more than everything. Give the riskless return of one period.")
    excess = gains - rate
    likely = chances > 0.0
    place = region(constraints, gains.shape[1])
    if not likely.all():
        place = place.with_rows(-excess[~likely], np.full(int((~likely).sum()), 1.0 + rate), "impossible scenario")
    return NegativeGrowth(np.ascontiguousarray(excess[likely]), chances[likely], 1.0 + rate), place


def slope_scale(gains: FloatArray, chances: FloatArray) -> float:
    """Return the typical size of the growth's slope: the largest mean absolute gain; 1 where nothing moves."""
    return float((chances @ np.abs(gains)).max()) or 1.0


def check_solvent(objective: NegativeGrowth, place: Region) -> None:
    """Raise InfeasibleError where every allowed choice loses all wealth in some likely scenario."""
    outcomes = objective.returns.shape[0]
    left = np.full(outcomes, objective.base - LEAST_WEALTH)
    place.with_rows(-objective.returns, left, "some wealth must be left in every scenario").check_feasible()


def check_bounded(objective: NegativeGrowth, place: Region) -> None:
    """Raise RiskError where some direction gains in a scenario, loses in none, and is never stopped by a constraint."""
    bounds = np.column_stack(
        [np.where(np.isfinite(place.lower), 0.0, -1.0), np.where(np.isfinite(place.upper), 0.0, 1.0)]
    )
    rows = np.vstack([-objective.returns, place.rows])
    equal = (place.equal, np.zeros(place.values.size)) if place.values.size else (None, None)
    total = -objective.returns.sum(axis=0)
    found = linprog(total, rows, np.zeros(rows.shape[0]), equal[0], equal[1], bounds=bounds, method="highs")
    if found.status == 0 and -found.fun > 1e-9 * float(np.abs(objective.returns).max()):
        raise RiskError("Growth has no bound: some mix of bets gains and never loses. Give bounds or a bankroll.")


def solved(
    objective: NegativeGrowth,
    place: Region,
    gains: FloatArray,
    chances: FloatArray,
    *,
    rate: float = 0.0,
    method: str = "interior_point",
) -> KellyAnswer:
    """Solve a growth problem and say what follows from its optimum."""
    scale = slope_scale(objective.returns, objective.probabilities)
    try:
        found = minimise(objective, place, start=np.zeros(gains.shape[1]), scale=scale)
    except UnsolvedError:
        check_solvent(objective, place)
        check_bounded(objective, place)
        raise
    if objective.wealth(found.x).max() > SUSPICIOUS:
        check_bounded(objective, place)
    return growth_answer(found.x, gains, chances, rate=rate, method=method, residual=found.residual)


def growth_answer(
    weights: FloatArray,
    gains: FloatArray,
    chances: FloatArray,
    *,
    rate: float = 0.0,
    method: str,
    residual: float,
    notes: tuple[str, ...] = (),
) -> KellyAnswer:
    """Return growth and risk of halving of weights, whoever chose them."""
    likely = chances > 0.0
    wealth = (1.0 + rate + (gains - rate) @ weights)[likely]
    ruined = bool((wealth <= 0.0).any())
    return KellyAnswer(
        fractions=weights,
        growth=-np.inf if ruined else float(chances[likely] @ np.log(wealth)),
        halving=1.0 if ruined else fall_bound(wealth, chances[likely]),
        method=method,
        residual=residual,
        notes=notes,
    )
