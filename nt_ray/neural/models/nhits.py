"""N-HiTS: residual blocks that each see the look-back at a rate of their own and forecast knots of a line.

    theta = W relu(W' maxpool(x)),  forecast = line through H / down knots,  one rate for each of three stacks

The backcast is learnt bar by bar, and the last value observed is the level the forecasts add to, as in the authors' own
program. Inputs over time are pooled like the target.

Source: Challu et al. (2023), N-HiTS: neural hierarchical interpolation for time series forecasting, AAAI.
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from nt_ray.neural.models.base import Model, Shape
from nt_ray.neural.models.perceptron import perceptron
from nt_ray.neural.models.residual import Block, Part, ResidualStack
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter

STACKS: Final = (1, 2, 3)


class HierarchicalBlock(Block):
    """A perceptron of the pooled look-back; knots of the horizon and the whole backcast come out."""

    between: Tensor

    def __init__(self, shape: Shape, values: Mapping[str, float], pool: int, down: int, *, last: bool) -> None:
        super().__init__()
        self.pool = pool
        self._sizes = (shape.outputs, max(1, shape.horizon // down))
        self._back = 0 if last else shape.lookback
        behind, whole = (-(-steps // pool) for steps in (shape.lookback, shape.lookback + shape.horizon))
        inputs = behind * (1 + shape.past) + whole * shape.future + shape.static
        width = int(values["width"])
        self.inner = perceptron(inputs, width, int(values["layers"]), values["dropout"])
        self.coefficients = nn.Linear(width, self._back + shape.outputs * self._sizes[1])
        self.register_buffer("between", line(self._sizes[1], shape.horizon), persistent=False)

    def forward(self, values: Tensor, batch: Batch) -> Part:
        """Explain a part of what is left of the look-back."""
        theta = self.coefficients(self.inner(self._seen(values, batch)))
        forecast = theta[:, self._back :].unflatten(1, self._sizes) @ self.between
        return Part(theta[:, : self._back] if self._back else None, forecast)

    def _seen(self, values: Tensor, batch: Batch) -> Tensor:
        parts = [pooled(values[:, None], self.pool)]
        parts += [pooled(own.transpose(1, 2), self.pool) for own in (batch.past, batch.future) if own.shape[-1]]
        return torch.cat((*parts, batch.static), dim=1) if len(parts) > 1 or batch.static.shape[-1] else parts[0]


def pooled(values: Tensor, pool: int) -> Tensor:
    """Largest of each `pool` steps of values (B, C, T), in rows (B, C * ceil(T / pool))."""
    return (functional.max_pool1d(values, pool, ceil_mode=True) if pool > 1 else values).flatten(1)


def line(knots: int, horizon: int) -> Tensor:
    """Matrix (knots, H) from knots, evenly spread over the horizon, to the line through them."""
    return functional.interpolate(torch.eye(knots)[None], size=horizon, mode="linear")[0].contiguous()


def _build(shape: Shape, values: Mapping[str, float]) -> ResidualStack:
    count = int(values["blocks"])
    blocks: list[Block] = []
    for stack in STACKS:
        pool, down = int(values[f"pool_{stack}"]), int(values[f"down_{stack}"])
        for number in range(count):
            last = stack == STACKS[-1] and number == count - 1
            blocks.append(HierarchicalBlock(shape, values, pool, down, last=last))
    return ResidualStack(shape, blocks, level=True)


def _rates() -> tuple[Parameter, ...]:
    pools, downs = (2, 2, 1), (4, 2, 1)
    return tuple(
        parameter
        for stack, pool, down in zip(STACKS, pools, downs, strict=True)
        for parameter in (
            Parameter(f"pool_{stack}", pool, 1, 256, f"Bars pooled into one in stack {stack}.", integer=True),
            Parameter(f"down_{stack}", down, 1, 1024, f"Steps ahead for each knot in stack {stack}.", integer=True),
        )
    )


MODEL = Model(
    name="nhits",
    summary="Residual blocks at several rates, forecasts interpolated between knots.",
    source="Challu et al. (2023)",
    parameters=(
        *_rates(),
        Parameter("blocks", 1, 1, 16, "Blocks in each of the three stacks.", integer=True),
        Parameter("width", 512, 1, 4096, "Width of the perceptrons.", integer=True, aliases=("hidden", "hidden_size")),
        Parameter("layers", 2, 1, 16, "Layers of the perceptrons.", integer=True, aliases=("num_layers",)),
        Parameter("dropout", 0.0, 0.0, 0.9, "Share of each layer's outputs that a training step leaves out."),
    ),
    build=_build,
    inputs=("past", "future", "static"),
    aliases=("n_hits",),
)
