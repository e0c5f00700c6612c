import pytest
import torch

from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.models.reversible import normalised, raised, restored


def test_what_is_taken_off_is_put_on_again() -> None:
    values = 100.0 + 3.0 * torch.randn(4, 30, dtype=torch.float64)
    scaled, scale = normalised(values)
    torch.testing.assert_close(scaled.mean(dim=1), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(scaled.std(dim=1, correction=0), torch.ones(4, dtype=torch.float64), rtol=1e-5, atol=0)
    torch.testing.assert_close(restored(scaled[..., None], scale)[..., 0], values, rtol=0, atol=1e-12)


def test_a_constant_window_stays_finite() -> None:
    scaled, scale = normalised(torch.full((1, 8), 5.0))
    assert torch.equal(scaled, torch.zeros(1, 8))
    assert torch.equal(restored(torch.zeros(1, 3, 1), scale), torch.full((1, 3, 1), 5.0))


@pytest.mark.parametrize("name", ["quantile", "student_t"])
def test_restored_outputs_mean_the_restored_distribution(name: str) -> None:
    head = find_head(name, (0.05, 0.3, 0.5, 0.9))
    outputs = torch.randn(4, 6, head.width, dtype=torch.float64)
    _, scale = normalised(100.0 + 3.0 * torch.randn(4, 30, dtype=torch.float64))
    levels = torch.tensor([0.01, 0.2, 0.5, 0.99], dtype=torch.float64)
    expected = head.quantiles(outputs, levels) * scale.scale[..., None] + scale.location[..., None]
    torch.testing.assert_close(head.quantiles(restored(outputs, scale), levels), expected, rtol=1e-5, atol=1e-4)
    level = torch.ones(4, 1, dtype=torch.float64)
    lifted = head.quantiles(raised(outputs, level), levels)
    torch.testing.assert_close(lifted, head.quantiles(outputs, levels) + 1.0, rtol=1e-5, atol=1e-5)
