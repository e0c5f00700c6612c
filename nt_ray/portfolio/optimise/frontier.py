"""The efficient frontier and three portfolios on it: target return, target volatility, largest Sharpe ratio.

All are solved as mean-variance problems in t, the price of variance: minimise w'Sw / 2 - t (m'w - costs). Between two
changes of the active set the optimum is linear in t (Markowitz's critical lines), so what is searched for is
piecewise linear in t or in its square, and a secant through two optima on the same line ends the search exactly.
The optimality conditions of the last problem, with the search's own condition, are those of the portfolio asked for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import is_whole
from nt_ray.portfolio.optimise.certificate import PROVEN
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.curvature import Covariance, Curvature, curvature
from nt_ray.portfolio.optimise.mean_variance import answer_of, check_expected, paid, solution, variance
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import Answer, solve
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution, UnsolvedError
from nt_ray.types import FloatArray

_LONG_ONLY = Constraints()
_MOST_TRIALS = 80
_NO_VARIANCE = 1e-14
"""A variance below this share of a typical asset's is rounding, and no ratio to it means anything."""
_STEEPEST = 1e7
"""The largest t, in units in which return and variance of a typical asset weigh the same."""


def target_return(
    expected: npt.ArrayLike,
    covariance: Covariance,
    target: float,
    constraints: Constraints = _LONG_ONLY,
    *,
    warm: object = None,
) -> Solution:
    """Minimise w'Sw with m'w >= target; the objective is the variance. Costs are refused: the return is before them."""
    started = time.perf_counter()
    form = curvature(covariance)
    means = check_expected(expected, form.assets)
    if not np.isfinite(target):
        raise RiskError(f"The target return is {target}. Give a finite number.")
    if np.any(constraints.cost):
        raise RiskError("target_return counts returns before costs. Use mean_variance, or limit max_turnover.")
    return _at_return(form, means, float(target), constraints, warm, started)


def _at_return(
    form: Curvature, means: FloatArray, target: float, constraints: Constraints, warm: object, started: float
) -> Solution:
    row = Linear(name="target return", loadings=means, lower=target)
    bounded = replace(constraints, linear=(*constraints.linear, row))
    answer, gap = answer_of(form, np.zeros(form.assets), bounded, warm)
    return solution(answer, variance(form, answer.point.weights), started, gap)


def target_volatility(
    expected: npt.ArrayLike,
    covariance: Covariance,
    volatility: float,
    constraints: Constraints = _LONG_ONLY,
    *,
    warm: object = None,
) -> Solution:
    """Maximise m'w - cost'|w - previous| with sqrt(w'Sw) <= volatility; the objective is that net return."""
    started = time.perf_counter()
    if not 0.0 < volatility < np.inf:
        raise RiskError(f"The target volatility is {volatility}. Give a positive number, per period of the covariance.")
    line = _Line.of(expected, covariance, constraints, "target_volatility")
    limit = volatility * volatility

    def excess(trial: _Trial) -> float:
        return trial.variance / limit - 1.0

    calm = line.at(0.0, warm)
    if excess(calm) > PROVEN:
        raise InfeasibleError((f"volatility <= {volatility:g}", f"the smallest possible {calm.variance**0.5:g}"))
    found = _search(line, excess, square=True, first=calm, start=line.unit * volatility / line.form.scale**0.5)
    missed = max(0.0, excess(found))
    return _on_line(found, found.net, missed, started)


def max_sharpe(
    expected: npt.ArrayLike,
    covariance: Covariance,
    rate: float = 0.0,
    constraints: Constraints = _LONG_ONLY,
    *,
    warm: object = None,
) -> Solution:
    """Maximise (m'w - rate * sum w - cost'|w - previous|) / sqrt(w'Sw); the objective is that ratio, per period.

    At the optimum w'Sw = t * (excess return), which with the conditions at t is the condition of the ratio
    (the tangency that the substitution of Charnes and Cooper 1962 leads to), under any of the constraints.
    """
    started = time.perf_counter()
    if not np.isfinite(rate):
        raise RiskError(f"The rate is {rate}. Give a finite number per period.")
    line = _Line.of(expected, covariance, constraints, "max_sharpe", rate)

    def beyond(trial: _Trial) -> float:
        return trial.price * trial.net / trial.variance - 1.0 if trial.variance > 0.0 else -1.0

    calm = line.at(0.0, warm)
    held = calm.answer.point.weights
    if not calm.variance > _NO_VARIANCE * line.form.scale * float(np.abs(held).sum()) ** 2:
        raise RiskError("A portfolio without variance satisfies the constraints: its Sharpe ratio is not defined.")
    start = calm.variance / calm.net if calm.net > 0.0 else line.unit
    found = _search(line, beyond, square=False, first=calm, start=min(start, line.unit * _STEEPEST))
    if not found.net > 0.0:
        raise RiskError(
            f"No portfolio under these constraints is expected to earn more than the rate: the best misses it by "
            f"{-found.net:g}. Lower the rate or allow short positions."
        )
    return _on_line(found, found.net / found.variance**0.5, abs(beyond(found)), started)


