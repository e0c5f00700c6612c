"""How much each searched parameter mattered: the share of a metric's variance that one parameter alone explains.

Candidates are cut by the parameter into groups of nearly equal size, and the variance between the groups is set
against the whole, corrected for what groups of pure chance would explain (epsilon squared). What parameters do only
together is not seen, and few candidates tell little. Source: Kelley (1935), An unbiased correlation ratio measure.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from nt_ray.reports.formats import label
from nt_ray.reports.style import STRATEGY, Figure, layout
from nt_ray.types import FloatArray, IntArray

FEWEST = 10
"""Candidates below which nothing is said."""
GROUPS = 6
LEAST = 4
"""Candidates that a group has where values do not repeat."""


def importance(frame: pl.DataFrame, names: Sequence[str], metric: str) -> dict[str, float]:
    """Share in [0, 1] for each parameter, the largest first; none where there are fewer than `FEWEST` candidates."""
    scored = frame.filter(pl.col(metric).is_not_null() & pl.col(metric).is_finite())
    if scored.height < FEWEST:
        return {}
    # Ranks, so that one candidate that went wrong does not decide.
    values = scored[metric].rank().cast(pl.Float64).to_numpy()
    shares = {name: _explained(_groups(scored[name].cast(pl.Float64).to_numpy()), values) for name in names}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def importance_figure(shares: dict[str, float]) -> Figure:
    """Bars of the shares, the largest on top."""
    ordered = list(reversed(shares.items()))
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [round(share, 4) for _, share in ordered],
        "y": [label(name) for name, _ in ordered],
        "marker": {"color": STRATEGY},
        "hovertemplate": "%{y} %{x:.0%}<extra></extra>",
    }
    axes = {"xaxis": {"range": [0, 1], "tickformat": ".0%"}, "yaxis": {"type": "category", "showgrid": False}}
    return {"data": [bar], "layout": layout(120 + 32 * len(shares), **axes, showlegend=False, hovermode="closest")}


def _groups(values: FloatArray) -> IntArray:
    """Group of each candidate, (n,): by value where few repeat, else by rank."""
    distinct, places = np.unique(values, return_inverse=True)
    if len(distinct) <= GROUPS:
        return places.astype(np.int64)
    count = min(GROUPS, max(2, len(values) // LEAST))
    ranks = np.searchsorted(np.sort(values), values)
    return (ranks * count // len(values)).astype(np.int64)


def _explained(groups: IntArray, values: FloatArray) -> float:
    total = float(((values - values.mean()) ** 2).sum())
    kinds = np.unique(groups)
    left = len(values) - len(kinds)
    if total == 0.0 or len(kinds) < 2 or left < 1:
        return 0.0
    within = sum(float(((values[groups == k] - values[groups == k].mean()) ** 2).sum()) for k in kinds)
    return float(np.clip(1.0 - (within / left) / (total / (len(values) - 1)), 0.0, 1.0))
