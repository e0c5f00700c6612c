"""NLinear: the last value is taken off the look-back, a linear map forecasts the rest, the last value is put on again.

    y = W (x - x_L) + b + x_L

Source: Zeng et al. (2023), Are transformers effective for time series forecasting?, AAAI.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.inputs import filled
from nt_ray.neural.models.reversible import raised
from nt_ray.neural.series.batch import Batch


class NLinear(Forecaster):
    """One linear map of the distances from the last value."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.linear = nn.Linear(shape.lookback, shape.horizon * shape.outputs)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        values = filled(batch.target, batch.mask)
        last = values[:, -1:]
        outputs = self.linear(values - last).unflatten(1, (self.shape.horizon, self.shape.outputs))
        return raised(outputs, last)


def _build(shape: Shape, values: Mapping[str, float]) -> NLinear:
    del values
    return NLinear(shape)


MODEL = Model(
    name="nlinear",
    summary="Linear map of the distances from the last value.",
    source="Zeng et al. (2023)",
    parameters=(),
    build=_build,
)
