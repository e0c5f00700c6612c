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

from nt_ray.neural.inference.one_window import flat, is_flat, measure_rows
from nt_ray.neural.inference.quantiles import Intervals, correcting, levels_given, quantiles_of
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, is_complete
from nt_ray.neural.serving.problems import ConstantSeriesError, MissingValueError
from nt_ray.neural.serving.runner import Runner, TorchRunner, size_of
from nt_ray.neural.serving.windows import WindowSet, check_answer
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
        """Most windows of requests that share a pass."""
        self.cut = BATCH
        """Most windows of one request that pass together."""
        self.short = 0
        """Most windows of a pass that takes next to no time, as far as that was measured."""
        self.signature = trained.signature
        self.series = trained.scaler.names
        self._trained = trained
        self._run: Runner = runner or TorchRunner(trained.network)
        self._masked: Runner = self._run if self._run.masks else TorchRunner(trained.network)
        self._levels = levels_given(trained)
        self._least = max(1, math.ceil(trained.recipe.observed * self.signature.lookback))
        self.nbytes = size_of(trained.network) + self._run.nbytes
        self.nbytes += 0 if trained.calibration is None else trained.calibration.nbytes
        self._place = {name: row for row, name in enumerate(self.series)}

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the quantiles that it gives unasked; none for a model of points that nothing calibrates."""
        return self._levels

    def forecast(self, windows: WindowSet, levels: Sequence[float] = (), intervals: Intervals = "") -> Answer:
        """Forecast every window, with quantiles of the kind that is asked for."""
        correcting(self._trained, tuple(levels), intervals, self.name)
        step = max(self.batch, self.cut)
        parts = [windows.part(i, i + step) for i in range(0, len(windows), step)]
        answers = [self._pass(part, tuple(levels), intervals, *self._scale(part)) for part in parts]
        if len(answers) == 1:
            return answers[0]
        return Answer(np.concatenate([one.mean for one in answers]), np.concatenate([one.quantiles for one in answers]))

    def check(self, windows: WindowSet, levels: Sequence[float] = ()) -> None:
        """Refuse what makes too long an answer, and windows with too few values or without a spread.

        So none of them is found among those of others.
        """
        check_answer(len(windows), self.signature.horizon, len(levels))
        seen = np.isfinite(windows.target).sum(axis=1)
        if len(seen) and seen.min() < self._least:
            row, rows = int(seen.argmin()), self.signature.lookback
            raise MissingValueError(
                f"Window {row} has {seen[row]} values in {rows} rows, and the model needs {self._least} of them. "
                "Fill some, or leave the window out."
            )
        self._scale(windows)

    def warm_up(self, count: int) -> None:
        """Forecast this many windows of zeros, which are scaled by nothing."""
        shape = self._trained.network.shape
        rows, ahead = shape.lookback, shape.lookback + shape.horizon
        zeros = WindowSet(
            np.zeros((count, rows)),
            np.zeros((count, rows, shape.past)),
            np.zeros((count, ahead, shape.future)),
            np.zeros((count, shape.static)),
        )
        self._pass(zeros, self.levels, "", np.zeros((count, 1)), np.ones((count, 1)))

    def _pass(
        self,
        windows: WindowSet,
        levels: tuple[float, ...],
        intervals: Intervals,
        location: FloatArray,
        scale: FloatArray,
    ) -> Answer:
        """Forecast windows whose location and scale, (B, 1), are known."""
        head = self._trained.head
        batch = self._batch(windows, location, scale)
        outputs = self._outputs(batch)
        with torch.inference_mode():
            mean = head.mean(outputs).numpy().astype(np.float64) * scale + location
            quantiles = np.empty((*mean.shape, len(levels)))
            if len(levels):
                cut = quantiles_of(self._trained, batch, outputs, levels, intervals).numpy().astype(np.float64)
                quantiles = cut * scale[..., None] + location[..., None]
        if not (np.isfinite(mean).all() and np.isfinite(quantiles).all()):
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
        found = measure_rows(self.signature.scaling, windows.target)
        if self.signature.scaling not in UNSCALED:
            for row, (location, spread) in enumerate(found.tolist()):
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
            _scaled(windows.past, fitted.past),
            _scaled(windows.future, fitted.future),
            _scaled(windows.static, fitted.static),
        )


def _scaled(values: FloatArray, fitted: FloatArray) -> Tensor:
    """Inputs in the scale of the training rows."""
    return _tensor((values - fitted[0]) / fitted[1]) if values.size else torch.zeros(values.shape)


def _tensor(values: FloatArray) -> Tensor:
    """Values of 32 bits, zero where missing."""
    found = values.astype(np.float32)
    found[np.isnan(found)] = 0.0
    return torch.from_numpy(found)
