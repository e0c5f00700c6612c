import pytest
import torch

from nt_ray.neural.synthetic.critic import Critic
from nt_ray.neural.synthetic.generator import LOG_VOLATILITY, Generator


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(width=5, layers=4, channels=3).double().requires_grad_(False)


def test_a_return_depends_on_its_innovation_and_on_the_receptive_field_before_it(generator: Generator) -> None:
    noise = torch.randn(1, 60 + generator.receptive, 3, dtype=torch.float64).requires_grad_()
    place = 30
    generator(noise)[0, place].backward()
    touched = noise.grad[0].ne(0)
    here = place + generator.receptive
    assert generator.receptive == 16
    assert touched[here].tolist() == [True, False, False]
    assert not touched[here + 1 :].any()
    assert touched[place:here].all()
    assert not touched[:place].any()


def test_volatility_and_drift_do_not_see_their_own_innovation(generator: Generator) -> None:
    noise = torch.randn(2, 40, 3, dtype=torch.float64)
    volatility, drift = generator.moments(noise)
    changed = noise.clone()
    changed[:, 30:] += 5.0
    other_volatility, other_drift = generator.moments(changed)
    seen = 30 - generator.receptive + 1
    assert torch.equal(volatility[:, :seen], other_volatility[:, :seen])
    assert torch.equal(drift[:, :seen], other_drift[:, :seen])
    assert not torch.isclose(volatility[:, seen:], other_volatility[:, seen:]).any()
    torch.testing.assert_close(generator(noise), drift + volatility * noise[:, 16:, 0])


def test_a_longer_path_begins_with_the_shorter_one(generator: Generator) -> None:
    noise = torch.randn(2, 80, 3, dtype=torch.float64)
    torch.testing.assert_close(generator(noise)[:, :20], generator(noise[:, : 20 + generator.receptive]))


def test_volatility_stays_within_its_bounds_whatever_the_noise(generator: Generator) -> None:
    volatility, _ = generator.moments(1e6 * torch.randn(2, 100, 3, dtype=torch.float64))
    assert volatility.log().abs().max() <= LOG_VOLATILITY + 1e-12


def test_the_critic_judges_each_window_by_itself() -> None:
    torch.manual_seed(2)
    critic = Critic(width=4, layers=3).double()
    windows = torch.randn(5, 33, dtype=torch.float64)
    scores = critic(windows)
    assert scores.shape == (5,)
    torch.testing.assert_close(torch.cat([critic(window[None]) for window in windows]), scores)
