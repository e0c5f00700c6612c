from collections.abc import Callable

import numpy as np
import pytest
import torch

from nt_ray.neural.models.attention import Attention
from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.registry import build
from nt_ray.neural.models.transformer import tokens
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

Make = Callable[..., tuple[Batch, Truth]]


def test_attention_is_a_mean_of_values_weighted_by_likeness() -> None:
    torch.manual_seed(0)
    layer = Attention(6, 2).double()
    x = torch.randn(1, 5, 6, dtype=torch.float64)
    enter, leave = layer.enter, layer.leave
    both = x[0].numpy() @ enter.weight.detach().numpy().T + enter.bias.detach().numpy()
    query, key, value = both[:, :6], both[:, 6:12], both[:, 12:]
    heads = []
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        weights = np.exp(query[:, part] @ key[:, part].T / np.sqrt(3.0))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ value[:, part])
    expected = np.concatenate(heads, axis=1) @ leave.weight.detach().numpy().T + leave.bias.detach().numpy()
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("lookback", "count"), [(336, 42), (512, 64), (96, 12), (16, 2)])
def test_patches_of_16_every_8_bars_are_as_many_as_published(lookback: int, count: int) -> None:
    network = build("transformer", Shape(lookback, 4), {"layers": 1, "width": 16, "heads": 2})
    assert tokens(lookback, 16, 8) == count
    assert network.patches(torch.zeros(2, lookback, 2)).shape == (2, count, 32)


def test_patches_are_stretches_of_each_column_with_the_last_bar_repeated() -> None:
    network = build("transformer", Shape(10, 2), {"patch": 4, "stride": 3, "layers": 1, "width": 8, "heads": 2})
    columns = torch.stack((torch.arange(10.0), -torch.arange(10.0)), dim=1)[None]
    expected = [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [9, 9, 9, 9]]
    patches = network.patches(columns)[0]
    assert patches[:, :4].tolist() == expected
    assert patches[:, 4:].tolist() == [[-x for x in row] for row in expected]


def test_a_window_that_is_moved_and_stretched_is_forecast_so(windows: Make) -> None:
    network = build("transformer", Shape(32, 4), {"width": 16, "heads": 2}).double().eval()
    batch, _ = windows(network.shape)
    batch = Batch(*(part.double() for part in batch))
    moved = batch._replace(target=1e3 + 50.0 * batch.target)
    # Up to the small number that keeps the deviation from zero.
    torch.testing.assert_close(network(moved), 1e3 + 50.0 * network(batch), rtol=1e-4, atol=1e-3)


def test_the_number_of_weights_is_that_of_its_parts() -> None:
    network = build("transformer", Shape(96, 24))
    layer = 4 * 128 * 128 + 4 * 128 + 2 * 128 * 256 + 128 + 256 + 4 * 128
    embed = (2 * 16 + 1) * 128 + 12 * 128
    assert sum(p.numel() for p in network.parameters()) == embed + 3 * layer + 2 * 128 + (12 * 128 + 1) * 24


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NeuralError, match="patch=16 is longer than the look-back of 10 bars"):
        build("transformer", Shape(10, 2))
    with pytest.raises(NeuralError, match="width=20 does not split into 16 heads"):
        build("transformer", Shape(96, 2), {"width": 20})
