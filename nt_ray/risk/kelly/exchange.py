"""Back and lay on betting exchanges: log-optimal stakes when commission is due on each market's net winnings.

Commission makes the payoff of a market bend at zero: net winnings X leave X - c max(X, 0), which is concave. So the
problem stays convex: what a market leaves in each outcome, y, is a variable with y <= X and y <= (1 - c) X, and the
growth of 1 + sum of y over all joint outcomes of the independent markets is maximised exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from scipy.optimize import linprog

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.exchange_market import Market
from nt_ray.risk.kelly.interior import minimise
from nt_ray.risk.kelly.objectives import NegativeGrowth
from nt_ray.risk.kelly.region import Region
from nt_ray.risk.kelly.ruin import fall_bound
from nt_ray.risk.kelly.simultaneous import MOST_JOINT
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStakes:
    """Stakes on one market, as fractions of wealth."""

    name: str
    back: FloatArray
    """(outcomes,) stakes backed; zero where nothing is offered."""
    lay: FloatArray
    """(outcomes,) backer's stakes laid; the liability is the stake times the odds less one."""
    result: FloatArray
    """(outcomes,) gain after commission, as a fraction of wealth, if that outcome comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeAnswer:
    """Log-optimal stakes over independent markets, and their proof."""

    markets: tuple[ExchangeStakes, ...]
    growth: float
    halving: float
    residual: float
    method: str = "interior_point_exact"
    notes: tuple[str, ...] = ()


def exchange_stakes(markets: Sequence[Market]) -> ExchangeAnswer:
    """Stakes to back and lay for the fastest growth on independent markets settled together.

    All joint outcomes are enumerated; more than 32,768 of them are refused. Of stakes with the same results the
    smallest are given.
    """
    joint = prod(len(market.probabilities) for market in markets)
    if not markets or joint > MOST_JOINT:
        raise RiskError(f"{len(markets)} markets have {joint} joint outcomes. Give 1 to {MOST_JOINT} in all.")
    if not any(market.offers() for market in markets):
        raise RiskError("No market offers odds. Give at least one back or lay.")
    objective, place, stakes = _problem(markets)
    found = minimise(objective, place, start=np.zeros(place.lower.size), scale=1.0)
    ends = np.cumsum([len(market.offers()) for market in markets])
    parts = np.split(found.x[:stakes], ends[:-1])
    answers = tuple(_stakes(market, part) for market, part in zip(markets, parts, strict=True))
    wealth = objective.wealth(np.concatenate([np.zeros(stakes), *(answer.result for answer in answers)]))
    return ExchangeAnswer(
        markets=answers,
        growth=float(objective.probabilities @ np.log(wealth)),
        halving=fall_bound(wealth, objective.probabilities),
        residual=found.residual,
        notes=("independent markets; commission on each market's net winnings; every liability covered by wealth",),
    )


def _problem(markets: Sequence[Market]) -> tuple[NegativeGrowth, Region, int]:
    """Variables: the stakes of every market, then what every market leaves in each of its outcomes."""
    stakes = sum(len(market.offers()) for market in markets)
    incidence, chances = _joint(markets)
    size = stakes + incidence.shape[1]
    rows = np.vstack([_bend(markets, size, stakes, kept=False), _bend(markets, size, stakes, kept=True)])
    place = Region(
        lower=np.concatenate([np.zeros(stakes), np.full(incidence.shape[1], -np.inf)]),
        upper=np.concatenate([*(market.largest() for market in markets), np.full(incidence.shape[1], np.inf)]),
        rows=rows,
        limits=np.zeros(rows.shape[0]),
        equal=np.zeros((0, size)),
        values=np.zeros(0),
    )
    returns = np.hstack([np.zeros((incidence.shape[0], stakes)), incidence])
    return NegativeGrowth(returns, chances), place, stakes


def _bend(markets: Sequence[Market], size: int, stakes: int, *, kept: bool) -> FloatArray:
    """Rows y - X <= 0, or y - (1 - c) X <= 0 where the winnings are kept after commission."""
    rows = np.zeros((size - stakes, size))
    rows[:, stakes:] = np.eye(size - stakes)
    row = column = 0
    for market in markets:
        table = market.gains()
        share = 1.0 - market.commission if kept else 1.0
        rows[row : row + table.shape[0], column : column + table.shape[1]] = -share * table
        row, column = row + table.shape[0], column + table.shape[1]
    return rows


def _joint(markets: Sequence[Market]) -> tuple[FloatArray, FloatArray]:
    """Which outcome of each market comes, as zeros and ones (S, outcomes), and the joint probabilities (S,)."""
    sizes = [len(market.probabilities) for market in markets]
    places = np.indices(sizes).reshape(len(sizes), -1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    incidence = np.zeros((places.shape[1], sum(sizes)))
    chances = np.ones(places.shape[1])
    for market, start, at in zip(markets, starts, places, strict=True):
        incidence[np.arange(at.size), start + at] = 1.0
        chances *= np.array(market.probabilities)[at]
    return incidence, chances / chances.sum()


def _stakes(market: Market, found: FloatArray) -> ExchangeStakes:
    stakes = _smallest(market, found)
    back, lay = np.zeros(len(market.probabilities)), np.zeros(len(market.probabilities))
    for offer, stake in zip(market.offers(), stakes, strict=True):
        (back if offer.sign > 0 else lay)[offer.outcome] = stake
    return ExchangeStakes(name=market.name, back=back, lay=lay, result=market.kept(market.gains() @ stakes))


def _smallest(market: Market, found: FloatArray) -> FloatArray:
    """Smallest stakes with the same results: backing all outcomes at fair odds, say, changes nothing."""
    if not found.size:
        return found
    table = market.gains()
    if np.linalg.matrix_rank(table) == table.shape[1]:
        return found
    least = linprog(np.ones(found.size), A_eq=table, b_eq=table @ found, method="highs")
    return np.maximum(least.x, 0.0) if least.status == 0 else found
