"""DLinear: a moving average splits the look-back into trend and remainder, each has a linear map of its own.

    y = V (x - A x) + W A x + b,  A the moving average over `kernel` bars, the ends repeated beyond the look-back

Source: Zeng et al. (2023), Are transformers effective for time series forecasting?, AAAI.
"""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.inputs import filled
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter


class DLinear(Forecaster):
    """Linear maps of trend and remainder."""

    average: Tensor

    def __init__(self, shape: Shape, kernel: int) -> None:
        super().__init__(shape)
        width = shape.horizon * shape.outputs
        bound = 1.0 / sqrt(shape.lookback)
        self.remainder = nn.Parameter(torch.empty(width, shape.lookback).uniform_(-bound, bound))
        self.trend = nn.Parameter(torch.empty(width, shape.lookback).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.register_buffer("average", moving_average(shape.lookback, kernel), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        values = filled(batch.target, batch.mask)
        difference = self.trend - self.remainder
        # V (x - A x) + W A x = (V + (W - V) A) x: the moving average is taken of whichever has fewer rows.
        if self.training and len(values) > len(difference):
            outputs = functional.linear(values, self.remainder + difference @ self.average, self.bias)
        else:
            outputs = functional.linear(values, self.remainder, self.bias)
            outputs = outputs + functional.linear(values @ self.average.t(), difference)
        return outputs.view(-1, self.shape.horizon, self.shape.outputs)


def moving_average(length: int, kernel: int) -> Tensor:
    """Matrix (L, L) that takes the mean over `kernel` bars around each, the first and last bar repeated outwards."""
    half = (kernel - 1) // 2
    padded = functional.pad(torch.eye(length)[None], (half, half), mode="replicate")
    return functional.avg_pool1d(padded, kernel, stride=1)[0].t().contiguous()


def _build(shape: Shape, values: Mapping[str, float]) -> DLinear:
    kernel = int(values["kernel"])
    if kernel % 2 == 0:
        raise NeuralError(f"kernel={kernel} has no middle bar. Use an odd number.")
    return DLinear(shape, kernel)


MODEL = Model(
    name="dlinear",
    summary="Linear maps of a moving average and of the rest.",
    source="Zeng et al. (2023)",
    parameters=(Parameter("kernel", 25, 1, 1001, "Bars of the moving average, an odd number.", integer=True),),
    build=_build,
)
