from collections.abc import Callable
from math import pi

import numpy as np
import pytest
import torch

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.nbeats import seasonality, trend
from nt_ray.neural.models.nhits import line, pooled
from nt_ray.neural.models.registry import build
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

Make = Callable[..., tuple[Batch, Truth]]


@pytest.mark.parametrize("name", ["nbeats", "nhits"])
def test_each_block_sees_what_those_before_left(name: str, windows: Make) -> None:
    network = build(name, Shape(24, 6, past=1, outputs=2), {"width": 16}).double().eval()
    batch = Batch(*(part.double() for part in windows(network.shape)[0]))
    seen: list[torch.Tensor] = []
    for block in network.blocks:
        block.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    outputs = network(batch)
    parts = network.parts(batch.target, batch)
    left = batch.target
    for part, given in zip(parts, seen, strict=False):
        torch.testing.assert_close(given, left, rtol=0, atol=1e-12)
        left = left if part.backcast is None else left - part.backcast
    level = batch.target[:, -1:, None] * torch.tensor([1.0, 0.0]) if name == "nhits" else 0.0
    total = torch.stack([part.forecast for part in parts]).sum(dim=0).transpose(1, 2)
    torch.testing.assert_close(outputs, total + level, rtol=0, atol=1e-12)


def test_a_trend_alone_forecasts_a_polynomial(windows: Make) -> None:
    network = build("nbeats", Shape(24, 12), {"seasonality": 0, "degree": 2, "width": 16}).double().eval()
    batch = Batch(*(part.double() for part in windows(network.shape)[0]))
    forecast = network(batch)[..., 0].detach().numpy()
    assert np.abs(np.diff(forecast, n=2)).max() > 1e-6
    np.testing.assert_allclose(np.diff(forecast, n=3), 0.0, atol=1e-7)


def test_bases_are_powers_and_waves_over_look_back_and_horizon() -> None:
    shape = Shape(10, 6)
    back, ahead = trend(shape, 2)
    np.testing.assert_allclose(ahead.numpy(), np.vander(np.arange(6) / 6, 3, increasing=True).T, atol=1e-6)
    np.testing.assert_allclose(back.numpy(), np.vander(np.arange(10) / 10, 3, increasing=True).T, atol=1e-6)
    back, ahead = seasonality(shape)
    angle = [2 * pi * k * np.arange(-10, 6) / 6 for k in range(3)]
    expected = [*map(np.cos, angle), *map(np.sin, angle[1:])]
    np.testing.assert_allclose(torch.cat((back, ahead), dim=1).numpy(), expected, atol=1e-6)


def test_shared_blocks_have_one_set_of_weights() -> None:
    shape = Shape(24, 6)
    counts = {}
    for shared in (0, 1):
        network = build("nbeats", shape, {"width": 16, "shared": shared})
        counts[shared] = sum(p.numel() for p in network.parameters())
    inner = (24 + 1) * 16 + 3 * (16 + 1) * 16
    waves = 5
    assert counts[1] == 2 * inner + 16 * 2 * 3 + 16 * 2 * waves
    assert counts[0] == 3 * counts[1] - 16 * waves


def test_no_blocks_are_refused() -> None:
    with pytest.raises(NeuralError, match="generic, trend and seasonality are all 0"):
        build("nbeats", Shape(24, 6), {"trend": 0, "seasonality": 0})


@pytest.mark.parametrize(("knots", "horizon"), [(1, 5), (3, 12), (6, 24), (5, 7), (4, 4)])
def test_knots_are_joined_by_lines(knots: int, horizon: int) -> None:
    places = (np.arange(horizon) + 0.5) * knots / horizon - 0.5
    theta = np.random.default_rng(0).normal(size=knots)
    expected = np.interp(places, np.arange(knots), theta)
    np.testing.assert_allclose(theta @ line(knots, horizon).double().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("pool", [1, 2, 5, 50])
def test_pooling_takes_the_largest_of_each_stretch(pool: int) -> None:
    values = torch.randn(3, 2, 24)
    expected = [values[..., i : i + pool].amax(dim=-1) for i in range(0, 24, pool)]
    assert torch.equal(pooled(values, pool), torch.stack(expected, dim=-1).flatten(1))


def test_the_number_of_weights_of_nhits_is_that_of_its_perceptrons() -> None:
    network = build("nhits", Shape(96, 24, past=2, future=1, static=3, outputs=2))
    expected = 0
    for pool, down, back in ((2, 4, 96), (2, 2, 96), (1, 1, 0)):
        inputs = 96 // pool * 3 + 120 // pool + 3
        expected += (inputs + 1) * 512 + 513 * 512 + 513 * (back + 2 * 24 // down)
    assert sum(p.numel() for p in network.parameters()) == expected
