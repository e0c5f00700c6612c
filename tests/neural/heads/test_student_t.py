import numpy as np
import pytest
import torch
from scipy import stats

from nt_ray.neural.heads.student_inverse import student_inverse
from nt_ray.neural.heads.student_t import LEAST, MOST, StudentHead
from nt_ray.neural.problems import NeuralError

HEAD = StudentHead()


def scipy_t(outputs: torch.Tensor):
    location, log_scale, raw = outputs.double().numpy().transpose(2, 0, 1)
    return stats.t(np.minimum(LEAST + np.logaddexp(0.0, raw), MOST), location, np.exp(log_scale))


def test_the_loss_is_the_negative_log_likelihood() -> None:
    outputs, truth = torch.randn(4, 6, 3, dtype=torch.float64) * 3.0, torch.randn(4, 6, dtype=torch.float64) * 5.0
    expected = -scipy_t(outputs).logpdf(truth.numpy()).mean()
    assert HEAD.loss(outputs, truth, torch.ones(4, 6)).item() == pytest.approx(expected, rel=1e-10)


def test_the_loss_in_float32_keeps_its_digits_where_t_is_nearly_normal() -> None:
    outputs = torch.tensor([[[0.5, -1.0, 1e6]]])
    truth = torch.tensor([[0.7]])
    expected = -scipy_t(outputs).logpdf(truth.double().numpy()).mean()
    assert HEAD.loss(outputs, truth, torch.ones(1, 1)).item() == pytest.approx(expected, abs=2e-3)


def test_quantiles_are_those_of_t() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(4, 6, 3) * 3.0
    levels = torch.tensor([1e-4, 0.01, 0.1, 0.5, 0.75, 0.999], dtype=torch.float64)
    expected = np.stack([scipy_t(outputs).ppf(level) for level in levels.tolist()], axis=-1)
    np.testing.assert_allclose(HEAD.quantiles(outputs, levels), expected, rtol=3e-6, atol=1e-6)
    assert torch.equal(HEAD.mean(outputs), outputs[..., 0])


@pytest.mark.parametrize("level", [1e-6, 1e-3, 0.05, 0.3, 0.4999, 0.5, 0.6, 0.975, 1.0 - 1e-5])
def test_the_inverse_is_exact_to_float32_at_all_degrees(level: float) -> None:
    freedom = torch.from_numpy(np.geomspace(2.0, 1e4, 200))
    found = student_inverse((level,), freedom.float())[:, 0].double().numpy()
    np.testing.assert_allclose(found, stats.t.ppf(level, freedom.numpy()), rtol=2e-6, atol=1e-9)


def test_draws_have_the_distribution_of_t() -> None:
    uniforms = torch.rand(1, 20_000, 2, generator=torch.Generator().manual_seed(5))
    outputs = torch.tensor([1.0, 0.5, 0.3]).expand(1, 20_000, 3)
    drawn = HEAD.draw(outputs, uniforms)[0].double().numpy()
    own = stats.t(LEAST + np.logaddexp(0.0, 0.3), 1.0, np.exp(0.5))
    assert stats.kstest(drawn, own.cdf).pvalue > 0.01


def test_degrees_of_freedom_are_above_two_and_extremes_stay_finite() -> None:
    outputs = torch.tensor([[[0.0, -1e9, -1e9], [0.0, 1e9, 1e9]]], requires_grad=True)
    _, _, freedom = HEAD.parameters(outputs)
    assert (freedom > 2.0).all()
    loss = HEAD.loss(outputs, torch.ones(1, 2), torch.ones(1, 2))
    loss.backward()
    assert loss.isfinite()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_levels_outside_of_0_and_1_are_refused() -> None:
    with pytest.raises(NeuralError, match="are no levels of quantiles"):
        HEAD.quantiles(torch.zeros(1, 1, 3), torch.tensor([0.0, 0.5]))
