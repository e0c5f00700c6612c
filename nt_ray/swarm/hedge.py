"""Hedge: weights of agents learnt from realised results (Freund, Schapire, J. Comput. Syst. Sci. 55, 1997).

A loss in [0, 1] is charged to each agent that spoke; its weight falls exponentially with what it has lost.
An agent that did not speak is a sleeping specialist and is charged what the others lost on average, which
leaves its share of the weight alone (Freund, Schapire, Singer, Warmuth, STOC 1997; Chernov, Vovk, ALT
2009).

Bounds on the regret against any one of N agents awake in all of T rounds: sqrt(T ln N / 2) with the fixed
rate sqrt(8 ln N / T); 2 sqrt(T ln N / 2) + sqrt(ln N / 8) with the anytime rate sqrt(8 ln N / t)
(Cesa-Bianchi, Lugosi, "Prediction, Learning, and Games", 2006, theorems 2.2 and 2.3).
"""

import math

import numpy as np
from numba import float64, int64, njit

from nt_ray.market.bars import CLOSE
from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import TARGET_ONE, Ballot, Opinions
from nt_ray.swarm.rules import opinions_of
from nt_ray.types import BoolArray, FloatArray, IntArray


def rate(experts: int, rounds: int) -> float:
    """Learning rate sqrt(8 ln N / T); with `rounds` the present round it is the anytime rate."""
    return math.sqrt(8.0 * math.log(max(experts, 2)) / max(rounds, 1))


class Learner:
    """Exponential weights over N experts that may sleep."""

    def __init__(self, experts: int, eta: float | None = None) -> None:
        """Start with equal weights; `eta` fixes the learning rate, None takes the anytime rate."""
        if experts < 1:
            raise SwarmSetupError(f"Learning over {experts} experts is impossible. Give at least one.")
        if eta is not None and not eta > 0.0:
            raise SwarmSetupError(f"eta={eta} must be positive. Leave it out for the anytime rate.")
        self.losses = np.zeros(experts)
        """(N,) cumulative losses."""
        self.rounds = 0
        """Rounds learnt from."""
        self._eta = eta

    def weights(self) -> FloatArray:
        """(N,) weights before the next round, greatest 1."""
        eta = self._eta if self._eta is not None else rate(len(self.losses), self.rounds + 1)
        result: FloatArray = np.exp(-eta * (self.losses - self.losses.min()))
        return result

    def update(self, losses: FloatArray, awake: BoolArray) -> float:
        """Learn from one round: losses (N,) in [0, 1] of those awake; return the loss of the weighted choice.

        Losses of sleepers are ignored and may be NaN. With nobody awake nothing happens and the loss is 0.
        """
        known = losses[awake]
        if not ((known >= 0.0) & (known <= 1.0)).all():
            raise SwarmSetupError(f"Losses {known.min()} to {known.max()} leave [0, 1]. Scale and clip them.")
        if not awake.any():
            return 0.0
        weights = np.where(awake, self.weights(), 0.0)
        share = weights / _ordered_sum(weights)
        own = _ordered_sum(np.where(awake, share * np.where(awake, losses, 0.0), 0.0))
        self.losses = self.losses + np.where(awake, losses, own)
        self.rounds += 1
        return own


