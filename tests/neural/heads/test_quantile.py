import numpy as np
import pytest
import torch
from scipy import stats

from nt_ray.neural.heads.quantile import QuantileHead
from nt_ray.neural.problems import NeuralError

LEVELS = (0.05, 0.25, 0.5, 0.9)


def test_outputs_of_zero_are_the_standard_normal_at_any_level() -> None:
    levels = torch.tensor([0.001, 0.05, 0.1, 0.5, 0.7, 0.9, 0.999])
    quantiles = QuantileHead(LEVELS).quantiles(torch.zeros(1, 2, 5), levels)
    np.testing.assert_allclose(quantiles[0, 1], stats.norm.ppf(levels.numpy()), atol=1e-6)


def test_gaps_between_levels_are_units_times_softplus_of_shapes() -> None:
    outputs = torch.tensor([[[3.0, 0.4, -1.0, 0.5, 2.0]]], dtype=torch.float64)
    z = stats.norm.ppf(LEVELS)
    gaps = np.exp(0.4) * np.diff(z) * np.log1p(np.exp([-1.0, 0.5, 2.0])) / np.log(2.0)
    expected = [3.0 - gaps[0] - gaps[1], 3.0 - gaps[1], 3.0, 3.0 + gaps[2]]
    head = QuantileHead(LEVELS)
    np.testing.assert_allclose(head.own(outputs)[0, 0], expected, atol=1e-6)
    assert torch.equal(head.quantiles(outputs, torch.tensor(LEVELS)), head.own(outputs))
    assert head.mean(outputs).item() == 3.0


def test_other_levels_lie_on_lines_over_normal_scores() -> None:
    head = QuantileHead(LEVELS)
    outputs = torch.randn(1, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    own, z = head.own(outputs)[0, 0].numpy(), stats.norm.ppf(LEVELS)
    levels = np.array([0.1, 0.45, 0.6, 0.97])
    at = stats.norm.ppf(levels)
    expected = np.interp(at, z, own)
    expected[3] = own[3] + (at[3] - z[3]) * (own[3] - own[2]) / (z[3] - z[2])
    np.testing.assert_allclose(head.quantiles(outputs, torch.from_numpy(levels))[0, 0], expected, atol=1e-5)


def test_the_pinball_loss_is_a_mean_over_levels_and_what_was_observed() -> None:
    head = QuantileHead(LEVELS)
    outputs, truth = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    error = truth[..., None].numpy() - head.own(outputs).numpy()
    a = np.array(LEVELS)
    expected = np.where(error > 0, a * error, (a - 1.0) * error).mean()
    assert head.loss(outputs, truth, torch.ones(3, 4)).item() == pytest.approx(expected, rel=1e-6)


def test_training_finds_the_quantiles_of_a_sample() -> None:
    sample = torch.from_numpy(stats.expon.rvs(size=4000, random_state=1))[:, None]
    head = QuantileHead(LEVELS)
    outputs = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([outputs], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        head.loss(outputs.expand(4000, 1, 5), sample, torch.ones(4000, 1)).backward()
        optimiser.step()
    found = head.own(outputs[None, None])[0, 0].detach()
    np.testing.assert_allclose(found, np.quantile(sample.numpy(), LEVELS), atol=0.05)


def test_draws_are_the_quantiles_at_the_uniforms() -> None:
    head = QuantileHead(LEVELS)
    outputs, uniforms = torch.randn(2, 3, 5), torch.rand(2, 3, 2)
    drawn = head.draw(outputs, uniforms)
    for i in range(2):
        for j in range(3):
            expected = head.quantiles(outputs[i : i + 1, j : j + 1], uniforms[i, j, :1])
            torch.testing.assert_close(drawn[i, j], expected[0, 0, 0])


def test_the_mean_of_levels_without_a_half_is_still_the_median() -> None:
    head = QuantileHead((0.1, 0.7))
    outputs = torch.tensor([[[2.0, 0.3, 0.8]]])
    assert torch.equal(head.mean(outputs), head.quantiles(outputs, torch.tensor([0.5]))[..., 0])


def test_one_level_forecasts_itself_alone() -> None:
    head = QuantileHead((0.9,))
    outputs = torch.randn(2, 3, 1)
    assert head.width == 1
    assert torch.equal(head.quantiles(outputs, torch.tensor([0.9])), outputs)
    assert torch.equal(head.mean(outputs), outputs[..., 0])
    with pytest.raises(NeuralError, match=r"trained at the level 0\.9 alone"):
        head.quantiles(outputs, torch.tensor([0.5]))


@pytest.mark.parametrize("levels", [(), (0.5, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0)])
def test_levels_that_are_none_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(NeuralError, match="Give increasing numbers between 0 and 1"):
        QuantileHead(levels)
