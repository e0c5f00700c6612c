"""Returns as the measures read them: of one portfolio, over one period or compounded over several."""

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_horizon, check_returns, check_series, check_weights
from nt_ray.types import FloatArray


def portfolio_returns(returns: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, least: int = 2) -> FloatArray:
    """Return (T,) returns of a portfolio from its own (T,) or from its assets' (T, N) and (N,) weights."""
    if weights is None:
        if np.ndim(returns) == 2:
            raise RiskError(f"Returns of {np.shape(returns)[1]} assets came without weights. Give one weight an asset.")
        return check_series(returns, least=least)
    panel = check_returns(returns, least=least)
    return panel @ check_weights(weights, panel.shape[1])


def compound(returns: FloatArray, horizon: int, *, overlapping: bool = True) -> FloatArray:
    """Compound simple returns over windows of `horizon` periods.

    Parameters
    ----------
    returns
        (T,) or (T, N) simple returns, oldest first.
    horizon
        Periods in a window.
    overlapping
        Windows that begin at every period, T - horizon + 1 of them; else windows end to end, floor(T / horizon)
        of them, the last of which ends with the last return.
    """
    check_horizon(horizon)
    if len(returns) < horizon:
        raise RiskError(f"{len(returns)} returns hold no window of {horizon}. Give more returns, or a shorter horizon.")
    if horizon == 1:
        return returns
    windows = np.lib.stride_tricks.sliding_window_view(1.0 + returns, horizon, axis=0)
    if not overlapping:
        windows = windows[(len(returns) - horizon) % horizon :: horizon]
    compounded: FloatArray = np.prod(windows, axis=-1) - 1.0
    return compounded


def spread_of(returns: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation (ddof 1) of a series that moves."""
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    # Constant returns leave the rounding of their mean as a deviation.
    if not deviation > 1e-14 * float(np.abs(returns).max()):
        raise RiskError(f"All {returns.size} returns equal {mean:g}. Give returns that vary.")
    return mean, deviation
