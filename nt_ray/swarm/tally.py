"""Sums over opinions: from single voices to a `Tally`, in integers, so in any order and grouping.

Knows the wire format and nothing of hosts or rules.
"""

from collections.abc import Sequence

import numpy as np
from numba import int64, njit, types

from nt_ray.swarm.messages import TARGET_ONE, Ballot, Opinions, Tally
from nt_ray.types import FloatArray, IntArray

MATRIX = types.Array(int64, 2, "C", readonly=True)
VECTOR = types.Array(int64, 1, "C", readonly=True)
"""Numba types of arrays that arrive in messages, which may be read-only."""


def tally_of(opinions: Opinions, symbols: int) -> Tally:
    """Sum opinions into a tally over `symbols` panel columns, each array int64 (K, symbols)."""
    return Tally(*_sums(opinions.symbols, opinions.targets, opinions.weights, symbols))


@njit(int64[:, :, ::1](VECTOR, MATRIX, MATRIX, int64), cache=True, nogil=True)
def _sums(symbols: IntArray, targets: IntArray, weights: IntArray, n: int) -> IntArray:
    """Weight, weighted target, weighted square and number of agents, (4, K, n)."""
    bars, columns = targets.shape
    sums = np.zeros((4, bars, n), dtype=np.int64)
    for k in range(bars):
        for v in range(columns):
            s, t, w = symbols[v], targets[k, v], weights[k, v]
            sums[0, k, s] += w
            sums[1, k, s] += w * t
            sums[2, k, s] += w * t * t
            sums[3, k, s] += 1
    return sums


def join_opinions(parts: Sequence[Opinions]) -> Opinions:
    """Put opinions of disjoint sets of agents side by side, columns sorted by agent, then symbol."""
    agents = np.concatenate([p.agents for p in parts])
    symbols = np.concatenate([p.symbols for p in parts])
    order = np.lexsort((symbols, agents))
    return Opinions(
        agents[order],
        symbols[order],
        np.ascontiguousarray(np.concatenate([p.targets for p in parts], axis=1)[:, order]),
        np.ascontiguousarray(np.concatenate([p.weights for p in parts], axis=1)[:, order]),
    )


def join_ballots(ballots: Sequence[Ballot]) -> Ballot:
    """Merge ballots of disjoint sets of agents."""
    tally = ballots[0].tally
    for ballot in ballots[1:]:
        tally = tally + ballot.tally
    parts = [b.opinions for b in ballots if b.opinions is not None]
    return Ballot(tally, join_opinions(parts) if parts else None)


def mean_target(weight: IntArray, weighted: IntArray) -> FloatArray:
    """Confidence-weighted mean target, (K, N) in [-1, 1]; NaN where the weight is zero.

    Both integers are exact in float64, so equal sums give equal bits.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, weighted / (weight.astype(np.float64) * TARGET_ONE), np.nan)


def spread(weight: IntArray, weighted: IntArray, squared: FloatArray | IntArray) -> FloatArray:
    """Confidence-weighted standard deviation of targets, (K, N) in [0, 1]; NaN where the weight is zero."""
    mean = mean_target(weight, weighted)
    with np.errstate(invalid="ignore", divide="ignore"):
        second = squared / (weight.astype(np.float64) * TARGET_ONE * TARGET_ONE)
    variance = np.where(weight > 0, np.clip(second - mean * mean, 0.0, 1.0), np.nan)
    deviation: FloatArray = np.sqrt(variance)
    return deviation
