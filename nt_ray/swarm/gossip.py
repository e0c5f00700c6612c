"""Push-sum gossip in integers: one host's part.

Each agent holds a mass for every bar and symbol: weight, weight times target, weight times target squared.
In a round it divides each mass by one more than the number of its neighbours, sends every neighbour one
part and keeps the rest, remainder included. No mass is ever lost or made, so the true mean, which is the
mean of the agents' own estimates weighted by their mass, always lies between the least and the greatest
estimate. When these are within epsilon, all are within epsilon of the truth (Kempe, Dobra, Gehrke,
"Gossip-based computation of aggregate information", FOCS 2003).
"""

from dataclasses import dataclass

import numpy as np
from numba import float64, int64, njit, types, void

from nt_ray.swarm.failures import LostStateError
from nt_ray.swarm.mesh_plan import MeshPlan
from nt_ray.swarm.messages import TARGET_ONE, Opinions
from nt_ray.swarm.tally import MATRIX, VECTOR
from nt_ray.types import FloatArray, IntArray

MASS_ONE = 1 << 14
"""Weights, and weights times targets, are multiplied by this, so that small parts keep their precision."""

MASSES = 3
MASS = types.Array(int64, 3, "C", readonly=True)


@dataclass(frozen=True, slots=True, eq=False)
class GossipSummary:
    """What a host's agents believe after some rounds, each (K, N)."""

    least: FloatArray
    """Least estimate among agents that hold a weight; +inf where none does."""
    greatest: FloatArray
    """Greatest estimate; -inf where no agent holds a weight."""
    reached: IntArray
    """Agents that hold a weight."""
    first: IntArray
    """(3, K, N) masses of the host's lowest agent."""


class GossipNode:
    """The agents of one host during one session of gossip."""

    def __init__(self, host: int, plan: MeshPlan, opinions: Opinions, symbols: int) -> None:
        self.plan = plan
        self._shape = (plan.stop - plan.start, symbols)
        self._graph = plan.graph()
        self._places = plan.places(host)
        others = [h for h in plan.hosts if h != host]
        self._outgoing = {h: plan.border(host, h) - self._places[0] for h in others}
        self._slots = np.full(len(plan.agents), -1, dtype=np.int64)
        self._slots[self._places] = np.arange(len(self._places))
        filled = len(self._places)
        for other in others:
            incoming = plan.border(other, host)
            self._slots[incoming] = filled + np.arange(len(incoming))
            filled += len(incoming)
        self._round = 0
        self._mass = np.zeros((len(self._places), MASSES, self._shape[0] * symbols), dtype=np.int64)
        self._shares = np.zeros_like(self._mass)
        rows = np.searchsorted(plan.agents[self._places], opinions.agents)
        _fill(self._mass, rows, opinions.symbols, opinions.targets, opinions.weights, symbols)

    def mass(self) -> IntArray:
        """Total mass that the agents of this host hold, (3, K N)."""
        total: IntArray = self._mass.sum(axis=0)
        return total

    def in_flight(self) -> IntArray:
        """Total mass that they have sent and no neighbour has taken in yet, (3, K N)."""
        degrees = self._graph.degrees[self._places]
        total: IntArray = (self._shares * degrees[:, None, None]).sum(axis=0)
        return total

    def step(self, number: int, parcels: tuple[IntArray, ...]) -> tuple[GossipSummary, list[IntArray]]:
        """Take in the parcels of the round before, sum up what is believed, and send the next parts.

        `parcels` come from the other hosts in ascending order, and so do the ones returned.
        """
        if number != self._round:
            raise LostStateError(f"Gossip round {number} was asked for and this host stands at {self._round}.")
        if number:
            table = np.concatenate([self._shares, *parcels])
            _receive(self._mass, table, self._places, self._slots, self._graph.offsets, self._graph.neighbours)
        summary = self._summary()
        self._shares = _split(self._mass, self._graph.degrees[self._places])
        self._round += 1
        return summary, [self._shares[border] for border in self._outgoing.values()]

    def _summary(self) -> GossipSummary:
        least, greatest, reached = _extremes(self._mass).reshape(3, *self._shape)
        first = self._mass[0].reshape(MASSES, *self._shape).copy()
        return GossipSummary(least, greatest, reached.astype(np.int64), first)


@njit(void(int64[:, :, ::1], VECTOR, VECTOR, MATRIX, MATRIX, int64), cache=True, nogil=True)
def _fill(mass: IntArray, rows: IntArray, symbols: IntArray, targets: IntArray, weights: IntArray, n: int) -> None:
    """Put each opinion's masses where its agent stands."""
    for v in range(len(rows)):
        for k in range(targets.shape[0]):
            t, w = targets[k, v], weights[k, v]
            mass[rows[v], 0, k * n + symbols[v]] = w * MASS_ONE
            mass[rows[v], 1, k * n + symbols[v]] = w * t * MASS_ONE
            mass[rows[v], 2, k * n + symbols[v]] = w * t * t


@njit(int64[:, :, ::1](int64[:, :, ::1], int64[::1]), cache=True, nogil=True)
def _split(mass: IntArray, degrees: IntArray) -> IntArray:
    """Take the parts for the neighbours out of each mass; return one part for each agent."""
    shares = np.empty_like(mass)
    for i in range(mass.shape[0]):
        for q in range(mass.shape[1]):
            for c in range(mass.shape[2]):
                share = mass[i, q, c] // (degrees[i] + 1)
                shares[i, q, c] = share
                mass[i, q, c] -= degrees[i] * share
    return shares


@njit(void(int64[:, :, ::1], MASS, int64[::1], int64[::1], int64[::1], int64[::1]), cache=True, nogil=True)
def _receive(
    mass: IntArray,
    table: IntArray,
    places: IntArray,
    slots: IntArray,
    offsets: IntArray,
    neighbours: IntArray,
) -> None:
    """Add the parts that each agent's neighbours have sent."""
    for i in range(mass.shape[0]):
        for e in range(offsets[places[i]], offsets[places[i] + 1]):
            row = slots[neighbours[e]]
            for q in range(mass.shape[1]):
                for c in range(mass.shape[2]):
                    mass[i, q, c] += table[row, q, c]


@njit(float64[:, ::1](int64[:, :, ::1]), cache=True, nogil=True)
def _extremes(mass: IntArray) -> FloatArray:
    """Least and greatest estimate, and number of agents that hold a weight, (3, cells)."""
    result = np.zeros((3, mass.shape[2]))
    result[0] = np.inf
    result[1] = -np.inf
    for i in range(mass.shape[0]):
        for c in range(mass.shape[2]):
            if mass[i, 0, c] > 0:
                estimate = mass[i, 1, c] / (mass[i, 0, c] * float(TARGET_ONE))
                result[0, c] = min(result[0, c], estimate)
                result[1, c] = max(result[1, c], estimate)
                result[2, c] += 1.0
    return result
