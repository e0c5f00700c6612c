import numpy as np
import pytest
import torch

from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.problems import NeuralError


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("mse", lambda e: e**2),
        ("mae", np.abs),
        ("huber", lambda e: np.where(np.abs(e) < 1.0, 0.5 * e**2, np.abs(e) - 0.5)),
    ],
)
def test_the_loss_is_the_mean_error(name: str, error) -> None:
    outputs, truth = torch.randn(4, 6, 1, dtype=torch.float64) * 2.0, torch.randn(4, 6, dtype=torch.float64)
    mask = (torch.rand(4, 6) > 0.3).double()
    residual = (outputs[..., 0] - truth).numpy()[mask.numpy() == 1]
    assert find_head(name).loss(outputs, truth, mask).item() == pytest.approx(error(residual).mean(), rel=1e-12)
    assert torch.equal(find_head(name).mean(outputs), outputs[..., 0])


def test_a_point_has_no_quantiles() -> None:
    with pytest.raises(NeuralError, match="The head mae forecasts points and has no quantiles"):
        find_head("mae").quantiles(torch.zeros(1, 1, 1), torch.tensor([0.5]))
    with pytest.raises(NeuralError, match="has no distribution to draw from"):
        find_head("mae").draw(torch.zeros(1, 1, 1), torch.full((1, 1, 2), 0.5))
