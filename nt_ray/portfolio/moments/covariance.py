"""Covariance estimators by name, so that configuration can choose one.

Every estimator takes a panel (T, N) of finite returns, refuses what is missing by name, and gives a covariance per
period: dense (N, N), or in factor form.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nt_ray.errors import ConfigError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.portfolio.moments.denoised import denoised
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.moments.factors import given_factors, principal_factors
from nt_ray.portfolio.moments.sample import ewma, sample
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf, oas
from nt_ray.types import FloatArray

Covariance: TypeAlias = FloatArray | FactorCovariance

ESTIMATORS: Mapping[str, Callable[..., Covariance]] = MappingProxyType(
    {
        "sample": sample,
        "ewma": ewma,
        "ledoit_wolf": ledoit_wolf,
        "oas": oas,
        "denoised": denoised,
        "given_factors": given_factors,
        "principal_factors": principal_factors,
    }
)


def estimate(name: str, returns: npt.ArrayLike, *, assets: Sequence[str] | None = None, **params: Any) -> Covariance:
    """Estimate the covariance of returns (T, N) by the estimator of a name, with parameters of its own.

    `assets` (N,) names the columns in errors.
    """
    estimator = ESTIMATORS.get(name)
    if estimator is None:
        near = difflib.get_close_matches(name, ESTIMATORS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"There is no covariance {name!r}. The nearest is {near!r}; known: {', '.join(ESTIMATORS)}.")
    known = [parameter for parameter in inspect.signature(estimator).parameters if parameter != "returns"]
    unknown = [parameter for parameter in params if parameter not in known]
    if unknown:
        raise ConfigError(f"Covariance {name!r} has no parameter {unknown[0]!r}. It has: {', '.join(known) or 'none'}.")
    missing = [
        key for key, parameter in inspect.signature(estimator).parameters.items()
        if parameter.default is inspect.Parameter.empty and key != "returns" and key not in params
    ]  # fmt: skip
    if missing:
        raise ConfigError(f"Covariance {name!r} needs the parameter {missing[0]!r}. Give it.")
    return estimator(check_returns(returns, names=assets), **params)


def dense(covariance: Covariance) -> FloatArray:
    """Return a covariance of either form as a matrix (N, N)."""
    return covariance.dense() if isinstance(covariance, FactorCovariance) else np.asarray(covariance)
