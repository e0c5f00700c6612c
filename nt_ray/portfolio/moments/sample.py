"""The sample covariance and the exponentially weighted one of RiskMetrics.

Both are per period of the returns: nothing is annualised here.
"""

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.types import FloatArray


def sample(returns: npt.ArrayLike, *, singular: bool = False) -> FloatArray:
    """Estimate the unbiased sample covariance (N, N) of returns (T, N).

    With T <= N the matrix is singular and promises portfolios without any risk; it is refused unless `singular`
    says that this is known. NaN is refused.
    """
    values = check_returns(returns)
    periods, assets = values.shape
    if periods <= assets and not singular:
        raise RiskError(
            f"{periods} periods cannot give {assets} assets a covariance that can be inverted. Give at least "
            f"{assets + 1}, shrink it with ledoit_wolf, or allow it with singular=True."
        )
    centred = values - values.mean(axis=0)
    return np.asarray(centred.T @ centred / (periods - 1))


def ewma(returns: npt.ArrayLike, *, decay: float = 0.94) -> FloatArray:
    """Estimate the exponentially weighted covariance (N, N) of returns (T, N) around zero.

    The latest period weighs most, each earlier one `decay` times the next; weights sum to 1 over the T periods given.
    NaN is refused. Source: J.P. Morgan/Reuters, RiskMetrics Technical Document (1996), section 5.2, which takes the
    mean of daily returns as zero and a decay of 0.94 for days, 0.97 for months.
    """
    values = check_returns(returns)
    scaled = values * np.sqrt(decay_weights(values.shape[0], decay))[:, None]
    return np.asarray(scaled.T @ scaled)


def decay_weights(periods: int, decay: float) -> FloatArray:
    """Return weights (T,) that sum to 1, the last one largest, each `decay` times the next."""
    if not 0.0 < decay < 1.0:
        raise RiskError(f"decay={decay} does not lie between 0 and 1. Use a value such as 0.94.")
    weights = decay ** np.arange(periods - 1, -1, -1, dtype=np.float64)
    return np.asarray(weights / weights.sum())
