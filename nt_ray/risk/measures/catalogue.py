"""All measures by name, one at a time or side by side.

A measure is a function of the shape `nt_ray.risk.measures.tail.Measure`; what is in `MEASURES` can be named in
configuration, rolled over history and compared.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.cornish_fisher import cornish_fisher
from nt_ray.risk.measures.filtered import filtered
from nt_ray.risk.measures.historical import age_weighted, historical, volatility_weighted
from nt_ray.risk.measures.normal import normal
from nt_ray.risk.measures.student_t import student_t
from nt_ray.risk.measures.tail import Measure, Tail
from nt_ray.risk.monte_carlo.measures import monte_carlo_normal, monte_carlo_t, monte_carlo_t_copula

MEASURES: dict[str, Measure] = {
    "historical": historical,
    "age_weighted": age_weighted,
    "volatility_weighted": volatility_weighted,
    "normal": normal,
    "student_t": student_t,
    "cornish_fisher": cornish_fisher,
    "filtered": filtered,
    "monte_carlo_normal": monte_carlo_normal,
    "monte_carlo_t": monte_carlo_t,
    "monte_carlo_t_copula": monte_carlo_t_copula,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Measures side by side, and why those that are missing refused."""

    tails: dict[str, Tail]
    refused: dict[str, str]


def measure(
    name: str,
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    *,
    weights: npt.ArrayLike | None = None,
    **params: Any,
) -> Tail:
    """Measure the tail by the method of this name; `params` are the method's own."""
    function = _known(name)
    own = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for key in params:
        if key not in own:
            raise RiskError(f"Measure {name!r} has no parameter {key!r}. It has: {', '.join(own)}.")
    return function(returns, check_confidence(confidence), check_horizon(horizon), weights=weights, **params)


def all_measures(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    *,
    weights: npt.ArrayLike | None = None,
    names: Iterable[str] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Measure the tail by every method, or those named; one that refuses these returns does not stop the others.

    Parameters
    ----------
    params
        Parameters by the name of the measure they belong to.
    """
    chosen, given = tuple(MEASURES if names is None else names), params or {}
    for name in (*chosen, *given):
        _known(name)
    check_confidence(confidence)
    check_horizon(horizon)
    tails: dict[str, Tail] = {}
    refused: dict[str, str] = {}
    for name in chosen:
        try:
            tails[name] = measure(name, returns, confidence, horizon, weights=weights, **given.get(name, {}))
        except RiskError as error:
            refused[name] = str(error)
    return Comparison(tails=tails, refused=refused)


def _known(name: str) -> Measure:
    if name not in MEASURES:
        raise RiskError(f"There is no measure {name!r}. Known: {', '.join(MEASURES)}.")
    return MEASURES[name]
