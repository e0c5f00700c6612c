"""Recurrent networks: layers of cells read the look-back bar by bar, the last state forecasts all steps at once."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.models.inputs import history, history_width
from nt_ray.neural.models.readout import Readout
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter

PARAMETERS: Final = (
    Parameter("hidden", 128, 1, 4096, "Width of the first layer.", integer=True, aliases=("hidden_size",)),
    Parameter("layers", 3, 1, 16, "Layers of cells.", integer=True, aliases=("num_layers",)),
    Parameter("shrink", 0.5, 0.05, 1.0, "Width of each further layer as a share of the one before."),
    Parameter("dropout", 0.2, 0.0, 0.9, "Share of each layer's outputs that a training step leaves out."),
)


def widths(hidden: int, layers: int, shrink: float) -> list[int]:
    """Width of each layer."""
    return [max(1, round(hidden * shrink**layer)) for layer in range(layers)]


class Recurrent(Forecaster):
    """Layers of one kind of cell."""

    def __init__(self, shape: Shape, cell: type[nn.LSTM] | type[nn.GRU], values: Mapping[str, float]) -> None:
        super().__init__(shape)
        sizes = widths(int(values["hidden"]), int(values["layers"]), values["shrink"])
        inputs = history_width(shape)
        if len(set(sizes)) == 1 and (len(sizes) == 1 or not values["dropout"]):
            cells = [cell(inputs, sizes[0], len(sizes), batch_first=True)]
        else:
            # One module a layer: the dropout within a fused stack has a random state of its own on a GPU.
            cells = [cell(*pair, batch_first=True) for pair in zip([inputs, *sizes], sizes, strict=False)]
        self.layers = nn.ModuleList(cells)
        self.dropout = Dropout(values["dropout"])
        self.readout = Readout(sizes[-1], shape)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        state = history(batch)
        for number, layer in enumerate(self.layers):
            state, _ = layer(self.dropout(state) if number else state)
        outputs: Tensor = self.readout(state[:, -1], batch)
        return outputs


def gates_open(network: Recurrent) -> None:
    """Start with forget gates of an LSTM near one, so that long memories are there to be unlearnt.

    Source: Jozefowicz et al. (2015), An empirical exploration of recurrent network architectures, ICML.
    """
    for name, weight in network.layers.named_parameters():
        if "bias_ih" in name:
            quarter = len(weight) // 4
            with torch.no_grad():
                weight[quarter : 2 * quarter].fill_(1.0)
