from collections.abc import Callable

import numpy as np
import pytest
import torch

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.causal import CausalConv
from nt_ray.neural.models.registry import build
from nt_ray.neural.models.tcn import levels_for
from nt_ray.neural.series.batch import Batch, Truth

Make = Callable[..., tuple[Batch, Truth]]


def test_a_causal_convolution_is_a_sum_over_its_taps() -> None:
    torch.manual_seed(0)
    layer = CausalConv(2, 3, kernel=4, dilation=2).double()
    with torch.no_grad():
        layer.gain *= torch.tensor([2.0, 3.0, 4.0])[:, None, None]
    values = torch.randn(1, 2, 11, dtype=torch.float64)
    direction, gain = layer.direction.detach().numpy(), layer.gain.detach().numpy()
    weight = direction / np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True)) * gain
    x = values.numpy()[0]
    expected = np.zeros((3, 11))
    for t in range(11):
        expected[:, t] = layer.bias.detach().numpy()
        for tap in range(4):
            before = t - 2 * (3 - tap)
            if before >= 0:
                expected[:, t] += weight[:, :, tap] @ x[:, before]
    np.testing.assert_allclose(layer(values, 11).detach().numpy()[0], expected, atol=1e-12)


def test_the_last_steps_alone_equal_those_of_the_whole(windows: Make) -> None:
    network = build("tcn", Shape(50, 3), {"kernel": 3, "width": 6}).double().eval()
    values = torch.randn(2, 2, 50, dtype=torch.float64)
    whole = network.states(values, 50)
    for steps in (1, 7, 30):
        torch.testing.assert_close(network.states(values, steps), whole[..., -steps:], rtol=0, atol=1e-13)


def test_a_state_does_not_depend_on_later_bars() -> None:
    network = build("tcn", Shape(40, 3), {"kernel": 3, "width": 6}).eval()
    values = torch.randn(2, 2, 40)
    later = values.clone()
    later[..., 25:] += 5.0
    before, after = network.states(values, 40), network.states(later, 40)
    assert torch.equal(before[..., :25], after[..., :25])
    assert not torch.equal(before[..., 25:], after[..., 25:])


@pytest.mark.parametrize(
    ("lookback", "kernel", "levels"), [(1, 2, 1), (96, 7, 4), (13, 7, 1), (14, 7, 2), (511, 2, 8), (512, 2, 9)]
)
def test_blocks_reach_over_the_whole_look_back(lookback: int, kernel: int, levels: int) -> None:
    assert levels_for(lookback, kernel) == levels


def test_the_first_bar_has_an_influence(windows: Make) -> None:
    network = build("tcn", Shape(96, 3), {"dropout": 0.0}).double()
    batch, _ = windows(network.shape)
    batch = Batch(*(part.double() for part in batch))
    target = batch.target.clone().requires_grad_()
    network(batch._replace(target=target)).sum().backward()
    assert target.grad is not None
    assert target.grad[:, 0].any()


def test_the_number_of_weights_is_that_of_the_convolutions() -> None:
    network = build("tcn", Shape(20, 5), {"kernel": 3, "width": 8, "levels": 2})
    convolution = [8 * inputs * 3 + 8 + 8 for inputs in (2, 8, 8, 8)]
    assert sum(p.numel() for p in network.parameters()) == sum(convolution) + (2 + 1) * 8 + (8 + 1) * 5
