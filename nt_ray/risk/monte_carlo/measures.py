"""Monte Carlo measures of the tail, in the shape of `nt_ray.risk.measures.tail.Measure`."""

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon, check_returns, check_series, check_weights
from nt_ray.portfolio.tail_count import check_tail
from nt_ray.risk.measures.tail import Tail
from nt_ray.risk.monte_carlo.models import (
    NormalModel,
    PortfolioModel,
    StudentModel,
    fit_copula,
    fit_normal,
    fit_student,
)
from nt_ray.risk.monte_carlo.scenarios import COUNT, Plan, Tails, make
from nt_ray.types import FloatArray


def monte_carlo_normal(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    scenarios: int = COUNT,
    seed: int = 0,
) -> Tail:
    """Measure the tail of normal returns with the sample's mean and covariance on simulated scenarios."""
    check_tail(scenarios, confidence)
    panel, held = _assets(returns, weights)
    tails = simulate(fit_normal(panel), held, confidence, horizon=horizon, scenarios=scenarios, seed=seed)
    return _tail(tails, "monte_carlo_normal", horizon, (f"seed {seed}, mean and covariance of {len(panel)} returns",))


def monte_carlo_t(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    degrees: float | None = None,
    scenarios: int = COUNT,
    seed: int = 0,
) -> Tail:
    """Measure the tail of multivariate t returns with the sample's mean and covariance on simulated scenarios.

    Parameters
    ----------
    degrees
        Of freedom, above 2; the likeliest ones where None.
    """
    check_tail(scenarios, confidence)
    panel, held = _assets(returns, weights)
    model = fit_student(panel, degrees=degrees)
    tails = simulate(model, held, confidence, horizon=horizon, scenarios=scenarios, seed=seed)
    return _tail(tails, "monte_carlo_t", horizon, (f"seed {seed}, {model.degrees:.3g} degrees of freedom",))


def monte_carlo_t_copula(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    degrees: float | None = None,
    scenarios: int = COUNT,
    seed: int = 0,
) -> Tail:
    """Measure the tail of the assets' own past returns joined by a t copula, on simulated scenarios.

    Parameters
    ----------
    degrees
        Of freedom of the copula, above 2; the likeliest ones where None.
    """
    check_tail(scenarios, confidence)
    panel, held = _assets(returns, weights)
    model = fit_copula(panel, degrees=degrees)
    found = make(Plan(model=model, count=scenarios, seed=seed, horizon=check_horizon(horizon)))
    notes = [f"seed {seed}, copula of {model.degrees:.3g} degrees of freedom"]
    notes.append("no asset moves farther in a period than it ever did in the sample")
    if model.repair is not None and model.repair.changed:
        notes.append(model.repair.describe())
    return _tail(found.evaluate(held, confidence), "monte_carlo_t_copula", horizon, tuple(notes))


def simulate(
    model: NormalModel | StudentModel,
    weights: npt.ArrayLike,
    confidence: float,
    *,
    horizon: int = 1,
    scenarios: int = COUNT,
    seed: int = 0,
    double: bool = False,
    threads: int | None = None,
) -> Tails:
    """Measure one portfolio (N,) without keeping scenarios of its assets; the same ones up to rounding."""
    held = check_weights(weights, model.assets)
    projected = PortfolioModel(whole=model, weights=held[None, :])
    plan = Plan(model=projected, count=scenarios, seed=seed, horizon=horizon, double=double)
    return make(plan, threads=threads).evaluate(np.ones(1), check_confidence(confidence), threads=threads)


def _assets(returns: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Return a panel (T, N) and weights (N,); a portfolio's own returns are an asset."""
    if weights is None:
        if np.ndim(returns) == 2:
            raise RiskError(f"Returns of {np.shape(returns)[1]} assets came without weights. Give one weight an asset.")
        return check_series(returns, least=2)[:, None], np.ones(1)
    panel = check_returns(returns)
    return panel, check_weights(weights, panel.shape[1])


def _tail(tails: Tails, method: str, horizon: int, notes: tuple[str, ...]) -> Tail:
    added = ("returns of independent periods add up",) if horizon > 1 else ()
    return Tail(
        var=float(tails.var[0]),
        es=float(tails.es[0]),
        method=method,
        confidence=tails.confidence,
        horizon=horizon,
        observations=tails.scenarios,
        notes=(*notes, *added),
    )
