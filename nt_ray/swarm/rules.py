"""Consensus rules: from the voices of a block to one exposure for each bar and symbol.

The mean is *linear*: it needs sums only, so it works in every topology. The others *gather*: they need each
opinion. Everything is computed in integers, or in a fixed order, so the result does not depend on who
computed what where. A voice with weight zero abstains; where nobody votes the exposure is NaN, which means
hold.
"""

from typing import Protocol

import numpy as np
from numba import float64, int64, njit

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import TARGET_ONE, Ballot, Opinions
from nt_ray.swarm.tally import MATRIX, VECTOR, mean_target
from nt_ray.types import FloatArray, IntArray


class Rule(Protocol):
    """One way to combine voices."""

    @property
    def name(self) -> str:
        """Name in configuration and reports."""

    @property
    def gathers(self) -> bool:
        """Whether the rule needs every opinion at one place."""

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Exposures of the block that begins at bar `start`, (K, N) in [-1, 1]; NaN holds."""

    def append(self, values: FloatArray) -> None:
        """Take note of new bars, (B, N, 5)."""


class Memoryless:
    """Base of rules that look at one bar at a time and learn nothing."""

    def append(self, values: FloatArray) -> None:
        """Ignore new bars: this rule does not look at prices."""


class Mean(Memoryless):
    """Confidence-weighted mean of targets."""

    name = "mean"
    gathers = False

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Sum of weight times target over sum of weights."""
        return mean_target(ballot.tally.weight, ballot.tally.weighted)


class Median(Memoryless):
    """Median of targets, each voter counting once; fewer than half cannot move it beyond the rest."""

    name = "median"
    gathers = True

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Middle target, or the mean of the two middle ones."""
        opinions = opinions_of(ballot)
        symbols, columns = by_symbol(opinions)
        return _median(opinions.targets, opinions.weights, symbols, columns, ballot.tally.weight.shape[1])


class Trimmed(Memoryless):
    """Confidence-weighted mean without the `trim` share of voters at each end.

    With n voters the floor(trim n) lowest and as many of the highest targets are left out. As long as no
    more voters than that are faulty, the result lies between the least and the greatest target of the sound
    ones, whatever the faulty ones say (the trimmed mean of approximate Byzantine agreement: Dolev, Lynch et
    al., J. ACM 1986).
    """

    name = "trimmed"
    gathers = True

    def __init__(self, trim: float = 0.2) -> None:
        if not 0.0 <= trim < 0.5:
            raise SwarmSetupError(f"trim={trim} is impossible. Use a share from 0 to below 0.5.")
        self._trim = trim

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Mean of what is left between the trimmed ends."""
        opinions = opinions_of(ballot)
        symbols, columns = by_symbol(opinions)
        n = ballot.tally.weight.shape[1]
        return _trimmed(opinions.targets, opinions.weights, symbols, columns, n, self._trim)


