"""N-BEATS: perceptrons whose outputs are coefficients of bases, stacked doubly residually.

    theta = W relu(...relu(W' x)),  backcast = B theta_b,  forecast = F theta_f

The bases of a trend are powers of time up to `degree`, those of a seasonality cosines and sines of whole cycles within
the horizon; a generic block learns its own. By default the interpretable network of the source, of one width. Inputs
other than the target are seen by every block, as Olivares et al. (2023), N-BEATSx, do.

Source: Oreshkin et al. (2020), N-BEATS: neural basis expansion analysis for interpretable time series
forecasting, ICLR.
"""

from collections.abc import Mapping
from math import pi

import torch
from torch import Tensor, nn

from nt_ray.neural.models.base import Model, Shape
from nt_ray.neural.models.inputs import surroundings, surroundings_width
from nt_ray.neural.models.perceptron import perceptron
from nt_ray.neural.models.residual import Block, Part, ResidualStack
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter


class BasisBlock(Block):
    """A perceptron, coefficients, and fixed bases (n, L) and (n, H); without these, the coefficients come out."""

    backward: Tensor | None
    ahead: Tensor | None

    def __init__(
        self, shape: Shape, width: int, layers: int, bases: tuple[Tensor, Tensor] | None, *, repeats: int, last: bool
    ) -> None:
        super().__init__()
        self.repeats = repeats
        self._outputs = shape.outputs
        backward, ahead = bases if bases is not None else (None, None)
        self.register_buffer("backward", backward, persistent=False)
        self.register_buffer("ahead", ahead, persistent=False)
        self.inner = perceptron(shape.lookback + surroundings_width(shape), width, layers)
        self._back = 0 if last else (shape.lookback if backward is None else len(backward))
        self._front = shape.horizon if ahead is None else len(ahead)
        self.coefficients = nn.Linear(width, self._back + shape.outputs * self._front, bias=bases is None)

    def forward(self, values: Tensor, batch: Batch) -> Part:
        """Explain a part of what is left of the look-back."""
        theta = self.coefficients(self.inner(torch.cat((values, *surroundings(batch)), dim=1)))
        forecast = theta[:, self._back :].unflatten(1, (self._outputs, self._front))
        if self.ahead is not None:
            forecast = forecast @ self.ahead
        if not self._back:
            return Part(None, forecast)
        backcast = theta[:, : self._back]
        return Part(backcast if self.backward is None else backcast @ self.backward, forecast)


def trend(shape: Shape, degree: int) -> tuple[Tensor, Tensor]:
    """Powers 0 to `degree` of time in [0, 1), over look-back and horizon."""
    powers = torch.arange(degree + 1, dtype=torch.float64)[:, None]
    sides = (torch.arange(n, dtype=torch.float64)[None] / n for n in (shape.lookback, shape.horizon))
    back, ahead = ((side**powers).float() for side in sides)
    return back, ahead


def seasonality(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of 0 to ceil(H / 2) - 1 cycles a horizon, over look-back and horizon."""
    cycles = torch.arange(max(1, (shape.horizon + 1) // 2), dtype=torch.float64)[:, None]

    def waves(time: Tensor) -> Tensor:
        angle = 2.0 * pi * cycles * time / shape.horizon
        return torch.cat((angle.cos(), angle[1:].sin())).float()

    back = torch.arange(-shape.lookback, 0, dtype=torch.float64)
    return waves(back), waves(torch.arange(shape.horizon, dtype=torch.float64))


def _build(shape: Shape, values: Mapping[str, float]) -> ResidualStack:
    kinds = (
        (int(values["generic"]), None, False),
        (int(values["trend"]), trend(shape, int(values["degree"])), bool(values["shared"])),
        (int(values["seasonality"]), seasonality(shape), bool(values["shared"])),
    )
    stacks = [kind for kind in kinds if kind[0]]
    if not stacks:
        raise NeuralError("generic, trend and seasonality are all 0: no blocks. Give at least one.")
    plan = []
    for count, bases, shared in stacks:
        plan += [(count, bases)] if shared else [(1, bases)] * count
    width, layers = int(values["width"]), int(values["layers"])
    blocks: list[Block] = [
        BasisBlock(shape, width, layers, bases, repeats=repeats, last=number == len(plan) - 1 and repeats == 1)
        for number, (repeats, bases) in enumerate(plan)
    ]
    return ResidualStack(shape, blocks, level=False)


MODEL = Model(
    name="nbeats",
    summary="Residual stack of perceptrons over trend, seasonal and learnt bases.",
    source="Oreshkin et al. (2020)",
    parameters=(
        Parameter("generic", 0, 0, 64, "Blocks that learn their bases, the first in the stack.", integer=True),
        Parameter("trend", 3, 0, 64, "Blocks of a trend.", integer=True),
        Parameter("seasonality", 3, 0, 64, "Blocks of a seasonality.", integer=True),
        Parameter("degree", 2, 0, 8, "Highest power of time in a trend.", integer=True),
        Parameter("shared", 1, 0, 1, "Blocks of a trend, and of a seasonality, share their weights.", integer=True),
        Parameter("width", 512, 1, 4096, "Width of the perceptrons.", integer=True, aliases=("hidden", "hidden_size")),
        Parameter("layers", 4, 1, 16, "Layers of the perceptrons.", integer=True, aliases=("num_layers",)),
    ),
    build=_build,
    inputs=("past", "future", "static"),
    aliases=("n_beats", "nbeatsx"),
)
