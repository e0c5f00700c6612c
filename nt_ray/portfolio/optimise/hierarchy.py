"""The tree of assets that correlation draws: who is like whom, in which order leaves lie, where it is best cut.

The distance of two assets is sqrt((1 - correlation) / 2), and the tree is grown on these distances themselves (Lopez de
Prado, 2016, grows it on distances of their rows, which the libraries since then have dropped).
"""

from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

import numpy as np
from numba import float64, njit, void
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray, IntArray

Linkage = Literal["single", "complete", "average", "weighted", "ward"]
LINKAGES: Final[tuple[str, ...]] = get_args(Linkage)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A binary tree over N assets."""

    links: FloatArray
    """(N-1, 4) merges from the closest: two nodes, their distance, assets below; node N + i is made by row i."""
    distances: FloatArray
    """(N (N-1) / 2,) distances of the pairs, as `scipy.spatial.distance.squareform` packs them."""
    order: IntArray
    """(N,) assets so that relatives are neighbours: the quasi-diagonal order of a plotted matrix."""

    @classmethod
    def of(cls, covariance: FloatArray, linkage: Linkage = "single", *, ordered: bool = False) -> Self:
        """Grow the tree of a checked covariance (N, N) with N >= 2 and positive variances.

        With `ordered`, branches are turned so that neighbours are as close as possible (Bar-Joseph, Gifford and
        Jaakkola, 2001, Fast optimal leaf ordering for hierarchical clustering), in O(N^2) to O(N^3).
        """
        if linkage not in LINKAGES:
            raise RiskError(f"Linkage {linkage!r} is unknown. Give one of {', '.join(LINKAGES)}.")
        assets = len(covariance)
        distances = np.empty(assets * (assets - 1) // 2)
        _distances(covariance, 1.0 / np.sqrt(covariance.diagonal()), distances)
        links = hierarchy.linkage(distances, method=linkage, optimal_ordering=ordered)
        return cls(links, distances, hierarchy.leaves_list(links).astype(np.int64))

    def clusters(self, count: int) -> IntArray:
        """Cut the tree into at most `count` clusters (fewer where merges tie); return each asset's (N,), from 0."""
        if not 1 <= count <= len(self.order):
            raise RiskError(f"{count} clusters of {len(self.order)} assets are not possible. Give from 1 to all.")
        return np.asarray(hierarchy.fcluster(self.links, count, criterion="maxclust"), dtype=np.int64) - 1

    def cluster_count(self) -> int:
        """Find the number of clusters after which another one stops to pay.

        That is where the dispersion within clusters, W(k) = sum over clusters of D / (2 size) with D the sum of all
        distances inside, bends most: the largest W(k-1) - 2 W(k) + W(k+1), for k up to the larger of 8 and the root of
        N (Yue, Wang and Wei, 2009, Application of two-order difference to gap statistic).
        """
        assets = len(self.order)
        if assets < 3:
            return assets
        most = min(assets, max(8, round(np.sqrt(assets))) + 1)
        finest = self.clusters(most)
        member = np.eye(finest.max() + 1)[finest]
        inside = member.T @ squareform(self.distances) @ member
        sizes = member.sum(axis=0)
        spread = np.empty(most)
        for count in range(1, most + 1):
            labels = np.zeros(len(sizes), dtype=np.int64)
            labels[finest] = self.clusters(count)
            groups = np.eye(labels.max() + 1)[labels]
            spread[count - 1] = float((((groups.T @ inside) * groups.T).sum(axis=1) / (2.0 * (sizes @ groups))).sum())
        return int(np.argmax(spread[:-2] - 2.0 * spread[1:-1] + spread[2:])) + 2


@njit(void(float64[:, ::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _distances(covariance: FloatArray, inverse: FloatArray, distances: FloatArray) -> None:
    """Pack sqrt((1 - correlation) / 2) of every pair; `inverse` is one over the volatility."""
    at = 0
    n = len(inverse)
    for i in range(n):
        for j in range(i + 1, n):
            apart = 0.5 * (1.0 - covariance[i, j] * inverse[i] * inverse[j])
            distances[at] = np.sqrt(max(0.0, min(1.0, apart)))
            at += 1
