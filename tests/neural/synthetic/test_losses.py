import math

import pytest
import torch
from torch import Tensor, nn

from nt_ray.neural.synthetic.losses import (
    critic_loss,
    dependence_penalty,
    generator_loss,
    gradient_penalty,
    quantile_penalty,
)


class Quadratic(nn.Module):
    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, windows: Tensor) -> Tensor:
        return torch.einsum("bi,ij,bj->b", windows, self.matrix, windows)


def test_both_losses_are_log_two_where_the_critic_cannot_tell() -> None:
    scores = torch.tensor([0.3, -2.0, 5.0])
    assert float(critic_loss(scores, scores)) == pytest.approx(math.log(2))
    assert float(generator_loss(scores, scores)) == pytest.approx(math.log(2))


def test_what_the_critic_gains_is_what_it_wants_and_the_generator_does_not() -> None:
    real, generated = torch.tensor([1.0]), torch.tensor([-1.0])
    assert float(critic_loss(real, generated)) == pytest.approx(math.log1p(math.exp(-2.0)))
    assert float(generator_loss(real, generated)) == pytest.approx(math.log1p(math.exp(2.0)))


def test_the_gradient_penalty_of_a_quadratic_form_is_known_and_can_be_differentiated() -> None:
    torch.manual_seed(3)
    matrix = torch.randn(4, 4, dtype=torch.float64)
    form, windows = Quadratic(matrix), torch.randn(7, 4, dtype=torch.float64)
    found = gradient_penalty(form, windows)
    gradients = windows @ (matrix + matrix.T)
    assert float(found.detach()) == pytest.approx(float(gradients.square().sum(dim=1).mean()))
    found.backward()
    expected = 2.0 * windows.T @ gradients / len(windows)
    torch.testing.assert_close(form.matrix.grad, expected + expected.T)


def test_the_dependence_penalty_has_no_bias_from_sampling_noise() -> None:
    torch.manual_seed(4)
    target = torch.randn(4, 30, dtype=torch.float64)
    away = target + 0.1
    noisy = [
        dependence_penalty(away[:, None] + torch.randn(4, 6, 30, dtype=torch.float64), target) for _ in range(4000)
    ]
    assert float(torch.stack(noisy).mean()) == pytest.approx(4 * 0.01, abs=0.004)
    assert float(dependence_penalty(away[:, None].expand(4, 6, 30), target)) == pytest.approx(0.04)


def test_the_quantile_penalty_compares_sorted_values() -> None:
    generated = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
    assert float(quantile_penalty(generated, torch.tensor([0.0, 1.0, 2.0, 3.0]))) == 0.0
    assert float(quantile_penalty(generated, torch.tensor([1.0, 3.0]))) == 0.0
    assert float(quantile_penalty(generated, torch.tensor([1.0, 5.0]))) == pytest.approx(2.0)
