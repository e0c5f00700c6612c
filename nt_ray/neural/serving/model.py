"""One version of a model in service: windows of any number in, means and quantiles out, in the units of the series.

It holds weights and nothing of the requests, so any number of threads may ask it, and whoever holds it may finish with
it after another version has taken its place. A window's forecast does not depend on the windows beside it, but for the
last digits. Missing values (NaN) are masked as in training; where the network runs in a form that knows no mask,
windows with gaps run in torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.heads.point import LOSSES
from nt_ray.neural.inference.one_window import flat, is_flat, measure
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, is_complete
from nt_ray.neural.serving.problems import ConstantSeriesError, MissingValueError, WrongLevelsError
from nt_ray.neural.serving.runner import Runner, TorchRunner, size_of
from nt_ray.neural.serving.windows import WindowSet
from nt_ray.neural.training.trained import Trained
from nt_ray.types import FloatArray

UNSCALED: Final = ("none", "fold")
BATCH: Final = 256
"""Windows of one forward pass, where nothing was measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Means (B, H) and quantiles (B, H, Q)."""

    mean: FloatArray
    quantiles: FloatArray

    def part(self, first: int, last: int) -> "Answer":
        """Windows `first` to `last` (not included)."""
        return Answer(self.mean[first:last], self.quantiles[first:last])


class ServedModel:
    """A version that answers."""

    def __init__(
        self,
        trained: Trained,
        name: str = "",
        version: int = 0,
        *,
        runner: Runner | None = None,
        precision: str = "fp32",
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.version = version
        self.precision = precision
        self.batch = batch
        self.signature = trained.signature
        self.series = trained.scaler.names
        self._trained = trained
        self._run: Runner = runner or TorchRunner(trained.network)
        self._masked: Runner = self._run if self._run.masks else TorchRunner(trained.network)
        self._least = max(1, math.ceil(trained.recipe.observed * self.signature.lookback))
        self.nbytes = size_of(trained.network) + self._run.nbytes
        self._place = {name: row for row, name in enumerate(self.series)}

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the quantiles that it gives unasked; none for a model of points."""
        return () if self._trained.recipe.head in LOSSES else self._trained.recipe.levels

    def forecast(self, windows: WindowSet, levels: Sequence[float] = ()) -> Answer:
        """Forecast every window."""
        if len(levels) and not self.levels:
            raise WrongLevelsError(
                f"Model {self.name} forecasts points and has no quantiles. Ask for the mean alone, or another model."
            )
        step = max(self.batch, 1)
        parts = [self._part(windows.part(i, i + step), levels) for i in range(0, len(windows), step)]
        if len(parts) == 1:
            return parts[0]
        return Answer(np.concatenate([part.mean for part in parts]), np.concatenate([part.quantiles for part in parts]))

    def check(self, windows: WindowSet) -> None:
        """Refuse windows with too few values or without a spread, so that none is found among those of others."""
        seen = np.isfinite(windows.target).sum(axis=1)
        if len(seen) and seen.min() < self._least:
            row, rows = int(seen.argmin()), self.signature.lookback
            raise MissingValueError(
                f"Window {row} has {seen[row]} values in {rows} rows, and the model needs {self._least} of them. "
                "Fill some, or leave the window out."
            )
        self._scale(windows)

    def warm_up(self, count: int) -> None:
        """Run the network on this many windows of zeros."""
        shape = self._trained.network.shape
        rows, ahead = shape.lookback, shape.lookback + shape.horizon
        zeros = WindowSet(
            np.zeros((count, rows)),
            np.zeros((count, rows, shape.past)),
            np.zeros((count, ahead, shape.future)),
            np.zeros((count, shape.static)),
        )
        self._run(self._batch(zeros, np.zeros((count, 1)), np.ones((count, 1))))

    def _part(self, windows: WindowSet, levels: Sequence[float]) -> Answer:
        location, scale = self._scale(windows)
        head = self._trained.head
        outputs = self._outputs(self._batch(windows, location, scale))
        with torch.inference_mode():
            mean = head.mean(outputs).numpy().astype(np.float64) * scale + location
            quantiles = np.empty((*mean.shape, len(levels)))
            if len(levels):
                cut = head.quantiles(outputs, torch.tensor(levels, dtype=torch.float32)).numpy().astype(np.float64)
                quantiles = cut * scale[..., None] + location[..., None]
        if not np.isfinite(mean).all():
            raise NeuralError(f"Model {self.name}/{self.version} forecasts no number here. Ask another version.")
        return Answer(mean, quantiles)

    def _outputs(self, batch: Batch) -> Tensor:
        """Outputs of the network (B, H, K)."""
        if is_complete(batch.mask):
            return self._run(batch)
        gaps = (batch.mask == 0).any(dim=1)
        if self._run.masks or bool(gaps.all()):
            return self._masked(batch)
        masked = self._masked(Batch(*(tensor[gaps] for tensor in batch)))
        outputs = masked.new_empty((len(gaps), *masked.shape[1:]))
        outputs[gaps] = masked
        outputs[~gaps] = self._run(Batch(*(tensor[~gaps] for tensor in batch)))
        return outputs

    def _scale(self, windows: WindowSet) -> tuple[FloatArray, FloatArray]:
        """Location and scale of each window, (B, 1)."""
        if windows.series:
            rows = [self._place[name] for name in windows.series]
            scaler = self._trained.scaler
            return scaler.location[rows, None], scaler.scale[rows, None]
        rule, seen = self.signature.scaling, np.isfinite(windows.target)
        if seen.all():
            found = np.array([measure(rule, values) for values in windows.target])
        else:
            found = np.array([measure(rule, values[s]) for values, s in zip(windows.target, seen, strict=True)])
        if self.signature.scaling not in UNSCALED:
            for row, (location, spread) in enumerate(found):
                if is_flat(location, spread):
                    raise ConstantSeriesError(flat(f"Window {row}", self.signature.lookback, location))
        return found[:, :1], found[:, 1:]

    def _batch(self, windows: WindowSet, location: FloatArray, scale: FloatArray) -> Batch:
        fitted = self._trained.scaler
        count, rows = windows.target.shape
        seen = np.isfinite(windows.target)
        return Batch(
            _tensor((windows.target - location) / scale),
            torch.ones((1, 1)).expand(count, rows) if seen.all() else _tensor(seen.astype(np.float64)),
            _tensor((windows.past - fitted.past[0]) / fitted.past[1]),
            _tensor((windows.future - fitted.future[0]) / fitted.future[1]),
            _tensor((windows.static - fitted.static[0]) / fitted.static[1]),
        )


def _tensor(values: FloatArray) -> Tensor:
    """Values of 32 bits, zero where missing."""
    return torch.from_numpy(np.nan_to_num(values).astype(np.float32))