def frontier(
    expected: npt.ArrayLike, covariance: Covariance, points: int = 20, constraints: Constraints = _LONG_ONLY
) -> tuple[Solution, ...]:
    """Return efficient portfolios at `points` returns evenly from the minimum variance's to the largest.

    Each is a `target_return`; the objective is the variance. Where all efficient portfolios are one, so is the answer.
    """
    if not is_whole(points, 2):
        raise RiskError(f"A frontier of {points} points has no ends. Ask for 2 or more.")
    started = time.perf_counter()
    line = _Line.of(expected, covariance, constraints, "frontier")
    if np.any(constraints.cost):
        raise RiskError("frontier counts returns before costs. Use mean_variance, or limit max_turnover.")
    calm = line.at(0.0, None)
    bold = line.at(line.unit * _STEEPEST, None)
    first, last = (float(line.means @ end.answer.point.weights) for end in (calm, bold))
    if not last - first > 1e-10 * max(abs(first), abs(last)):
        return (solution(calm.answer, calm.variance, started),)
    solutions: list[Solution] = []
    warm: object = None
    # The last return is met by one portfolio only, so it is asked for with the rounding it was found with.
    for target in np.linspace(first, last - 1e-12 * abs(last), int(points)):
        started = time.perf_counter()
        solutions.append(_at_return(line.form, line.means, float(target), constraints, warm, started))
        warm = solutions[-1].warm
    return tuple(solutions)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The optimum at one price of variance."""

    price: float
    answer: Answer
    net: float
    variance: float


@dataclass(frozen=True, slots=True)
class _Line:
    """The efficient portfolios of one problem, by the price of variance t."""

    form: Curvature
    means: FloatArray
    constraints: Constraints
    unit: float
    """The t at which the return and the variance of a typical asset weigh the same."""

    @classmethod
    def of(
        cls, expected: npt.ArrayLike, covariance: Covariance, constraints: Constraints, name: str, rate: float = 0.0
    ) -> "_Line":
        form = curvature(covariance)
        means = check_expected(expected, form.assets) - rate
        if constraints.max_names is not None or constraints.min_position != 0.0:
            raise RiskError(f"{name} does not choose names. Use mean_variance or target_return with max_names.")
        largest = float(np.abs(means).max())
        return cls(form, means, constraints, form.scale / largest if largest > 0.0 else 1.0)

    def at(self, price: float, warm: object) -> _Trial:
        """Return the optimum at a price."""
        answer = solve(Problem.of(self.form, -price * self.means, self.constraints, scale=price), warm)
        weights = answer.point.weights
        net = float(self.means @ weights) - paid(self.constraints, weights)
        return _Trial(price, answer, net, variance(self.form, weights))


def _search(line: _Line, miss: Callable[[_Trial], float], *, square: bool, first: _Trial, start: float) -> _Trial:
    """Return the trial at which `miss`, below zero at `first` and rising, is zero; the steepest where it never is."""
    power = 2.0 if square else 1.0
    steepest = line.unit * _STEEPEST
    low, high = first, None
    before, trial = first, line.at(start, first.answer.active)
    for _ in range(_MOST_TRIALS):
        missed = miss(trial)
        if abs(missed) <= 1e-12 or (missed < 0.0 and trial.price >= steepest):
            return trial
        if missed < 0.0:
            low = trial
        else:
            high = trial
        price = _next_price(before, trial, low, high, miss, power)
        if price in (low.price, high.price if high is not None else np.nan):
            return trial
        before, trial = trial, line.at(min(price, steepest), trial.answer.active)
    if abs(miss(trial)) > PROVEN:
        raise UnsolvedError(f"The search along the frontier ended {miss(trial):.3g} away. Rescale the inputs.")
    return trial


def _next_price(
    before: _Trial, trial: _Trial, low: _Trial, high: _Trial | None, miss: Callable[[_Trial], float], power: float
) -> float:
    """Return the secant's price where it lies between what is known, else the middle of it, else four times as much."""
    rise = miss(trial) - miss(before)
    run = trial.price**power - before.price**power
    secant = trial.price**power - miss(trial) * run / rise if rise != 0.0 else np.nan
    price = secant ** (1.0 / power) if secant > 0.0 else np.nan
    if high is None:
        return price if low.price < price < 64.0 * low.price else 4.0 * max(low.price, trial.price)
    if low.price < price < high.price:
        return float(price)
    return float(np.sqrt(low.price * high.price)) if low.price > 0.0 else high.price / 8.0


def _on_line(found: _Trial, objective: float, missed: float, started: float) -> Solution:
    residual = max(found.answer.residual, missed)
    if residual > PROVEN:
        raise UnsolvedError(f"The search along the frontier ended {missed:.3g} away. Rescale the inputs.")
    return solution(replace(found.answer, residual=residual), objective, started)
