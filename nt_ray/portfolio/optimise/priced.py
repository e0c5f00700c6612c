"""A cap on turnover or on the gross sum, met by finding its price: the cost at which just so much is wanted.

At a price the cap is one more trading cost, which the active set settles in a few steps from the last price's answer.
Between two changes of the active set what is spent is linear in the price, so a secant ends the search exactly. With
both caps given only the violated one is priced; the certificate decides whether that is the optimum.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from nt_ray.portfolio.optimise.active_set import Attempt, block_active_set
from nt_ray.portfolio.optimise.point import ActiveSet, Point
from nt_ray.portfolio.optimise.problem import Problem

_MOST_PRICES: Final = 60
_MET: Final = 1e-13
"""Relative distance from the cap that ends the search."""


def price_cap(problem: Problem, start: ActiveSet) -> Attempt | None:
    """Return the point at which the cap that binds is just met, or None where no price was found."""
    free = replace(problem, max_turnover=None, max_gross=None)
    sides = start.sides.copy()
    sides[-2:] = 0
    first = block_active_set(free, ActiveSet(start.places, sides))
    if first.point is None or not first.settled:
        return None
    over = np.array(problem.spent(first.point.weights)) - np.array(problem.caps)
    cap = int(over.argmax())
    if over[cap] <= 0.0:
        return first
    return _Search(problem, free, cap).run(first, float(over[cap]))


class _Search:
    """The search for the price of one cap."""

    def __init__(self, problem: Problem, free: Problem, cap: int) -> None:
        self.problem, self.free, self.cap = problem, free, cap
        self.limit = problem.caps[cap]
        self.steps = 0

    def run(self, first: Attempt, over: float) -> Attempt | None:
        low, high = (0.0, over), (np.inf, -np.inf)
        before, last = (0.0, over), first
        price = 1e-2 * float(np.ptp(self._gradient(first))) or self.problem.curvature.scale
        for _ in range(_MOST_PRICES):
            tried = self._at(price, last)
            if tried is None or tried.point is None:
                return None
            last, over = tried, self.problem.spent(tried.point.weights)[self.cap] - self.limit
            if abs(over) <= _MET * max(self.limit, float(np.abs(tried.point.weights).max())):
                return self._capped(tried, price)
            if over > 0.0:
                low = (price, over)
            else:
                high = (price, over)
            rise = over - before[1]
            secant = price - over * (price - before[0]) / rise if rise != 0.0 else np.nan
            before = (price, over)
            if low[0] < secant < min(high[0], 16.0 * price):
                price = secant
            else:
                price = 0.5 * (low[0] + high[0]) if high[0] < np.inf else 4.0 * price
        return None

    def _gradient(self, attempt: Attempt) -> np.ndarray:
        weights = attempt.point.weights if attempt.point is not None else np.zeros(self.problem.assets)
        return self.problem.linear + self.problem.curvature.product(weights)

    def _at(self, price: float, last: Attempt) -> Attempt | None:
        slopes = self.problem.slopes.copy()
        slopes[0] += price * slopes[1 + self.cap]
        tried = block_active_set(replace(self.free, slopes=slopes), last.active)
        self.steps += tried.steps
        return tried if tried.settled else None

    def _capped(self, found: Attempt, price: float) -> Attempt | None:
        if found.point is None:
            return None
        caps, sides = np.zeros(2), found.active.sides.copy()
        caps[self.cap] = price
        sides[-2 + self.cap] = 1
        point = Point(found.point.weights, found.point.rows, caps)
        return Attempt(point, ActiveSet(found.active.places, sides), self.steps, True)
