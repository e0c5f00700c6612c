"""Regimes of volatility and correlation: a hidden Markov model with Gaussian states.

Each state has its own mean and covariance, so a state is a regime of volatility and of correlation at once; states
are ordered from the calm to the wild. The model is fitted on returns given once. What `RegimeModel.filter` says of a
period depends on that period and earlier ones alone, from the stationary distribution on: fit on the past and filter
the present, and nothing of the future is used.

Source: Baum, Petrie, Soules and Weiss (1970) for the fit by expectation and maximisation; Hamilton (1989), A new
approach to the economic analysis of nonstationary time series, Econometrica 57, 357-384, for the filter.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.philox import generator
from nt_ray.portfolio.hidden_markov import (
    backward_into,
    forward_into,
    likelihood,
    log_densities,
    moves_into,
    relative_densities,
    stationary,
)
from nt_ray.portfolio.inputs import check_returns, is_whole
from nt_ray.portfolio.moments.standard import check_varying, split
from nt_ray.types import FloatArray

_LEAST_VARIANCE = 1e-4
"""Smallest variance of a state in any direction, in units of the whole panel's: likelihood has no bound below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeModel:
    """A fitted hidden Markov model of K states and N assets."""

    means: FloatArray
    """(K, N)"""
    covariances: FloatArray
    """(K, N, N)"""
    transitions: FloatArray
    """(K, K); row i holds the chances of going from state i to each state."""
    log_likelihood: float
    """Of the returns it was fitted on, from the stationary distribution."""
    iterations: int
    converged: bool
    floored: bool
    """Whether some state's variance was held at its least value; then it stands for few periods."""

    @property
    def stationary(self) -> FloatArray:
        """Share (K,) of time in each state in the long run."""
        return stationary(self.transitions)

    @property
    def durations(self) -> FloatArray:
        """Mean number of periods (K,) that a state lasts."""
        return np.asarray(1.0 / (1.0 - np.minimum(self.transitions.diagonal(), 1.0 - 1e-15)))

    @property
    def volatilities(self) -> FloatArray:
        """Volatility (K, N) of each asset in each state, per period."""
        return np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))

    @property
    def correlations(self) -> FloatArray:
        """Correlations (K, N, N) in each state."""
        return np.stack([split(covariance)[0] for covariance in self.covariances])

    def bic(self, periods: int) -> float:
        """Return the Bayesian information criterion of the fit on so many periods; lower is better."""
        states, assets = self.means.shape
        free = states * (states - 1) + states * assets + states * assets * (assets + 1) // 2
        return float(free * np.log(periods) - 2.0 * self.log_likelihood)

    def filter(self, returns: npt.ArrayLike) -> FloatArray:
        """Return the chances (T, K) of each state given the returns (T, N) up to and with each period."""
        return self._run(returns)[0]

    def forecast(self, returns: npt.ArrayLike) -> FloatArray:
        """Return the chances (T, K) of each state in the period after each, given the returns up to it."""
        return np.asarray(self.filter(returns) @ self.transitions)

    def smooth(self, returns: npt.ArrayLike) -> FloatArray:
        """Return the chances (T, K) of each state given all returns (T, N), later ones too: for looking back only."""
        forward, scales, densities = self._run(returns)
        backward = np.empty_like(forward)
        backward_into(densities, self.transitions, scales, backward)
        return np.asarray(forward * backward)

    def log_likelihood_of(self, returns: npt.ArrayLike) -> float:
        """Return the log-likelihood of other returns (T, N)."""
        values = _panel(returns)
        logs = log_densities(values, self.means, self.covariances)
        return likelihood(self._run(returns)[1], logs)

    def _run(self, returns: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        values = _panel(returns)
        if values.shape[1] != self.means.shape[1]:
            raise RiskError(f"{values.shape[1]} assets, but the model has {self.means.shape[1]}. Give the same ones.")
        densities = relative_densities(log_densities(values, self.means, self.covariances))
        forward, scales = np.empty(densities.shape), np.empty(values.shape[0])
        forward_into(densities, self.transitions, self.stationary, forward, scales)
        return forward, scales, densities


def fit_regimes(
    returns: npt.ArrayLike, *, states: int = 2, starts: int = 4, seed: int = 0, iterations: int = 500,
    tolerance: float = 1e-8,
) -> RegimeModel:  # fmt: skip
    """Fit regimes by maximum likelihood.

    Parameters
    ----------
    returns
        (T,) or (T, N) simple returns; NaN is refused.
    states
        Number of regimes, from 2 on.
    starts
        The first start sorts periods by the size of recent moves; the others are random by `seed`. The best wins.
    iterations
        Rounds of expectation and maximisation at most, in each start.
    tolerance
        Rounds end when one adds less than this to the log-likelihood, relative to the number of periods.
    """
    values = _panel(returns)
    periods, assets = values.shape
    if not (is_whole(states, 2) and is_whole(starts, 1) and is_whole(iterations, 1)):
        raise RiskError(
            f"states={states}, starts={starts}, iterations={iterations}. Give at least 2 states, 1 of each."
        )
    if periods < 10 * states * (assets + 1):
        raise RiskError(
            f"{periods} periods are too few for {states} regimes of {assets} assets. Give at least "
            f"{10 * states * (assets + 1)}."
        )
    check_varying(values)
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scores = np.ascontiguousarray((values - centre) / scale)
    tried = (_climb(scores, _begin(scores, states, number, seed), iterations, tolerance) for number in range(starts))
    found = [fit for fit in tried if fit is not None]
    if not found:
        raise RiskError(
            f"The returns do not hold {states} regimes: one of them vanished in every start. Ask for fewer."
        )
    return _model(values, max(found, key=lambda fit: fit.likelihood), centre, scale)


@dataclass(frozen=True, slots=True)
class _Fit:
    means: FloatArray
    covariances: FloatArray
    transitions: FloatArray
    likelihood: float
    iterations: int
    converged: bool
    floored: bool


def _begin(scores: FloatArray, states: int, number: int, seed: int) -> FloatArray:
    """First guess of the chances (T, K) of each state."""
    periods = scores.shape[0]
    if number == 0:
        recent = np.convolve(np.square(scores).mean(axis=1), np.full(10, 0.1), mode="same")
        place = np.argsort(np.argsort(recent, kind="stable"), kind="stable") * states // periods
    else:
        # Random blocks, so that states may persist.
        draws = generator(seed, 0, number).integers(0, states, size=periods // 20 + 1)
        place = np.repeat(draws, 20)[:periods]
    return np.asarray(0.9 * np.eye(states)[place] + 0.1 / states)


def _climb(scores: FloatArray, chances: FloatArray, iterations: int, tolerance: float) -> _Fit | None:
    """Alternate expectation and maximisation; None where a state vanishes."""
    periods, assets = scores.shape
    states = chances.shape[1]
    transitions = np.full((states, states), 0.1 / (states - 1))
    np.fill_diagonal(transitions, 0.9)
    forward, backward, scales = np.empty_like(chances), np.empty_like(chances), np.empty(periods)
    moves = np.empty_like(transitions)
    last = -np.inf
    for iteration in range(1, iterations + 1):
        if chances.sum(axis=0).min() < assets + 1:
            return None
        means, covariances, floored = _maximise(scores, chances)
        logs = log_densities(scores, means, covariances)
        densities = relative_densities(logs)
        forward_into(densities, transitions, chances[0] / chances[0].sum(), forward, scales)
        backward_into(densities, transitions, scales, backward)
        reached = likelihood(scales, logs)
        if reached - last <= tolerance * periods:
            return _Fit(means, covariances, transitions, reached, iteration, True, floored)
        if iteration == iterations:
            return _Fit(means, covariances, transitions, reached, iteration, False, floored)
        moves_into(densities, transitions, forward, backward, scales, moves)
        chances = forward * backward
        transitions = moves / moves.sum(axis=1, keepdims=True)
        last = reached
    return None


def _maximise(scores: FloatArray, chances: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
    weights = chances / chances.sum(axis=0)
    means = weights.T @ scores
    covariances = np.empty((chances.shape[1], scores.shape[1], scores.shape[1]))
    floored = False
    for state, mean in enumerate(means):
        centred = scores - mean
        matrix = (centred * weights[:, state, None]).T @ centred
        values, vectors = np.linalg.eigh((matrix + matrix.T) * 0.5)
        if values[0] < _LEAST_VARIANCE:
            floored = True
            values = np.maximum(values, _LEAST_VARIANCE)
        covariances[state] = (vectors * values) @ vectors.T
    return means, covariances, floored


def _model(values: FloatArray, fit: _Fit, centre: FloatArray, scale: FloatArray) -> RegimeModel:
    """Back to units of returns, states from calm to wild."""
    order = np.argsort(np.trace(fit.covariances, axis1=1, axis2=2), kind="stable")
    model = RegimeModel(
        means=centre + fit.means[order] * scale, covariances=fit.covariances[order] * np.outer(scale, scale),
        transitions=np.ascontiguousarray(fit.transitions[np.ix_(order, order)]), log_likelihood=np.nan,
        iterations=fit.iterations, converged=fit.converged, floored=fit.floored,
    )  # fmt: skip
    return replace(model, log_likelihood=model.log_likelihood_of(values))


def _panel(returns: npt.ArrayLike) -> FloatArray:
    values = np.asarray(returns, dtype=np.float64)
    return check_returns(values[:, None] if values.ndim == 1 else values, least=1)
