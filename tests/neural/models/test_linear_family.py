from collections.abc import Callable

import numpy as np
import pytest
import torch

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.dlinear import moving_average
from nt_ray.neural.models.registry import build
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

Make = Callable[..., tuple[Batch, Truth]]


@pytest.mark.parametrize(("length", "kernel"), [(30, 25), (10, 25), (7, 1), (50, 5)])
def test_the_trend_is_a_moving_average_with_the_ends_repeated(length: int, kernel: int) -> None:
    x = np.random.default_rng(0).normal(size=length)
    half = kernel // 2
    padded = np.concatenate([np.full(half, x[0]), x, np.full(half, x[-1])])
    expected = [padded[i : i + kernel].mean() for i in range(length)]
    np.testing.assert_allclose(moving_average(length, kernel).double().numpy() @ x, expected, atol=1e-6)


def test_dlinear_maps_trend_and_remainder_apart(windows: Make) -> None:
    network = build("dlinear", Shape(30, 4, outputs=2)).double().eval()
    batch, _ = windows(network.shape)
    x = batch.target.double()
    trend = x @ network.average.t()
    expected = (x - trend) @ network.remainder.t() + trend @ network.trend.t() + network.bias
    outputs = network(Batch(*(part.double() for part in batch)))
    torch.testing.assert_close(outputs, expected.view(5, 4, 2), rtol=0, atol=1e-12)


def test_dlinear_trains_on_the_very_map_it_forecasts_with(windows: Make) -> None:
    network = build("dlinear", Shape(30, 4)).double()
    batch = Batch(*(part.double() for part in windows(network.shape, count=9, missing=0.2)[0]))
    found = []
    for mode in (True, False):
        network.train(mode).zero_grad()
        outputs = network(batch)
        outputs.square().sum().backward()
        found.append((outputs.detach(), [p.grad.clone() for p in network.parameters()]))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-11)


def test_nlinear_follows_a_window_that_is_moved(windows: Make) -> None:
    network = build("nlinear", Shape(30, 4)).double()
    batch = Batch(*(part.double() for part in windows(network.shape)[0]))
    moved = batch._replace(target=batch.target + 100.0)
    torch.testing.assert_close(network(moved), network(batch) + 100.0, rtol=0, atol=1e-10)


def test_linear_networks_are_their_formulas(windows: Make) -> None:
    shape = Shape(30, 4)
    batch = Batch(*(part.double() for part in windows(shape)[0]))
    x = batch.target.numpy()
    for name, location, scale in (
        ("nlinear", x[:, -1:], 1.0),
        ("rlinear", x.mean(axis=1, keepdims=True), np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)),
    ):
        network = build(name, shape).double().eval()
        weight, bias = (p.detach().numpy() for p in network.linear.parameters())
        expected = ((x - location) / scale @ weight.T + bias) * scale + location
        np.testing.assert_allclose(network(batch)[..., 0].detach().numpy(), expected, atol=1e-12)


def test_the_number_of_weights_is_the_published_one() -> None:
    # 139.7 thousand at 96 and 720 bars, one of whose two biases is needless.
    assert sum(p.numel() for p in build("dlinear", Shape(96, 720)).parameters()) + 720 == 139_680
    for name in ("nlinear", "rlinear"):
        assert sum(p.numel() for p in build(name, Shape(96, 720)).parameters()) == 96 * 720 + 720


def test_a_moving_average_without_a_middle_is_refused() -> None:
    with pytest.raises(NeuralError, match="kernel=4 has no middle bar"):
        build("dlinear", Shape(96, 2), {"kernel": 4})
