import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from nt_ray.portfolio.hidden_markov import (
    backward_into,
    forward_into,
    likelihood,
    log_densities,
    moves_into,
    relative_densities,
    stationary,
)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), states=st.integers(2, 3), assets=st.integers(1, 3))
def test_recursions_equal_the_sum_over_all_paths(seed: int, states: int, assets: int) -> None:
    draws = np.random.default_rng(seed)
    periods = 5
    values, means = draws.normal(size=(periods, assets)), draws.normal(size=(states, assets))
    roots = draws.normal(size=(states, assets, assets))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(assets)
    moves = draws.dirichlet(np.ones(states), states)
    start = draws.dirichlet(np.ones(states))

    logs = log_densities(values, means, covariances)
    by_scipy = [multivariate_normal(m, c).logpdf(values) for m, c in zip(means, covariances, strict=True)]
    np.testing.assert_allclose(logs, np.array(by_scipy).reshape(states, periods).T, rtol=1e-9, atol=1e-9)
    densities = relative_densities(logs)
    forward, backward, scales = np.empty((periods, states)), np.empty((periods, states)), np.empty(periods)
    counted = np.empty((states, states))
    forward_into(densities, moves, start, forward, scales)
    backward_into(densities, moves, scales, backward)
    moves_into(densities, moves, forward, backward, scales, counted)

    paths = np.array(list(itertools.product(range(states), repeat=periods)))
    weights = np.log(start[paths[:, 0]]) + logs[np.arange(periods), paths].sum(axis=1)
    weights += np.log(moves[paths[:, :-1], paths[:, 1:]]).sum(axis=1)
    assert likelihood(scales, logs) == pytest.approx(logsumexp(weights), rel=1e-10)
    chances = np.exp(weights - logsumexp(weights))
    for k in range(states):
        np.testing.assert_allclose((forward * backward)[:, k], chances @ (paths == k), atol=1e-10)
        for j in range(states):
            together = ((paths[:, :-1] == k) & (paths[:, 1:] == j)).sum(axis=1)
            assert counted[k, j] == pytest.approx(chances @ together, abs=1e-9)


def test_the_stationary_distribution_stays() -> None:
    moves = np.array([[0.9, 0.1], [0.3, 0.7]])
    np.testing.assert_allclose(stationary(moves), [0.75, 0.25])


def test_far_outliers_do_not_underflow() -> None:
    logs = log_densities(np.array([[0.0], [1e4], [0.0]]), np.zeros((2, 1)), np.array([[[1.0]], [[4.0]]]))
    forward, scales = np.empty((3, 2)), np.empty(3)
    forward_into(relative_densities(logs), np.full((2, 2), 0.5), np.full(2, 0.5), forward, scales)
    assert np.isfinite(forward).all()
    assert np.isfinite(likelihood(scales, logs))
