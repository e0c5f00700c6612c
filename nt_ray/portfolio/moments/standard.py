"""Between a covariance and its parts: correlations and volatilities; and what has neither, as it does not vary."""

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import BoolArray, FloatArray

_STILL = 1e-12
"""Standard deviation, relative to the largest value, that is only rounding."""


def still(values: FloatArray) -> BoolArray:
    """Tell which columns of values (T, N) do not vary beyond rounding."""
    return np.asarray(values.std(axis=0) <= _STILL * np.abs(values).max(axis=0))


def check_varying(values: FloatArray, what: str = "Asset") -> None:
    """Refuse values (T, N) of which some column does not vary."""
    columns = still(values)
    if columns.any():
        raise RiskError(f"{what} {int(np.argmax(columns))} does not vary. Leave it out.")


def split(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the correlations (N, N), with ones on the diagonal, and the volatilities (N,) of a checked covariance."""
    volatilities = np.sqrt(covariance.diagonal())
    if not volatilities.all():
        at = int(np.argmin(volatilities))
        raise RiskError(f"Asset {at} has no variance, so it has no correlation. Leave it out.")
    correlations = covariance / np.outer(volatilities, volatilities)
    np.fill_diagonal(correlations, 1.0)
    return correlations, volatilities


def join(correlations: FloatArray, volatilities: FloatArray) -> FloatArray:
    """Return the covariance (N, N) of correlations (N, N) and volatilities (N,)."""
    return np.asarray(correlations * np.outer(volatilities, volatilities))
