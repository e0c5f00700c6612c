"""Covariance after a shock: volatilities multiplied, correlations raised, made valid again, with a report."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.portfolio.moments.nearest import nearest_psd
from nt_ray.portfolio.moments.standard import join, split
from nt_ray.types import FloatArray

RaiseMethod: TypeAlias = Literal["add", "toward_one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShockedCovariance:
    """A covariance under stress, positive semi-definite."""

    covariance: FloatArray
    """(N, N)"""
    repairs: tuple[str, ...]
    """What was changed beyond what was asked, to keep it valid; empty where nothing was."""
    assumptions: tuple[str, ...]


def shocked_covariance(
    covariance: npt.ArrayLike, *, volatility: float = 1.0, correlation: float = 0.0, method: RaiseMethod = "add"
) -> ShockedCovariance:
    """Covariance with every volatility multiplied and every correlation raised.

    Parameters
    ----------
    covariance
        (N, N), positive semi-definite, positive variances.
    volatility
        Positive factor.
    correlation
        In [0, 1]. add: added to every correlation, at most up to one; the result may be no correlation matrix and is
        then replaced by the nearest, which `repairs` tells. toward_one: that share of the way to one, always valid.
    """
    if method not in get_args(RaiseMethod):
        raise RiskError(f"Unknown method {method!r}. Known: {', '.join(get_args(RaiseMethod))}.")
    if not 0.0 < volatility < np.inf or not 0.0 <= correlation <= 1.0:
        raise RiskError(
            f"Volatility factor {volatility} and correlation {correlation} cannot be used. "
            "Give a positive factor, and between 0 and 1."
        )
    matrix = check_covariance(covariance)
    check_semidefinite(matrix)
    given, volatilities = split(matrix)
    if method == "add":
        wanted = np.minimum(given + correlation, 1.0)
        how = f"{correlation:g} added to every correlation"
    else:
        wanted = given + correlation * (1.0 - given)
        how = f"every correlation {correlation:.0%} of the way to one"
    np.fill_diagonal(wanted, 1.0)
    repair = nearest_psd(wanted)
    return ShockedCovariance(
        covariance=join(repair.matrix, volatility * volatilities),
        repairs=(repair.describe(),) if repair.changed else (),
        assumptions=(f"volatilities times {volatility:g}, {how}",),
    )
