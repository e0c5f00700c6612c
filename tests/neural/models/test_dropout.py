"""Dropout by few draws: what it leaves out, what it keeps, and that the same draws come again."""

import pytest
import torch

from nt_ray.neural.models.dropout import Dropout, drawn_from


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_the_share_is_left_out_of_every_place_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(3)
    dropped = Dropout(share)(torch.ones(2_000, 7, 11))
    left_out = dropped == 0
    # Each place of the row, the last one too, within five standard errors; neighbours do not go together.
    error = 5 * (share * (1 - share) / 2_000) ** 0.5
    assert (left_out.float().mean(0) - share).abs().max() < error
    flat = left_out.flatten(1).float()
    together = (flat[:, 1:] * flat[:, :-1]).mean()
    assert together == pytest.approx(share**2, abs=0.01)
    assert dropped[~left_out].unique().tolist() == pytest.approx([1 / (1 - share)], rel=1e-4)
    assert dropped.mean() == pytest.approx(1.0, abs=0.04)


def test_gradients_flow_where_values_stay_and_nowhere_else() -> None:
    values = torch.randn(64, 33, requires_grad=True)
    dropped = Dropout(0.3)(values)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad == 0, dropped == 0)
    assert torch.allclose(dropped.detach(), values.detach() * values.grad)


def test_the_same_seed_leaves_the_same_out_and_the_next_call_others() -> None:
    layer, values = Dropout(0.5), torch.ones(501)
    torch.manual_seed(9)
    first, second = layer(values), layer(values)
    torch.manual_seed(9)
    assert torch.equal(layer(values), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_type_stays_and_evaluation_and_a_share_of_nothing_change_nothing(dtype: torch.dtype) -> None:
    values = torch.randn(5, 3, dtype=dtype)
    assert Dropout(0.5)(values).dtype is dtype
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values
    assert Dropout(0.5)(values[:0]).shape == (0, 3)


def test_a_generator_of_ones_own_is_drawn_from_and_no_other() -> None:
    layer, values = Dropout(0.5), torch.ones(501)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with drawn_from(torch.Generator().manual_seed(4)):
        first, second = layer(values), layer(values)
    with drawn_from(torch.Generator().manual_seed(4)):
        assert torch.equal(layer(values), first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.rand(3), expected)
