from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.recurrent import widths
from nt_ray.neural.models.registry import build
from nt_ray.neural.series.batch import Batch, Truth
from nt_ray.types import FloatArray

Make = Callable[..., tuple[Batch, Truth]]


def sigmoid(x: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-x))


def lstm_step(x: FloatArray, h: FloatArray, c: FloatArray, w: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    i, f, g, o = np.split(x @ w[0].T + w[2] + h @ w[1].T + w[3], 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x: FloatArray, h: FloatArray, c: FloatArray, w: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    (r, z, n), (hr, hz, hn) = np.split(x @ w[0].T + w[2], 3, axis=1), np.split(h @ w[1].T + w[3], 3, axis=1)
    r, z = sigmoid(r + hr), sigmoid(z + hz)
    return (1.0 - z) * np.tanh(n + r * hn) + z * h, c


@pytest.mark.parametrize(("name", "step"), [("lstm", lstm_step), ("gru", gru_step)])
@pytest.mark.parametrize("shrink", [0.5, 1.0])
def test_the_network_is_the_equations_of_its_cells(name: str, step: Callable, shrink: float, windows: Make) -> None:
    network = build(name, Shape(9, 4), {"hidden": 6, "layers": 3, "shrink": shrink, "dropout": 0.0}).double().eval()
    batch, _ = windows(network.shape, missing=0.3)
    batch = Batch(*(part.double() for part in batch))
    weights = [w.detach().numpy() for w in network.layers.parameters()]
    states = np.stack([batch.target.numpy(), batch.mask.numpy()], axis=2)
    for layer in range(3):
        own = weights[4 * layer : 4 * layer + 4]
        h = c = np.zeros((5, own[1].shape[1]))
        seen = []
        for bar in range(9):
            h, c = step(states[:, bar], h, c, own)
            seen.append(h)
        states = np.stack(seen, axis=1)
    direct = network.readout.direct
    expected = states[:, -1] @ direct.weight.detach().numpy().T + direct.bias.detach().numpy()
    np.testing.assert_allclose(network(batch)[..., 0].detach().numpy(), expected, atol=1e-12)


def test_the_default_layers_have_128_64_and_32_cells() -> None:
    assert widths(128, 3, 0.5) == [128, 64, 32]
    assert [layer.hidden_size for layer in build("lstm", Shape(10, 2)).layers] == [128, 64, 32]


@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("gru", 3)])
def test_the_number_of_weights_is_that_of_the_gates(name: str, gates: int) -> None:
    shape = Shape(30, 5, past=2, future=3, static=1, outputs=4)
    network = build(name, shape, {"hidden": 20, "layers": 2, "shrink": 0.5})
    sizes = [2 + 2 + 3 + 1, 20, 10]
    cells = sum(gates * b * (a + b + 2) for a, b in pairwise(sizes))
    read = (10 + 1) * 5 * 4 + (10 + 1) * 32 + (3 + 1) * 32 + (32 + 1) * 4
    assert sum(p.numel() for p in network.parameters()) == cells + read


def test_equal_layers_without_dropout_are_one_fused_stack() -> None:
    assert len(build("lstm", Shape(10, 2), {"shrink": 1.0, "dropout": 0.0}).layers) == 1
    assert len(build("lstm", Shape(10, 2), {"shrink": 1.0, "dropout": 0.1}).layers) == 3


def test_forget_gates_of_an_lstm_start_near_one() -> None:
    network = build("lstm", Shape(10, 2), {"hidden": 8, "layers": 1})
    forget = network.layers[0].bias_ih_l0[8:16]
    assert torch.equal(forget, torch.ones(8))
