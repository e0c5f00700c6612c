"""Recursions of a hidden Markov model with Gaussian states.

Densities of a period are kept relative to the largest of them, and forward chances are scaled to sum to 1, so nothing
underflows however long the series. Source: Rabiner (1989), A tutorial on hidden Markov models, Proceedings of the IEEE
77, 257-286, section V.A on scaling.
"""

import math

import numpy as np
from numba import float64, njit, void
from scipy.linalg import solve_triangular

from nt_ray.types import FloatArray


def log_densities(values: FloatArray, means: FloatArray, covariances: FloatArray) -> FloatArray:
    """Return Gaussian log-densities (T, K) of values (T, N) under means (K, N) and definite covariances (K, N, N)."""
    result = np.empty((values.shape[0], means.shape[0]))
    for state, mean in enumerate(means):
        factor = np.linalg.cholesky(covariances[state])
        away = solve_triangular(factor, (values - mean).T, lower=True, check_finite=False)
        constant = float(np.log(factor.diagonal()).sum()) + 0.5 * values.shape[1] * math.log(2.0 * math.pi)
        result[:, state] = -0.5 * np.einsum("it,it->t", away, away) - constant
    return result


def relative_densities(logs: FloatArray) -> FloatArray:
    """Return densities (T, K) divided by the largest of each period."""
    return np.asarray(np.exp(logs - logs.max(axis=1, keepdims=True)))


def likelihood(scales: FloatArray, logs: FloatArray) -> float:
    """Return the log-likelihood from the scales (T,) of the forward recursion and the log-densities (T, K)."""
    return float(np.log(scales).sum() + logs.max(axis=1).sum())


def stationary(transitions: FloatArray) -> FloatArray:
    """Return the distribution (K,) that transitions (K, K) leave as it is."""
    states = transitions.shape[0]
    system = np.vstack([transitions.T - np.eye(states), np.ones(states)])
    found = np.linalg.lstsq(system, np.append(np.zeros(states), 1.0))[0]
    found = np.maximum(found, 0.0)
    return np.asarray(found / found.sum())


@njit(
    void(float64[:, ::1], float64[:, ::1], float64[::1], float64[:, ::1], float64[::1]), cache=True, nogil=True
)  # fmt: skip
def forward_into(
    densities: FloatArray, transitions: FloatArray, start: FloatArray, chances: FloatArray, scales: FloatArray
) -> None:
    """Write the chances (T, K) of each state given periods up to each, and each period's scale (T,).

    `start` (K,) holds the chances of the first period before it is seen.
    """
    periods, states = densities.shape
    for t in range(periods):
        total = 0.0
        for k in range(states):
            before = start[k]
            if t > 0:
                before = 0.0
                for j in range(states):
                    before += chances[t - 1, j] * transitions[j, k]
            chances[t, k] = before * densities[t, k]
            total += chances[t, k]
        scales[t] = total
        for k in range(states):
            chances[t, k] /= total


@njit(void(float64[:, ::1], float64[:, ::1], float64[::1], float64[:, ::1]), cache=True, nogil=True)
def backward_into(densities: FloatArray, transitions: FloatArray, scales: FloatArray, weights: FloatArray) -> None:
    """Write what later periods add (T, K): times the forward chances they are the chances given all periods."""
    periods, states = densities.shape
    weights[periods - 1] = 1.0
    for t in range(periods - 2, -1, -1):
        for k in range(states):
            total = 0.0
            for j in range(states):
                total += transitions[k, j] * densities[t + 1, j] * weights[t + 1, j]
            weights[t, k] = total / scales[t + 1]


@njit(
    void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1], float64[:, ::1]),
    cache=True, nogil=True,
)  # fmt: skip
def moves_into(
    densities: FloatArray, transitions: FloatArray, chances: FloatArray, weights: FloatArray, scales: FloatArray,
    moves: FloatArray,
) -> None:  # fmt: skip
    """Write the expected number (K, K) of moves from each state to each."""
    periods, states = densities.shape
    moves[:] = 0.0
    for t in range(periods - 1):
        for j in range(states):
            ahead = densities[t + 1, j] * weights[t + 1, j] / scales[t + 1]
            for i in range(states):
                moves[i, j] += chances[t, i] * transitions[i, j] * ahead
