"""The whole panel resident once on a device, and windows read from it by index inside the training step.

Windows are rows of an overlapping view of the resident series, so a step copies its own windows and nothing else: its
cost does not depend on the length of the history. Scales come from the look-back alone, or were frozen on the training
rows before.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.series.batch import Batch, Scale, Truth, Windows
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.scaling import FoldScaler, window_scale
from nt_ray.neural.training.recipe import Scaling
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """Panel on a device as float32, with zeros where missing.

    target, mask (S·T,); past (S·T, P); future (S·(T+A), F); static (S, Z); location, scale (S, 1) of the series. The
    mask is None where nothing is missing. S series of `length` rows, of which the future inputs have `reach`.
    """

    target: Tensor
    mask: Tensor | None
    past: Tensor
    future: Tensor
    static: Tensor
    location: Tensor
    scale: Tensor
    length: int
    reach: int
    lookback: int
    horizon: int
    scaling: Scaling

    def windows(self, series: Tensor, origin: Tensor) -> Windows:
        """Windows with their truth, scaled; `series` and `origin` are int64 (B,), the origin the last known row."""
        width = self.lookback + self.horizon
        start = series * self.length + (origin - self.lookback + 1)
        values = _cut(self.target, start, width)
        mask = None if self.mask is None else _cut(self.mask, start, width)
        batch, own = self._batch(values, mask, series, origin)
        ahead = (values[:, self.lookback :] - own.location) / own.scale
        if mask is None:
            truth = Truth(ahead, ahead.new_ones(1, 1).expand_as(ahead))
        else:
            seen = mask[:, self.lookback :]
            truth = Truth(ahead * seen, seen)
        return Windows(batch, truth, self._whole(own, series))

    def history(self, series: Tensor, origin: Tensor) -> tuple[Batch, Scale]:
        """Windows without truth, for a forecast from any origin."""
        start = series * self.length + (origin - self.lookback + 1)
        values = _cut(self.target, start, self.lookback)
        mask = None if self.mask is None else _cut(self.mask, start, self.lookback)
        batch, own = self._batch(values, mask, series, origin)
        return batch, self._whole(own, series)

    def _batch(self, values: Tensor, mask: Tensor | None, series: Tensor, origin: Tensor) -> tuple[Batch, Scale]:
        past = values[:, : self.lookback]
        seen = None if mask is None else mask[:, : self.lookback]
        own = window_scale(self.scaling, past, seen)
        # "none" and "fold" leave the windows as they lie.
        scaled = past if self.scaling in ("none", "fold") else (past - own.location) / own.scale
        if seen is None:
            seen = scaled.new_ones(1, 1).expand_as(scaled)
        else:
            scaled = scaled * seen
        first = origin - self.lookback + 1
        return Batch(
            scaled,
            seen,
            _cut(self.past, series * self.length + first, self.lookback),
            _cut(self.future, series * self.reach + first, self.lookback + self.horizon),
            self.static.index_select(0, series),
        ), own

    def _whole(self, own: Scale, series: Tensor) -> Scale:
        """Scale back to the units of the panel."""
        if self.scaling != "fold":
            return own
        return Scale(self.location.index_select(0, series), self.scale.index_select(0, series))


def resident(
    panel: SeriesPanel, lookback: int, horizon: int, scaling: Scaling, scaler: FoldScaler, device: torch.device
) -> Resident:
    """Put a panel on a device."""
    location, scale = scaler.of(panel)
    # In float64 until here: a level far above the spread keeps its digits.
    target = (panel.target - location[:, None]) / scale[:, None]
    seen = ~np.isnan(target)

    def put(values: FloatArray) -> Tensor:
        return torch.from_numpy(np.nan_to_num(values).astype(np.float32)).to(device)

    def inputs(values: FloatArray, fitted: FloatArray) -> FloatArray:
        scaled: FloatArray = (values - fitted[0]) / fitted[1]
        return scaled

    return Resident(
        target=put(target.reshape(-1)),
        mask=None if seen.all() else put(seen.reshape(-1).astype(np.float64)),
        past=put(_rows(inputs(panel.past, scaler.past))),
        future=put(_rows(inputs(panel.future, scaler.future))),
        static=put(inputs(panel.static, scaler.static)),
        location=put(location[:, None]),
        scale=put(scale[:, None]),
        length=len(panel),
        reach=panel.future.shape[1],
        lookback=lookback,
        horizon=horizon,
        scaling=scaling,
    )


def _rows(values: FloatArray) -> FloatArray:
    """Columns of all series under each other, (S·R, C)."""
    return values.reshape(values.shape[0] * values.shape[1], values.shape[2])


def _cut(values: Tensor, start: Tensor, width: int) -> Tensor:
    """Rows `start` to `start + width - 1` of (R,) or (R, C) for each of B starts: (B, width) or (B, width, C)."""
    tail = values.shape[1:]
    if not values.numel():
        return values.new_zeros((len(start), width, *tail))
    shape = (len(values) - width + 1, width, *tail)
    return values.as_strided(shape, (values.stride(0), *values.stride())).index_select(0, start)
