"""The baton of a ring: each agent adds its voice to the running sums, and may defer to them.

Agents speak in the order of their numbers, bar by bar independent of each other, so the result is the same
whichever hosts carry the baton and however long the block is.
"""

import numpy as np
from numba import boolean, int64, njit, void

from nt_ray.swarm.messages import Baton, Opinions, Tally
from nt_ray.swarm.tally import MATRIX, VECTOR, join_opinions
from nt_ray.types import BoolArray, IntArray


def carry(baton: Baton | None, opinions: Opinions, defers: BoolArray, symbols: int, *, keep_opinions: bool) -> Baton:
    """Pass the baton along all columns of `opinions`.

    A column with `defers` (V,) abstains where its target contradicts the sign of the running sum of a bar and
    symbol and the mean weight of those that spoke before is above its own.
    """
    bars = len(opinions.targets)
    tally = Tally.empty(bars, symbols) if baton is None else baton.tally
    voters = np.zeros((bars, symbols), dtype=np.int64) if baton is None else baton.voters
    sums = [np.array(a) for a in (tally.weight, tally.weighted, tally.squared, tally.present, voters)]
    revised = opinions.weights.copy()
    _carry(opinions.symbols, opinions.targets, revised, defers, *sums)
    spoken = None
    if keep_opinions:
        said = Opinions(opinions.agents, opinions.symbols, opinions.targets, revised)
        earlier = baton.opinions if baton is not None else None
        spoken = said if earlier is None else join_opinions([earlier, said])
    return Baton(Tally(*sums[:4]), sums[4], spoken)


@njit(
    void(
        VECTOR,
        MATRIX,
        int64[:, ::1],
        boolean[::1],
        int64[:, ::1],
        int64[:, ::1],
        int64[:, ::1],
        int64[:, ::1],
        int64[:, ::1],
    ),
    cache=True,
    nogil=True,
)
def _carry(
    symbols: IntArray,
    targets: IntArray,
    weights: IntArray,
    defers: BoolArray,
    weight: IntArray,
    weighted: IntArray,
    squared: IntArray,
    present: IntArray,
    voters: IntArray,
) -> None:
    bars, columns = targets.shape
    for k in range(bars):
        for v in range(columns):
            s, t, w = symbols[v], targets[k, v], weights[k, v]
            present[k, s] += 1
            running = weighted[k, s]
            contradicts = (t > 0 and running < 0) or (t < 0 and running > 0)
            if defers[v] and contradicts and weight[k, s] > w * voters[k, s]:
                weights[k, v] = 0
                continue
            if w > 0:
                voters[k, s] += 1
            weight[k, s] += w
            weighted[k, s] += w * t
            squared[k, s] += w * t * t
