"""Objectives by name, so that one call and one command reach every optimiser.

All moments of a task belong to one period, such as a year; the scenarios of `min_cvar` keep their own. Constraints that
an optimiser cannot honour it refuses itself.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints, Linear
from nt_ray.portfolio.optimise.curvature import Covariance
from nt_ray.portfolio.optimise.cvar import min_cvar
from nt_ray.portfolio.optimise.erc import risk_parity
from nt_ray.portfolio.optimise.frontier import max_sharpe, target_return, target_volatility
from nt_ray.portfolio.optimise.herc import herc
from nt_ray.portfolio.optimise.hrp import hrp
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.portfolio.optimise.solution import Solution
from nt_ray.types import FloatArray

_LONG_ONLY = Constraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be optimised."""

    covariance: Covariance
    expected: FloatArray
    """(N,) expected returns; objectives of risk alone do not look at them."""
    scenarios: FloatArray
    """(T, N) simple returns of one bar, for `min_cvar`."""
    bars: float = 1.0
    """Bars in the period of the moments."""
    constraints: Constraints = _LONG_ONLY
    risk_aversion: float = 4.0
    rate: float = 0.0
    """Riskless return of the period, for `max_sharpe` and `kelly`."""
    target: float | None = None
    """Return or volatility of the period to reach, by the objective's name; `min_cvar` may have a return."""
    confidence: float = 0.95


def optimise(objective: str, task: Task) -> Solution:
    """Solve a task for the objective of a name."""
    if objective not in OBJECTIVES:
        near = difflib.get_close_matches(objective, OBJECTIVES, n=1, cutoff=0.0)[0]
        raise RiskError(
            f"There is no objective {objective!r}. Its nearest is {near!r}; known: {', '.join(OBJECTIVES)}."
        )
    return OBJECTIVES[objective](task)


def _target(task: Task) -> float:
    if task.target is None:
        raise RiskError("The objective needs a target and has none. Give the return or the volatility to reach.")
    return task.target


def _min_cvar(task: Task) -> Solution:
    least = None if task.target is None else task.target / task.bars
    return min_cvar(
        task.scenarios, task.confidence, task.constraints, target_return=least, expected=task.expected / task.bars
    )


def _kelly(task: Task) -> Solution:
    """Continuous Kelly: mean-variance at a risk aversion of 1, up to the whole budget, the rest at the rate."""
    limits = task.constraints
    if limits.budget is not None:
        whole = Linear(name="budget", loadings=np.ones(task.expected.size), upper=limits.budget)
        limits = replace(limits, budget=None, linear=(*limits.linear, whole))
    return mean_variance(task.expected - task.rate, task.covariance, 1.0, limits)


OBJECTIVES: Mapping[str, Callable[[Task], Solution]] = MappingProxyType(
    {
        "minimum_variance": lambda task: minimum_variance(task.covariance, task.constraints),
        "mean_variance": lambda task: mean_variance(
            task.expected, task.covariance, task.risk_aversion, task.constraints
        ),
        "max_sharpe": lambda task: max_sharpe(task.expected, task.covariance, task.rate, task.constraints),
        "target_return": lambda task: target_return(task.expected, task.covariance, _target(task), task.constraints),
        "target_volatility": lambda task: target_volatility(
            task.expected, task.covariance, _target(task), task.constraints
        ),
        "min_cvar": _min_cvar,
        "risk_parity": lambda task: risk_parity(task.covariance, constraints=task.constraints),
        "hrp": lambda task: hrp(task.covariance, constraints=task.constraints),
        "herc": lambda task: herc(task.covariance, constraints=task.constraints),
        "kelly": _kelly,
    }
)
"""Every objective that is one portfolio; `frontier` of `nt_ray.portfolio.optimise.frontier` is many."""
