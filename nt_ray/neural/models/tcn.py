"""TCN: residual blocks of dilated causal convolutions; the last step forecasts all of the horizon at once.

    block(x) = relu(x + relu(conv(relu(conv(x)))))  with dilation 1, 2, 4, ... from block to block

Only the steps that the last one depends on are computed, which gives the very same numbers.

Source: Bai, Kolter and Koltun (2018), An empirical evaluation of generic convolutional and recurrent networks for
sequence modeling.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.causal import CausalConv
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.models.inputs import history, history_width
from nt_ray.neural.models.readout import Readout
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter


class Block(nn.Module):
    """Two causal convolutions and a way around them."""

    def __init__(self, inputs: int, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = CausalConv(inputs, width, kernel, dilation)
        self.second = CausalConv(width, width, kernel, dilation)
        self.around = nn.Conv1d(inputs, width, 1) if inputs != width else nn.Identity()
        self.dropout = Dropout(dropout)

    def forward(self, values: Tensor, steps: int) -> Tensor:
        """The last `steps` outputs (B, width, steps) of values (B, inputs, T)."""
        inner = min(steps + self.second.reach, values.shape[-1])
        state = self.dropout(self.first(values, inner).relu())
        state = self.dropout(self.second(state, steps).relu())
        changed: Tensor = (state + self.around(values[..., -steps:])).relu()
        return changed


class TCN(Forecaster):
    """Blocks with doubling dilation."""

    def __init__(self, shape: Shape, width: int, kernel: int, levels: int, dropout: float) -> None:
        super().__init__(shape)
        inputs = [history_width(shape), *[width] * (levels - 1)]
        blocks = [Block(n, width, kernel, 2**i, dropout) for i, n in enumerate(inputs)]
        self.blocks = nn.ModuleList(blocks)
        self.readout = Readout(width, shape)
        self._reaches = [block.first.reach + block.second.reach for block in blocks]

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        outputs: Tensor = self.readout(self.states(history(batch).transpose(1, 2))[..., -1], batch)
        return outputs

    def states(self, values: Tensor, steps: int = 1) -> Tensor:
        """The last `steps` states (B, width, steps) over values (B, C, L)."""
        for number, block in enumerate(self.blocks):
            needed = steps + sum(self._reaches[number + 1 :])
            values = block(values, min(needed, values.shape[-1]))
        return values


def levels_for(lookback: int, kernel: int) -> int:
    """Fewest blocks that see the whole look-back."""
    levels = 1
    while 1 + 2 * (kernel - 1) * (2**levels - 1) < lookback:
        levels += 1
    return levels


def _build(shape: Shape, values: Mapping[str, float]) -> TCN:
    kernel = int(values["kernel"])
    levels = int(values["levels"]) or levels_for(shape.lookback, kernel)
    return TCN(shape, int(values["width"]), kernel, levels, values["dropout"])


MODEL = Model(
    name="tcn",
    summary="Dilated causal convolutions with residual connections.",
    source="Bai, Kolter and Koltun (2018)",
    parameters=(
        Parameter("width", 25, 1, 2048, "Channels of each convolution.", integer=True, aliases=("channels", "hidden")),
        Parameter("kernel", 7, 2, 64, "Taps of each convolution.", integer=True, aliases=("kernel_size",)),
        Parameter("levels", 0, 0, 16, "Blocks; 0: as many as see the whole look-back.", integer=True),
        Parameter("dropout", 0.05, 0.0, 0.9, "Share of each convolution's outputs that a training step leaves out."),
    ),
    build=_build,
    inputs=("past", "future", "static"),
    aliases=("temporal_convolution",),
)
