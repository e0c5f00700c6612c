"""Hierarchical equal risk contribution: clusters share the risk equally, and so do assets inside one.

Raffinot (2018), The hierarchical equal risk contribution portfolio: the tree of correlations is cut into clusters; from
the root down, each branch gets weight in inverse proportion to the summed variances of its clusters; inside a cluster
weights are inverse to variances. The variance of a cluster is that of its inverse-variance portfolio. It is a rule, not
an optimisation, so its residual is NaN. Constraints are the budget alone.
"""

import time

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import Covariance, Dense
from nt_ray.portfolio.optimise.hierarchy import Hierarchy, Linkage
from nt_ray.portfolio.optimise.hrp import bounds_of, dense_of, solution
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution
from nt_ray.types import FloatArray, IntArray

_LONG_ONLY = Constraints()


def herc(
    covariance: Covariance | None = None,
    *,
    returns: npt.ArrayLike | None = None,
    clusters: int | None = None,
    linkage: Linkage = "ward",
    constraints: Constraints = _LONG_ONLY,
) -> Solution:
    """Weigh assets by hierarchical equal risk contribution.

    Parameters
    ----------
    covariance, returns, linkage
        As in `hrp`.
    clusters
        Most clusters to cut the tree into; where not given, `Hierarchy.cluster_count` finds it.
    constraints
        A positive budget (1 where it is None); bounds that the weights break are reported as infeasible.

    Returns
    -------
    Solution
        Its objective is the standard deviation of the portfolio.
    """
    began = time.perf_counter()
    form = dense_of(covariance, returns)
    lower, upper, total = bounds_of(form, constraints)
    if form.assets == 1:
        return solution(form, np.array([total]), "clusters", began)
    tree = Hierarchy.of(form.matrix, linkage)
    labels = tree.clusters(tree.cluster_count() if clusters is None else clusters)
    weights = total * _weights(form, tree, labels)
    broken = np.flatnonzero((weights < lower - 1e-12) | (weights > upper + 1e-12))
    if broken.size:
        raise InfeasibleError(("clusters of equal risk", f"bounds of asset {broken[0]}"))
    return solution(form, weights, "clusters", began)


def _weights(form: Dense, tree: Hierarchy, labels: IntArray) -> FloatArray:
    inverse = 1.0 / form.matrix.diagonal()
    count = int(labels.max()) + 1
    within = inverse / np.bincount(labels, inverse, minlength=count)[labels]
    risks = np.empty(count)
    for cluster in range(count):
        members = np.flatnonzero(labels == cluster)
        risks[cluster] = within[members] @ form.matrix[np.ix_(members, members)] @ within[members]
    if not (risks > 0.0).all():
        at = int(np.argmin(risks))
        raise RiskError(f"Cluster {at} has the variance {risks[at]:g}. Estimate the covariance by shrinkage.")
    return within * _shares(tree, labels, risks)[labels]


def _shares(tree: Hierarchy, labels: IntArray, risks: FloatArray) -> FloatArray:
    """(C,) weight of each cluster: from the root down, branches share in inverse proportion to summed risks."""
    assets = len(labels)
    below: list[IntArray] = [np.array([label]) for label in labels]
    for left, right in tree.links[:, :2].astype(np.int64).tolist():
        below.append(np.union1d(below[left], below[right]))
    shares = np.ones(len(risks))
    for row in range(assets - 2, -1, -1):
        # Nodes above the cut hold whole clusters; nodes inside one hold it alone, and there is nothing to share.
        if len(below[assets + row]) < 2:
            continue
        left, right = (below[int(node)] for node in tree.links[row, :2])
        one, other = risks[left].sum(), risks[right].sum()
        shares[left] *= other / (one + other)
        shares[right] *= one / (one + other)
    return shares
