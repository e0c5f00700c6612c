"""LSTM: cells with a memory that gates write, keep and read.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b) each,  g = tanh(W' x_t + U' h_{t-1} + b')
    c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)

Three layers of 128, 64 and 32 cells by default; `shrink` = 1 makes all as wide as the first.

Source: Hochreiter and Schmidhuber (1997), Long short-term memory, Neural Computation 9; forget gates: Gers et al.
(2000), Learning to forget, Neural Computation 12.
"""

from collections.abc import Mapping

from torch import nn

from nt_ray.neural.models.base import Model, Shape
from nt_ray.neural.models.recurrent import PARAMETERS, Recurrent, gates_open


def _build(shape: Shape, values: Mapping[str, float]) -> Recurrent:
    network = Recurrent(shape, nn.LSTM, values)
    gates_open(network)
    return network


MODEL = Model(
    name="lstm",
    summary="Recurrent cells with gated memory.",
    source="Hochreiter and Schmidhuber (1997)",
    parameters=PARAMETERS,
    build=_build,
    inputs=("past", "future", "static"),
)