class Majority(Memoryless):
    """The side (long, short or flat) that more than `share` of the voters take, at its own mean target.

    Without such a majority the exposure is NaN: hold.
    """

    name = "majority"
    gathers = True

    def __init__(self, share: float = 0.5) -> None:
        if not 0.5 <= share < 1.0:
            raise SwarmSetupError(f"share={share} is impossible. Use a share from 0.5 to below 1.")
        self._share = share

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Confidence-weighted mean target of the winning side."""
        opinions = opinions_of(ballot)
        n = ballot.tally.weight.shape[1]
        return _majority(opinions.targets, opinions.weights, opinions.symbols, n, self._share)


def opinions_of(ballot: Ballot) -> Opinions:
    """Opinions of a ballot; raises where it carries sums only."""
    if ballot.opinions is None:
        raise SwarmSetupError("This rule needs every opinion and got sums only. Ask hosts for opinions.")
    return ballot.opinions


def by_symbol(opinions: Opinions) -> tuple[IntArray, IntArray]:
    """Symbols and columns sorted by symbol, then agent."""
    columns = np.lexsort((opinions.agents, opinions.symbols)).astype(np.int64)
    return opinions.symbols[columns], columns


@njit(int64(MATRIX, MATRIX, int64, int64[::1], int64, int64, int64[::1], int64[::1]), cache=True, nogil=True)
def _voters(
    targets: IntArray,
    weights: IntArray,
    k: int,
    columns: IntArray,
    first: int,
    last: int,
    said: IntArray,
    heft: IntArray,
) -> int:
    """Copy the targets and weights of those who vote at bar k to `said` and `heft`; return their number."""
    count = 0
    for i in range(first, last):
        v = columns[i]
        if weights[k, v] > 0:
            said[count] = targets[k, v]
            heft[count] = weights[k, v]
            count += 1
    return count


@njit(float64[:, ::1](MATRIX, MATRIX, int64[::1], int64[::1], int64), cache=True, nogil=True)
def _median(targets: IntArray, weights: IntArray, symbols: IntArray, columns: IntArray, n: int) -> FloatArray:
    result = np.full((targets.shape[0], n), np.nan)
    said = np.empty(len(columns), dtype=np.int64)
    heft = np.empty(len(columns), dtype=np.int64)
    first = 0
    while first < len(columns):
        last = first
        while last < len(columns) and symbols[last] == symbols[first]:
            last += 1
        for k in range(targets.shape[0]):
            count = _voters(targets, weights, k, columns, first, last, said, heft)
            if count > 0:
                ranked = np.sort(said[:count])
                middle = ranked[(count - 1) // 2] + ranked[count // 2]
                result[k, symbols[first]] = middle / (2 * TARGET_ONE)
        first = last
    return result


@njit(float64[:, ::1](MATRIX, MATRIX, int64[::1], int64[::1], int64, float64), cache=True, nogil=True)
def _trimmed(
    targets: IntArray, weights: IntArray, symbols: IntArray, columns: IntArray, n: int, trim: float
) -> FloatArray:
    result = np.full((targets.shape[0], n), np.nan)
    said = np.empty(len(columns), dtype=np.int64)
    heft = np.empty(len(columns), dtype=np.int64)
    first = 0
    while first < len(columns):
        last = first
        while last < len(columns) and symbols[last] == symbols[first]:
            last += 1
        for k in range(targets.shape[0]):
            count = _voters(targets, weights, k, columns, first, last, said, heft)
            if count > 0:
                cut = int(trim * count)
                order = np.argsort(said[:count], kind="mergesort")
                weight, weighted = 0, 0
                for i in range(cut, count - cut):
                    weight += heft[order[i]]
                    weighted += heft[order[i]] * said[order[i]]
                result[k, symbols[first]] = weighted / (weight * TARGET_ONE)
        first = last
    return result


@njit(float64[:, ::1](MATRIX, MATRIX, VECTOR, int64, float64), cache=True, nogil=True)
def _majority(targets: IntArray, weights: IntArray, symbols: IntArray, n: int, share: float) -> FloatArray:
    result = np.full((targets.shape[0], n), np.nan)
    for k in range(targets.shape[0]):
        voters = np.zeros((n, 3), dtype=np.int64)
        weight = np.zeros((n, 3), dtype=np.int64)
        weighted = np.zeros((n, 3), dtype=np.int64)
        for v in range(targets.shape[1]):
            if weights[k, v] > 0:
                side = np.sign(targets[k, v]) + 1
                voters[symbols[v], side] += 1
                weight[symbols[v], side] += weights[k, v]
                weighted[symbols[v], side] += weights[k, v] * targets[k, v]
        for s in range(n):
            total = voters[s].sum()
            for side in range(3):
                if total > 0 and voters[s, side] > share * total:
                    result[k, s] = weighted[s, side] / (weight[s, side] * TARGET_ONE)
    return result