class Hedge:
    """Mean of targets weighted by what the agents have earned so far.

    The loss of an agent at bar t is 1/2 - r / (2 scale), clipped to [0, 1], r being the mean over its
    symbols of target times simple return from t to t + 1. It is learnt when the decision for bar t + 1 is
    made, so a decision never sees a return that is not known by then. Bars are learnt one by one whatever
    the block. Asked for the block just decided the rule answers alike; asked for an earlier one it starts
    to learn anew.
    """

    name = "hedge"
    gathers = True

    def __init__(self, agents: int, values: FloatArray, eta: float | None = None, scale: float = 0.02) -> None:
        """Learn from closes in `values`, (T, N, 5); a return of `scale` is the greatest loss or gain."""
        if not scale > 0.0:
            raise SwarmSetupError(f"scale={scale} must be positive. Give a large move of one bar, such as 0.02.")
        self._agents = agents
        self._closes = np.ascontiguousarray(values[:, :, CLOSE])
        self._eta = eta
        self._scale = scale
        self._learner = Learner(agents, eta)
        self._last: tuple[int, _Said] | None = None
        self._cursor = 0
        self._block: tuple[int, int] | None = None
        self._answer: FloatArray = np.zeros((0, 0))

    @property
    def weights(self) -> FloatArray:
        """(A,) present weights of the agents, summing to one."""
        weights = self._learner.weights()
        shares: FloatArray = weights / _ordered_sum(weights)
        return shares

    def append(self, values: FloatArray) -> None:
        """Take note of new bars, (B, N, 5)."""
        self._closes = np.concatenate([self._closes, values[:, :, CLOSE]])

    def exposures(self, start: int, ballot: Ballot) -> FloatArray:
        """Weighted mean of targets, learning at each bar from the bar before."""
        opinions = opinions_of(ballot)
        bars, symbols = ballot.tally.weight.shape
        if self._block == (start, start + bars):
            return self._answer
        if start < self._cursor:
            self._reset()
        result = np.full((bars, symbols), np.nan)
        for k in range(bars):
            self._learn(start + k)
            spoken = opinions.weights[k] > 0
            result[k] = _weighted_mean(
                opinions.agents,
                opinions.symbols,
                opinions.targets[k],
                spoken,
                self._learner.weights(),
                symbols,
            )
            self._last = (start + k, _Said(opinions, k))
        self._cursor, self._block, self._answer = start + bars, (start, start + bars), result
        return result

    def _reset(self) -> None:
        self._learner = Learner(self._agents, self._eta)
        self._last = None
        self._cursor = 0

    def _learn(self, bar: int) -> None:
        """Charge the losses of the last bar decided, now that its return up to `bar` is known."""
        if self._last is None:
            return
        row, said = self._last
        returns = self._closes[bar] / self._closes[row] - 1.0
        earned, awake = said.earned(returns, self._agents)
        losses = np.clip(0.5 - earned / (2.0 * self._scale), 0.0, 1.0)
        self._learner.update(losses, awake)


class _Said:
    """What was said at one bar, until its return is known."""

    def __init__(self, opinions: Opinions, k: int) -> None:
        self._agents = opinions.agents
        self._symbols = opinions.symbols
        self._targets = opinions.targets[k].copy()
        self._spoken = opinions.weights[k] > 0

    def earned(self, returns: FloatArray, agents: int) -> tuple[FloatArray, BoolArray]:
        """Mean return of each agent's targets, (A,), and who spoke on a symbol whose return is known."""
        known = self._spoken & ~np.isnan(returns[self._symbols])
        gains = self._targets[known] / TARGET_ONE * returns[self._symbols[known]]
        # bincount adds in the order of columns: by agent, then symbol, on every machine.
        sums = np.bincount(self._agents[known], weights=gains, minlength=agents)
        counts = np.bincount(self._agents[known], minlength=agents)
        return sums / np.maximum(counts, 1), counts > 0


def _weighted_mean(
    agents: IntArray, symbols: IntArray, targets: IntArray, spoken: BoolArray, weights: FloatArray, n: int
) -> FloatArray:
    """Mean target of those who spoke, (N,), weighted by agent; NaN where nobody did."""
    return _mean(
        np.ascontiguousarray(agents[spoken]),
        np.ascontiguousarray(symbols[spoken]),
        np.ascontiguousarray(targets[spoken]),
        weights,
        n,
    )


@njit(float64[::1](int64[::1], int64[::1], int64[::1], float64[::1], int64), cache=True, nogil=True)
def _mean(agents: IntArray, symbols: IntArray, targets: IntArray, weights: FloatArray, n: int) -> FloatArray:
    # The greatest weight among those who spoke becomes 1, so that small weights of all do not vanish.
    greatest = np.zeros(n)
    for v in range(len(agents)):
        greatest[symbols[v]] = max(greatest[symbols[v]], weights[agents[v]])
    total, sums = np.zeros(n), np.zeros(n)
    for v in range(len(agents)):
        s = symbols[v]
        w = weights[agents[v]] / greatest[s] if greatest[s] > 0.0 else 1.0
        total[s] += w
        sums[s] += w * targets[v] / TARGET_ONE
    result = np.full(n, np.nan)
    for s in range(n):
        if total[s] > 0.0:
            result[s] = min(max(sums[s] / total[s], -1.0), 1.0)
    return result


@njit(float64(float64[::1]), cache=True, nogil=True)
def _ordered_sum(values: FloatArray) -> float:
    """Sum in order, so that the result does not depend on the machine's vector width."""
    total = 0.0
    for value in values:
        total += value
    return total
