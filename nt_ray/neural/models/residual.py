"""Doubly residual stacking: each block explains a part of the look-back and of the horizon, the next sees what is left.

    x_0 = look-back,  x_{i+1} = x_i - backcast_i(x_i),  y = sum of forecast_i(x_i)

Source: Oreshkin et al. (2020), N-BEATS: neural basis expansion analysis for interpretable time series
forecasting, ICLR.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.models.inputs import filled
from nt_ray.neural.models.reversible import raised
from nt_ray.neural.series.batch import Batch


class Part(NamedTuple):
    """What a block explains: backcast (B, L), None of the last block, which none follows; forecast (B, K, H)."""

    backcast: Tensor | None
    forecast: Tensor


class Block(nn.Module, ABC):
    """One block of a residual stack; `repeats` times in a row with the same weights."""

    repeats = 1

    @abstractmethod
    def forward(self, values: Tensor, batch: Batch) -> Part:
        """Explain a part of `values` (B, L), what is left of the look-back; `batch` has the other inputs."""


class ResidualStack(Forecaster):
    """Blocks, one after another; with `level`, forecasts add to the last value observed."""

    def __init__(self, shape: Shape, blocks: list[Block], *, level: bool) -> None:
        super().__init__(shape)
        self.blocks = nn.ModuleList(blocks)
        self._order = [number for number, block in enumerate(blocks) for _ in range(block.repeats)]
        self._level = level

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        values = filled(batch.target, batch.mask)
        parts = self.parts(values, batch)
        total = parts[0].forecast
        for part in parts[1:]:
            total = total + part.forecast
        outputs = total.transpose(1, 2)
        return raised(outputs, values[:, -1:]) if self._level else outputs

    def parts(self, values: Tensor, batch: Batch) -> list[Part]:
        """What each block explains, beginning with the look-back `values` (B, L) without gaps."""
        found: list[Part] = []
        for number in self._order:
            part: Part = self.blocks[number](values, batch)
            found.append(part)
            if part.backcast is not None:
                values = values - part.backcast
        return found
