"""Historical simulation: past returns as they came, weighted by age, or scaled to the volatility of today.

Several periods are compounded from the past itself, over windows that overlap or follow each other. Windows that
overlap use every return but are not independent, so they carry the evidence of about T / horizon observations.
"""

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.tail_count import check_tail
from nt_ray.risk.historical import tail_of, weighted_tail
from nt_ray.risk.measures.series import compound, portfolio_returns
from nt_ray.risk.measures.tail import Tail
from nt_ray.risk.volatility import GARCH_LEAST, check_decay, ewma_volatility, fit_garch
from nt_ray.types import FloatArray


def historical(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    overlapping: bool = True,
) -> Tail:
    """Measure the tail of past returns, each counted alike; conventions of `nt_ray.risk.historical`."""
    windows = _windows(portfolio_returns(returns, weights), confidence, horizon, overlapping)
    var, es = tail_of(windows, confidence)
    return Tail(
        var=var,
        es=es,
        method="historical",
        confidence=confidence,
        horizon=horizon,
        observations=windows.size,
        notes=_window_notes(horizon, overlapping),
    )


def age_weighted(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    decay: float = 0.98,
    overlapping: bool = True,
) -> Tail:
    """Measure the tail of past returns whose weight falls with their age.

    Notes
    -----
    The i-th newest of n weighs decay^(i-1) (1 - decay) / (1 - decay^n); a window is as old as its last period.
    Boudoukh, Richardson and Whitelaw (1998), The best of both worlds. VaR is a loss that happened; it is not
    interpolated between two.
    """
    windows = _windows(portfolio_returns(returns, weights), confidence, horizon, overlapping)
    shares = age_weights(windows.size, decay ** (1 if overlapping else horizon))
    var, es = weighted_tail(windows, shares, confidence)
    notes = [f"weights fall by {1.0 - decay:.3g} a period: as {1.0 / float(shares @ shares):.0f} equal observations"]
    if shares[-1] > 1.0 - confidence:
        notes.append("the newest return alone weighs more than the tail")
    return Tail(
        var=var,
        es=es,
        method="age_weighted",
        confidence=confidence,
        horizon=horizon,
        observations=windows.size,
        notes=(*notes, *_window_notes(horizon, overlapping)),
    )


def volatility_weighted(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    volatility: str = "ewma",
    decay: float = 0.94,
    overlapping: bool = True,
) -> Tail:
    """Measure the tail of past returns scaled from the volatility of their day to the one forecast now.

    Parameters
    ----------
    volatility
        "ewma" with `decay`, or "garch" for a GARCH(1,1) fit by maximum likelihood.

    Notes
    -----
    Return t becomes r(t) sigma(T+1) / sigma(t), sigma(t) as forecast from the returns before t. Hull and White
    (1998), Incorporating volatility updating into the historical simulation method. Over several periods the
    volatility stays at today's forecast.
    """
    series = portfolio_returns(returns, weights, least=2 if volatility == "ewma" else GARCH_LEAST)
    if volatility == "ewma":
        path, what = ewma_volatility(series, decay), f"ewma volatility with decay {decay:g}"
    elif volatility == "garch":
        path, what = fit_garch(series).volatility(series), "garch(1,1) volatility"
    else:
        raise RiskError(f"Volatility {volatility!r} is unknown. Use 'ewma' or 'garch'.")
    if not path.min() > 0.0:
        raise RiskError(f"Volatility is zero at return {int(path.argmin())}. Give returns that vary.")
    windows = _windows(series * (path[-1] / path[:-1]), confidence, horizon, overlapping)
    var, es = tail_of(windows, confidence)
    held = (f"volatility stays at today's forecast for all {horizon} periods",) if horizon > 1 else ()
    return Tail(
        var=var,
        es=es,
        method="volatility_weighted",
        confidence=confidence,
        horizon=horizon,
        observations=windows.size,
        notes=(f"{what}, {path[-1]:.3g} forecast for the next period", *held, *_window_notes(horizon, overlapping)),
    )


def age_weights(observations: int, decay: float) -> FloatArray:
    """Return (n,) weights that fall with age and sum to 1, oldest first."""
    check_decay(decay)
    shares: FloatArray = decay ** np.arange(observations - 1, -1, -1, dtype=np.float64)
    shares /= shares.sum()
    return shares


def _windows(series: FloatArray, confidence: float, horizon: int, overlapping: bool) -> FloatArray:
    windows = compound(series, horizon, overlapping=overlapping)
    check_tail(windows.size, confidence)
    return windows


def _window_notes(horizon: int, overlapping: bool) -> tuple[str, ...]:
    if horizon == 1:
        return ()
    kind = "overlapping windows, which are not independent," if overlapping else "windows end to end"
    return (f"compounded over {kind} of {horizon} periods",)
