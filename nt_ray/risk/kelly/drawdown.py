"""Drawdown-controlled Kelly: the fastest growth among stakes that keep P(wealth ever falls below a) under b.

Busseti, Ryu and Boyd (2016), Risk-constrained Kelly gambling: E[w^-lambda] <= 1 with lambda = ln b / ln a suffices,
and is convex. For many small bets the quadratic form uses first and second moments alone; without other constraints
it stakes the share 2 / (1 + lambda) of the Kelly weights, the share that the diffusion's law asks for.
"""

import numpy.typing as npt

from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.solution import UnsolvedError
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.limited import Limit, minimise_under
from nt_ray.risk.kelly.objectives import DrawdownMoment, Quadratic
from nt_ray.risk.kelly.region import bankroll, region
from nt_ray.risk.kelly.ruin import risk_aversion
from nt_ray.risk.kelly.scenario import check_solvent, growth_answer, growth_problem, scenarios, slope_scale
from nt_ray.types import FloatArray

NAME = "drawdown limit"


def drawdown_controlled(
    returns: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    *,
    level: float,
    probability: float,
    constraints: Constraints | None = None,
) -> KellyAnswer:
    """Weights of the fastest growth with P(wealth ever falls below `level`) < `probability`.

    Parameters
    ----------
    returns
        (S, N) simple returns or net gains of a unit stake in each scenario; periods are independent draws of them.
    probabilities
        (S,) that sum to one; None means equally likely.
    level, probability
        Such as 0.7 and 0.1: a fall to 70 % of the start has a probability below 10 %.
    constraints
        Bounds, budget and linear rows; None: no short positions and no more than the whole wealth at stake.
    """
    exponent = risk_aversion(level, probability)
    gains, chances = scenarios(returns, probabilities)
    objective, place = growth_problem(gains, chances, constraints or bankroll(gains.shape[1]))
    scale = slope_scale(objective.returns, objective.probabilities)
    moment = DrawdownMoment(objective.returns, objective.probabilities, exponent)
    try:
        found, extra = minimise_under(objective, place, Limit(moment, NAME, exponent * scale), scale=scale)
    except UnsolvedError:
        check_solvent(objective, place)
        # Each outcome alone must keep p w^-lambda at or below one, which is a linear demand on its wealth.
        least = objective.probabilities ** (1.0 / exponent)
        place.with_rows(-objective.returns, 1.0 - least, NAME).check_feasible()
        raise
    notes = (*_notes(level, probability, exponent), *extra)
    return growth_answer(found.x, gains, chances, method="interior_point", residual=found.residual, notes=notes)


def drawdown_controlled_quadratic(
    returns: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    *,
    level: float,
    probability: float,
    constraints: Constraints | None = None,
) -> KellyAnswer:
    """Weights by the quadratic form of `drawdown_controlled`: maximises m'f - f'Mf/2 under (lambda+1)/2 f'Mf <= m'f.

    m is the mean and M the second moment of the returns. Good for small returns; the growth it reports is the exact
    one of its weights over the scenarios, and the note tells whether the exact condition holds too.
    """
    exponent = risk_aversion(level, probability)
    gains, chances = scenarios(returns, probabilities)
    mean, second = chances @ gains, (gains.T * chances) @ gains
    place = region(constraints or bankroll(gains.shape[1]), gains.shape[1])
    scale = slope_scale(gains, chances)
    form = Quadratic((exponent + 1.0) * second / scale, mean / scale)
    found, extra = minimise_under(Quadratic(second, mean), place, Limit(form, NAME, 1.0), scale=scale)
    notes = (*_notes(level, probability, exponent), *extra, _exact(found.x, gains, chances, exponent))
    return growth_answer(
        found.x, gains, chances, method="interior_point_quadratic", residual=found.residual, notes=notes
    )


def _exact(weights: FloatArray, gains: FloatArray, chances: FloatArray, exponent: float) -> str:
    likely = chances > 0.0
    moment = DrawdownMoment(gains[likely], chances[likely], exponent).value(weights)
    held = "holds" if moment <= 1e-12 else "does not hold"
    return f"quadratic form; the exact condition {held}: log E[w^-lambda] = {moment:.3g}"


def _notes(level: float, probability: float, exponent: float) -> tuple[str, ...]:
    return (f"P(wealth ever below {level:g}) < {probability:g} by lambda = {exponent:.6g}; independent periods",)
