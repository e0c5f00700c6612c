"""Simultaneous bets: the log-optimal stakes of a slate of independent bets that are settled together.

Exact over all joint outcomes while those are few; above that over scenarios drawn by counter, which the answer says.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.philox import generator
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.bets import Bet
from nt_ray.risk.kelly.region import bankroll
from nt_ray.risk.kelly.scenario import growth_problem, log_optimal, solved
from nt_ray.types import FloatArray

MOST_JOINT = 2**15
"""Joint outcomes up to which the answer is exact."""
DRAWN = 50_000
_STREAM = 0x4B454C4C59


def simultaneous_bets(
    bets: Sequence[Bet], *, constraints: Constraints | None = None, seed: int = 0, scenarios: int = DRAWN
) -> KellyAnswer:
    """Stakes of the fastest growth for independent bets settled together.

    Parameters
    ----------
    bets
        Independent bets; correlated ones belong to `log_optimal` with their joint scenarios.
    constraints
        Bounds and linear rows on the stakes; None: none negative, together at most the whole wealth.
    seed, scenarios
        Of the draws, used only where the joint outcomes exceed `MOST_JOINT`.
    """
    if not bets:
        raise RiskError("There are 0 bets. Give at least one.")
    held = constraints or bankroll(len(bets))
    if prod(len(bet.gains) for bet in bets) <= MOST_JOINT:
        gains, chances = joint_outcomes(bets)
        answer = log_optimal(gains, chances, constraints=held)
        return replace(answer, method="interior_point_exact", notes=("independent bets, all joint outcomes",))
    return _sampled(bets, held, seed, scenarios)


def joint_outcomes(bets: Sequence[Bet]) -> tuple[FloatArray, FloatArray]:
    """All joint outcomes of independent bets: gains (S, N) and probabilities (S,), S the product of their outcomes."""
    sizes = [len(bet.gains) for bet in bets]
    places = np.indices(sizes).reshape(len(bets), -1)
    gains = np.stack([np.array(bet.gains)[at] for bet, at in zip(bets, places, strict=True)], axis=1)
    chances = np.prod([np.array(bet.probabilities)[at] for bet, at in zip(bets, places, strict=True)], axis=0)
    return np.ascontiguousarray(gains), np.asarray(chances / chances.sum())


def drawn_outcomes(bets: Sequence[Bet], count: int, seed: int) -> FloatArray:
    """(count, N) gains of independent bets; bet i under a seed draws the same whatever else is on the slate."""
    if count < 2:
        raise RiskError(f"{count} scenarios say nothing. Draw at least 2.")
    gains = np.empty((count, len(bets)))
    for place, bet in enumerate(bets):
        steps = np.cumsum(bet.probabilities)
        draws = np.searchsorted(steps / steps[-1], generator(seed, _STREAM, place).random(count), side="right")
        gains[:, place] = np.array(bet.gains)[draws]
    return gains


def _sampled(bets: Sequence[Bet], constraints: Constraints, seed: int, count: int) -> KellyAnswer:
    gains = drawn_outcomes(bets, count, seed)
    chances = np.full(count, 1.0 / count)
    # A joint outcome that was not drawn may still come: even all bets at their worst must leave something.
    worst = np.array([[min(bet.gains) for bet in bets]])
    objective, place = growth_problem(np.vstack([gains, worst]), np.append(chances, 0.0), constraints)
    answer = solved(objective, place, gains, chances, method="interior_point_sampled")
    error = float(np.log(objective.wealth(answer.fractions)).std() / np.sqrt(count))
    note = f"independent bets, {count} scenarios drawn with seed {seed}; standard error of the growth {error:.2g}"
    return replace(answer, notes=(note,))
