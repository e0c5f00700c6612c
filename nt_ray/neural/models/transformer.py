"""Transformer over patches: each token is a stretch of the look-back, each series a window of its own.

    tokens = patches of `patch` bars, every `stride` bars, of the reversibly normalised look-back, embedded linearly
    outputs = linear map of all tokens after `layers` layers of self-attention

The last bar is repeated for one stride, so there are (L - patch) // stride + 2 tokens. Layer normalisation stands
where the source has batch normalisation, so that a forecast does not depend on the windows trained beside it.

Source: Nie et al. (2023), A time series is worth 64 words: long-term forecasting with transformers (PatchTST), ICLR.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from nt_ray.neural.models.attention import Layer
from nt_ray.neural.models.base import Forecaster, Model, Shape
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.models.inputs import filled, history, history_width
from nt_ray.neural.models.readout import Readout
from nt_ray.neural.models.reversible import normalised, restored
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch
from nt_ray.strategies.base import Parameter


class PatchTransformer(Forecaster):
    """Patches, self-attention, a linear read-out."""

    def __init__(self, shape: Shape, values: Mapping[str, float]) -> None:
        super().__init__(shape)
        width, self.patch, self.stride = (int(values[name]) for name in ("width", "patch", "stride"))
        dropout = values["dropout"]
        count = tokens(shape.lookback, self.patch, self.stride)
        self.embed = nn.Linear(self.patch * history_width(shape), width)
        self.position = nn.Parameter(torch.empty(count, width).uniform_(-0.02, 0.02))
        self.layers = nn.ModuleList(
            Layer(width, int(values["heads"]), int(values["inner"]), dropout) for _ in range(int(values["layers"]))
        )
        self.after = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.readout = Readout(count * width, shape)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        values, scale = normalised(filled(batch.target, batch.mask))
        state = self.dropout(self.embed(self.patches(history(batch, values))) + self.position)
        for layer in self.layers:
            state = layer(state)
        return restored(self.readout(self.after(state).flatten(1), batch), scale)

    def patches(self, columns: Tensor) -> Tensor:
        """Columns (B, L, C) to patches (B, N, C * patch)."""
        padded = functional.pad(columns.transpose(1, 2), (0, self.stride), mode="replicate")
        return padded.unfold(-1, self.patch, self.stride).transpose(1, 2).flatten(2)


def tokens(lookback: int, patch: int, stride: int) -> int:
    """Patches of a look-back."""
    return (lookback - patch) // stride + 2


def _build(shape: Shape, values: Mapping[str, float]) -> PatchTransformer:
    if values["patch"] > shape.lookback:
        raise NeuralError(
            f"patch={values['patch']:g} is longer than the look-back of {shape.lookback} bars. Use a shorter patch."
        )
    if values["width"] % values["heads"]:
        raise NeuralError(f"width={values['width']:g} does not split into {values['heads']:g} heads. Use a multiple.")
    return PatchTransformer(shape, values)


MODEL = Model(
    name="transformer",
    summary="Self-attention over patches of the look-back.",
    source="Nie et al. (2023)",
    parameters=(
        Parameter("patch", 16, 1, 512, "Bars of a patch.", integer=True, aliases=("patch_len",)),
        Parameter("stride", 8, 1, 512, "Bars from patch to patch.", integer=True),
        Parameter("width", 128, 1, 4096, "Width of a token.", integer=True, aliases=("hidden", "hidden_size")),
        Parameter("heads", 16, 1, 128, "Heads of attention; the width is a multiple.", integer=True),
        Parameter("inner", 256, 1, 16384, "Width of the perceptron in a layer.", integer=True),
        Parameter("layers", 3, 1, 32, "Layers.", integer=True, aliases=("num_layers",)),
        Parameter("dropout", 0.2, 0.0, 0.9, "Share of what each part adds that a training step leaves out."),
    ),
    build=_build,
    inputs=("past", "future", "static"),
    aliases=("patchtst", "patch_tst", "patch_transformer"),
)
