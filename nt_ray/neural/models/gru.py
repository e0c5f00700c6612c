"""GRU: cells whose two gates mix the old state with a candidate.

    r, z = sigmoid(W x_t + U h_{t-1} + b) each,  n = tanh(W' x_t + b' + r (U' h_{t-1} + c'))
    h_t = (1 - z) n + z h_{t-1}

Layers and widths are those of the LSTM.

Source: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, EMNLP.
"""

from collections.abc import Mapping

from torch import nn

from nt_ray.neural.models.base import Model, Shape
from nt_ray.neural.models.recurrent import PARAMETERS, Recurrent


def _build(shape: Shape, values: Mapping[str, float]) -> Recurrent:
    return Recurrent(shape, nn.GRU, values)


MODEL = Model(
    name="gru",
    summary="Recurrent cells with two gates.",
    source="Cho et al. (2014)",
    parameters=PARAMETERS,
    build=_build,
    inputs=("past", "future", "static"),
)
