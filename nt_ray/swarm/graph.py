"""The graph of a mesh: random, regular and connected, the same wherever it is drawn.

It depends on how many agents take part and on the seed, never on hosts, so every host draws it for itself.
"""

from dataclasses import dataclass

import numpy as np
from numba import int64, njit

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Undirected graph over places 0 to n - 1.

    The neighbours of i are `neighbours[offsets[i]:offsets[i + 1]]`.
    """

    offsets: IntArray
    neighbours: IntArray

    @property
    def degrees(self) -> IntArray:
        """(n,) number of neighbours."""
        return np.diff(self.offsets)

    def edges(self) -> list[tuple[int, int]]:
        """Pairs (i, j) with i < j, ascending."""
        sources = np.repeat(np.arange(len(self.offsets) - 1), self.degrees)
        return [(int(i), int(j)) for i, j in zip(sources, self.neighbours, strict=True) if i < j]

    def distances(self, places: IntArray) -> IntArray:
        """Edges between each of these places and every place, (len(places), n); -1 where there is no way."""
        return _distances(self.offsets, self.neighbours, np.ascontiguousarray(places))


def regular_graph(n: int, degree: int, seed: int) -> Graph:
    """Draw a connected graph on n places in which each has `degree` neighbours.

    With at most degree + 1 places the graph is complete. Few places get a circulant graph on a random
    order; many get the union of degree / 2 random Hamiltonian cycles, connected by construction and an
    expander with high probability (Friedman, "A proof of Alon's second eigenvalue conjecture", 2008, for
    the closely related random regular graph).
    """
    if degree < 2 or degree % 2:
        raise SwarmSetupError(f"degree={degree} is impossible. Use an even number, at least 2.")
    if n <= degree + 1:
        pairs = {(i, j) for i in range(n) for j in range(i + 1, n)}
    else:
        random = np.random.default_rng([seed, n])
        pairs = _circulant(n, degree, random) if n < 4 * degree else _cycles(n, degree, random)
    return _graph(n, pairs)


def _circulant(n: int, degree: int, random: np.random.Generator) -> set[tuple[int, int]]:
    order = random.permutation(n)
    pairs = set()
    for step in range(1, degree // 2 + 1):
        for i in range(n):
            a, b = int(order[i]), int(order[(i + step) % n])
            pairs.add((min(a, b), max(a, b)))
    return pairs


def _cycles(n: int, degree: int, random: np.random.Generator) -> set[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < n * degree // 2:
        pairs |= _fresh_cycle(n, pairs, random)
    return pairs


def _fresh_cycle(n: int, taken: set[tuple[int, int]], random: np.random.Generator) -> set[tuple[int, int]]:
    """Draw a random cycle through all places that shares no edge with those taken.

    Where an edge is taken, its far end changes place with another one; this rarely takes more than a few
    exchanges.
    """
    order = [int(i) for i in random.permutation(n)]
    i, clean = 0, 0
    while clean < n:
        a, b = order[i], order[(i + 1) % n]
        if (min(a, b), max(a, b)) in taken:
            j, k = (i + 1) % n, int(random.integers(n))
            order[j], order[k] = order[k], order[j]
            clean = 0
        else:
            clean += 1
            i = (i + 1) % n
    return {(min(a, b), max(a, b)) for a, b in zip(order, order[1:] + order[:1], strict=True)}


def _graph(n: int, pairs: set[tuple[int, int]]) -> Graph:
    both = np.array(sorted(pairs | {(j, i) for i, j in pairs}), dtype=np.int64).reshape(-1, 2)
    counts = np.bincount(both[:, 0], minlength=n)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Graph(offsets, np.ascontiguousarray(both[:, 1]))


@njit(int64[:, ::1](int64[::1], int64[::1], int64[::1]), cache=True, nogil=True)
def _distances(offsets: IntArray, neighbours: IntArray, places: IntArray) -> IntArray:
    n = len(offsets) - 1
    result = np.full((len(places), n), -1, dtype=np.int64)
    queue = np.empty(n, dtype=np.int64)
    for row in range(len(places)):
        result[row, places[row]] = 0
        queue[0] = places[row]
        head, tail = 0, 1
        while head < tail:
            at = queue[head]
            head += 1
            for e in range(offsets[at], offsets[at + 1]):
                to = neighbours[e]
                if result[row, to] < 0:
                    result[row, to] = result[row, at] + 1
                    queue[tail] = to
                    tail += 1
    return result
