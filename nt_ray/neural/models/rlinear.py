"""RLinear: a linear map between reversible normalisation.

    y = s (W (x - m) / s + b) + m,  m and s the mean and deviation of the look-back

Source: Li et al. (2023), Revisiting long-term time series forecasting: an investigation on linear mapping.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.models.inputs import filled
from nt_ray.neural.models.reversible import normalised, restored
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter


class RLinear(Forecaster):
    """One linear map of the normalised look-back."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__(shape)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(shape.lookback, shape.horizon * shape.outputs)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        values, scale = normalised(filled(batch.target, batch.mask))
        outputs = self.linear(self.dropout(values)).unflatten(1, (self.shape.horizon, self.shape.outputs))
        return restored(outputs, scale)


def _build(shape: Shape, values: Mapping[str, float]) -> RLinear:
    return RLinear(shape, values["dropout"])


MODEL = Model(
    name="rlinear",
    summary="Linear map between reversible normalisation.",
    source="Li et al. (2023)",
    parameters=(Parameter("dropout", 0.0, 0.0, 0.9, "Share of the look-back that a training step leaves out."),),
    build=_build,
)
