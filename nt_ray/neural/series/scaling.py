"""Scales of the target, from the past alone: of each window's look-back, or of the training rows ("fold").

A window whose spread is at most `FLAT` of its level has no scale of its own: it takes `UNIT` of that level, or `UNIT`
where the level is zero too, so that a constant window trains and forecasts without a division by nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Scale
from nt_ray.neural.series.panel import SeriesPanel, unknown
from nt_ray.neural.training.recipe import Scaling
from nt_ray.types import BoolArray, FloatArray

FLAT: Final = 1e-5
UNIT: Final = 1e-2
MAD_TO_DEVIATION: Final = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""


def window_scale(kind: Scaling, target: Tensor, mask: Tensor | None) -> Scale:
    """Scale of windows from their look-back.

    Parameters
    ----------
    target, mask
        (B, L), zeros where missing; mask None where nothing is missing. A window without any value: location 0.
    """
    if kind in ("none", "fold"):
        one = target.new_ones(len(target), 1)
        return Scale(torch.zeros_like(one), one)
    location, spread = _MEASURES[kind](target, mask)
    level = location.abs()
    unit = torch.where(level > 0, level, 1.0) * UNIT
    return Scale(location, torch.where(spread > level * FLAT, spread, unit))


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return values.mean(dim=1, keepdim=True)
    return (values * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1.0)


def _standard(target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    location = _mean(target, mask)
    return location, _mean((target - location).square(), mask).sqrt()


def _robust(target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    location = _median(target, mask)
    return location, _median((target - location).abs(), mask) * MAD_TO_DEVIATION


def _median(values: Tensor, mask: Tensor | None) -> Tensor:
    """Median of what is observed, the middle of the two inner values where their number is even."""
    if mask is None:
        count = torch.full((len(values), 1), values.shape[1], device=values.device)
        ordered = values.sort(dim=1).values
    else:
        count = mask.sum(dim=1, keepdim=True).long().clamp(min=1)
        ordered = values.masked_fill(mask == 0, torch.inf).sort(dim=1).values
    middle = (ordered.gather(1, (count - 1) // 2) + ordered.gather(1, count // 2)) / 2
    return torch.where(middle.isfinite(), middle, 0.0)


def _last(target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Last value observed, and the root mean square of the distances from it."""
    if mask is None:
        location = target[:, -1:]
    else:
        order = torch.arange(1, target.shape[1] + 1, device=target.device)
        location = target.gather(1, (mask * order).argmax(dim=1, keepdim=True))
    return location, _mean((target - location).square(), mask).sqrt()


_MEASURES: Final = {"standard": _standard, "robust": _robust, "last": _last}


@dataclass(frozen=True, slots=True, eq=False)
class FoldScaler:
    """Scales fitted on the training rows and frozen: of the target by series, of inputs by column over all series.

    `location`, `scale` (S,) belong to `names`, and are 0 and 1 unless the scaling is "fold". `past`, `future`, `static`
    are (2, P), (2, F), (2, Z): means over deviations; a column that never changes has the deviation 1.
    """

    names: tuple[str, ...]
    location: FloatArray
    scale: FloatArray
    past: FloatArray
    future: FloatArray
    static: FloatArray

    def of(self, panel: SeriesPanel) -> tuple[FloatArray, FloatArray]:
        """Location and scale of the series of a panel, (S,) each."""
        if not self.names:
            return np.zeros(len(panel.names)), np.ones(len(panel.names))
        place = {name: row for row, name in enumerate(self.names)}
        for name in panel.names:
            if name not in place:
                raise NeuralError(
                    unknown("series", name, self.names) + " The scale was fitted by series: train on this one too, "
                    "or scale each window (scaling = 'standard')."
                )
        order = [place[name] for name in panel.names]
        return self.location[order], self.scale[order]


def fit_scaler(panel: SeriesPanel, rows: int, target: bool, inputs: bool) -> FoldScaler:
    """Fit scales on the first `rows` rows; `target` and `inputs` say which are wanted."""
    names: tuple[str, ...] = ()
    location, scale = np.empty(0), np.empty(0)
    if target:
        names = panel.names
        values = panel.target[:, :rows]
        seen = ~np.isnan(values)
        location = _masked_mean(values, seen, 1)
        scale = np.sqrt(_masked_mean(np.square(values - location[:, None]), seen, 1))
        level = np.abs(location)
        scale = np.where(scale > level * FLAT, scale, np.where(level > 0, level, 1.0) * UNIT)
    return FoldScaler(
        names,
        location,
        scale,
        _columns(panel.past[:, :rows], inputs),
        _columns(panel.future[:, :rows], inputs),
        _columns(panel.static[:, None, :], inputs),
    )


def moments(values: FloatArray) -> FloatArray:
    """Number, mean and sum of squared distances from it (3, C) of what is seen in the columns of (S, R, C)."""
    flat = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    seen = ~np.isnan(flat)
    mean = _masked_mean(flat, seen, 0)
    return np.stack([seen.sum(axis=0), mean, np.where(seen, np.square(flat - mean), 0.0).sum(axis=0)])


def pooled(parts: Sequence[FloatArray]) -> FloatArray:
    """Mean and deviation (2, C) of columns in several parts, from the moments of each; 0 and 1 of nothing.

    Source: Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37.
    """
    counts, means, squares = np.stack(parts, axis=1)
    total = np.maximum(counts.sum(axis=0), 1)
    mean = (counts * means).sum(axis=0) / total
    return _spread(mean, np.sqrt((squares + counts * np.square(means - mean)).sum(axis=0) / total))


def _spread(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Mean and deviation (2, C), 1 where a column never changes."""
    return np.stack([mean, np.where(deviation > np.abs(mean) * 1e-12, deviation, 1.0)])


def _masked_mean(values: FloatArray, seen: BoolArray, axis: int) -> FloatArray:
    total: FloatArray = np.where(seen, values, 0.0).sum(axis=axis) / np.maximum(seen.sum(axis=axis), 1)
    return total


def _columns(values: FloatArray, fitted: bool) -> FloatArray:
    """Mean and deviation (2, C) of the columns of (S, R, C)."""
    width = values.shape[-1]
    if not fitted or not values.size:
        return np.stack([np.zeros(width), np.ones(width)])
    flat = values.reshape(-1, width)
    seen = ~np.isnan(flat)
    mean = _masked_mean(flat, seen, 0)
    return _spread(mean, np.sqrt(_masked_mean(np.square(flat - mean), seen, 0)))
