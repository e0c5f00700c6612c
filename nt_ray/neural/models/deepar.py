"""DeepAR: recurrent cells read each value and forecast the next; beyond the look-back they read their own forecasts.

    h_t = LSTM(h_{t-1}, [y_{t-1}, x_t]),  outputs of t = W h_t + b

In training the cells read the truth. `forward` feeds the location of each step (output 0 of every head) back, so it is
deterministic; its outputs of later steps then know no uncertainty of the steps between. `sample` draws whole paths,
each step from the head's distribution given the path so far, which is what the source forecasts with; `quantiles` are
read off those.

Source: Salinas et al. (2020), DeepAR: probabilistic forecasting with autoregressive recurrent networks, International
Journal of Forecasting 36.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.heads.point import LOSSES
from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.series.batch import Batch, Truth
from nt_ray.philox import generator
from nt_ray.strategies.base import Parameter

STREAM: Final = 30
"""Stream of the random numbers of paths."""
PATHS: Final = 200
"""Paths that quantiles are read off, where nothing else is said."""
ROWS: Final = 1 << 14
"""Paths of all windows that are drawn together."""

State = tuple[Tensor, Tensor]


class DeepAR(Forecaster):
    """One step of cells at a time."""

    def __init__(self, shape: Shape, hidden: int, layers: int, dropout: float, paths: int = PATHS) -> None:
        super().__init__(shape)
        self.paths = paths
        sizes = [2 + shape.future + shape.static, *[hidden] * layers]
        if dropout:
            # One module a layer: the dropout within a fused stack has a random state of its own on a GPU.
            cells = [nn.LSTM(*pair, batch_first=True) for pair in pairwise(sizes)]
        else:
            cells = [nn.LSTM(sizes[0], hidden, layers, batch_first=True)]
        self.layers = nn.ModuleList(cells)
        self.dropout = Dropout(dropout)
        self.outputs = nn.Linear(hidden, shape.outputs)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K), each step after the locations of those before it."""
        outputs, state = self._begin(batch)
        found = [outputs]
        for step in range(1, self.shape.horizon):
            outputs, state = self._next(batch, outputs[..., 0], step, state)
            found.append(outputs)
        return torch.cat(found, dim=1)

    def fitted(self, batch: Batch, truth: Truth) -> Tensor:
        """Outputs (B, H, K), each step after the truth of those before it."""
        values = torch.cat((batch.target, truth.target[:, :-1]), dim=1)
        mask = torch.cat((batch.mask, truth.mask[:, :-1]), dim=1)
        read, _ = self._read(self._inputs(batch, values, mask, 0), None)
        outputs: Tensor = self.outputs(read[:, -self.shape.horizon :])
        return outputs

    def quantiles(self, batch: Batch, outputs: Tensor, levels: Tensor, head: Head, seed: int) -> Tensor:
        """Quantiles (B, H, Q) of `paths` sampled paths, which draw the same numbers in every window.

        A head of points is asked itself, as is one step ahead, of which the outputs know all.
        """
        if self.shape.horizon == 1 or head.name in LOSSES:
            return head.quantiles(outputs, levels)
        device = self.outputs.weight.device
        batch, asked = Batch(*(part.to(device) for part in batch)), levels.to(device).double()
        found = [
            self.sample(Batch(*parts), self.paths, seed, head, alike=True).double().quantile(asked, dim=1)
            for parts in zip(*(torch.split(part, max(1, ROWS // self.paths)) for part in batch), strict=True)
        ]
        return torch.cat(found, dim=1).permute(1, 2, 0).to(outputs)

    def sample(self, batch: Batch, paths: int, seed: int, head: Head, *, alike: bool = False) -> Tensor:
        """Paths (B, paths, H) in the scale of the batch, drawn step by step.

        Path p of window b is a function of the network, the window, p, `seed` and, unless all windows are to be drawn
        `alike`, of b: more paths begin with the fewer.
        """
        width = len(batch.target)
        apart = 1 if alike else width
        drawn = [generator(seed, STREAM, path).random((apart, self.shape.horizon, 2)) for path in range(paths)]
        drawn = [path.repeat(width // apart, axis=0) for path in drawn]
        # Exactly 0 and 1 have no quantile.
        uniforms = torch.stack([torch.from_numpy(path) for path in drawn], dim=1).flatten(0, 1)
        uniforms = uniforms.to(batch.target).clamp(2.0**-24, 1.0 - 2.0**-24)
        many = Batch(*(part.repeat_interleave(paths, dim=0) for part in batch))
        outputs, state = self._begin(batch)
        outputs = outputs.repeat_interleave(paths, dim=0)
        state = [(h.repeat_interleave(paths, dim=1), c.repeat_interleave(paths, dim=1)) for h, c in state]
        found = [head.draw(outputs, uniforms[:, :1])]
        for step in range(1, self.shape.horizon):
            outputs, state = self._next(many, found[-1], step, state)
            found.append(head.draw(outputs, uniforms[:, step : step + 1]))
        return torch.cat(found, dim=1).view(width, paths, -1)

    def _begin(self, batch: Batch) -> tuple[Tensor, list[State]]:
        """Outputs of the first step (B, 1, K), and the state after the look-back."""
        read, state = self._read(self._inputs(batch, batch.target, batch.mask, 0), None)
        return self.outputs(read[:, -1:]), state

    def _next(self, batch: Batch, value: Tensor, step: int, state: list[State]) -> tuple[Tensor, list[State]]:
        """Outputs of the step after `value` (B, 1), whose own step is `step` - 1."""
        inputs = self._inputs(batch, value, torch.ones_like(value), self.shape.lookback + step - 1)
        read, state = self._read(inputs, state)
        return self.outputs(read), state

    def _inputs(self, batch: Batch, values: Tensor, mask: Tensor, first: int) -> Tensor:
        """Values from bar `first` on beside the inputs of the bar after each, (B, T, C)."""
        length = values.shape[1]
        columns = [(values * mask)[..., None], mask[..., None]]
        if batch.future.shape[-1]:
            columns.append(batch.future[:, first + 1 : first + 1 + length])
        if batch.static.shape[-1]:
            columns.append(batch.static[:, None].expand(-1, length, -1))
        return torch.cat(columns, dim=-1)

    def _read(self, values: Tensor, state: list[State] | None) -> tuple[Tensor, list[State]]:
        after: list[State] = []
        for number, layer in enumerate(self.layers):
            values = self.dropout(values) if number else values
            values, own = layer(values, None if state is None else state[number])
            after.append(own)
        return values, after


def _build(shape: Shape, values: Mapping[str, float]) -> DeepAR:
    return DeepAR(shape, int(values["hidden"]), int(values["layers"]), values["dropout"], int(values["paths"]))


MODEL = Model(
    name="deepar",
    summary="Autoregressive recurrent cells; draws joint paths.",
    source="Salinas et al. (2020)",
    parameters=(
        Parameter("hidden", 40, 1, 4096, "Cells of a layer.", integer=True, aliases=("hidden_size",)),
        Parameter("layers", 3, 1, 16, "Layers of cells.", integer=True, aliases=("num_layers",)),
        Parameter("dropout", 0.0, 0.0, 0.9, "Share of each layer's outputs that a training step leaves out."),
        Parameter("paths", PATHS, 2, 10_000, "Paths that quantiles are read off.", integer=True),
    ),
    build=_build,
    inputs=("future", "static"),
    aliases=("deep_ar",),
)
