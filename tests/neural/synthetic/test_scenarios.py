import numpy as np
import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.generator import Generator
from nt_ray.neural.synthetic.preprocessing import Preprocessing
from nt_ray.neural.synthetic.scenarios import SPANS, scenarios
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.source import PathSource


class Persistent(Generator):
    """Volatility rises with the mean size of the second noise channel over the receptive field."""

    def moments(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = noise[:, :-1, 1].unfold(1, self.receptive, 1).mean(dim=2)
        volatility = (3.0 * seen).exp()
        return volatility, torch.zeros_like(volatility)


@pytest.fixture
def source() -> PathSource:
    settings = GanSettings(layers=7, channels=2)
    return PathSource(Persistent(width=1, layers=7, channels=2), Preprocessing(0.0, 0.01, 0.0, 0.0, 1.0), settings, {})


def test_cumulative_returns_compound_the_daily_ones_of_the_paths(source: PathSource) -> None:
    found = scenarios(source, 20, 10, seed=1)
    paths = source.paths(20, 10, seed=1)
    np.testing.assert_allclose(found.cumulative, np.exp(np.cumsum(paths, axis=1)) - 1.0, rtol=1e-10)
    np.testing.assert_allclose(np.cumprod(1.0 + found.daily, axis=1) - 1.0, found.cumulative, rtol=1e-10)
    assert found.mismatch is None


def test_scenarios_start_from_the_volatility_of_the_history(source: PathSource) -> None:
    rng = np.random.default_rng(11)
    calm, wild = (size * rng.standard_normal(300) for size in (0.007, 0.016))
    spreads = []
    for history in (calm, wild):
        found = scenarios(source, 60, 20, history=history, seed=1)
        assert found.cumulative.shape == (60, 20)
        assert found.mismatch is not None
        assert found.mismatch < 1.0
        spreads.append(found.daily.std())
    assert spreads[1] > 1.5 * spreads[0]
    far = scenarios(source, 10, 5, history=100.0 * wild, seed=1)
    assert far.mismatch is not None
    assert far.mismatch > 3.0


def test_only_the_end_of_the_history_counts(source: PathSource) -> None:
    history = np.random.default_rng(12).standard_normal(100) / 100
    whole, end = (scenarios(source, 8, 5, history=h, seed=2) for h in (history, history[-SPANS[-1] :]))
    np.testing.assert_array_equal(whole.cumulative, end.cumulative)


def test_the_worst_scenarios_come_worst_first(source: PathSource) -> None:
    found = scenarios(source, 40, 6, seed=3)
    ends = np.sort(found.cumulative[:, -1])
    np.testing.assert_array_equal(found.worst(0.1)[:, -1], ends[:4])
    with pytest.raises(NeuralError, match="no share"):
        found.worst(0.0)


def test_a_history_that_tells_no_state_is_refused(source: PathSource) -> None:
    for wrong in (np.zeros(SPANS[-1] - 1), np.full(100, np.nan), np.zeros((100, 2))):
        with pytest.raises(NeuralError, match="tells no state"):
            scenarios(source, 5, 5, history=wrong)
    with pytest.raises(NeuralError, match="cannot be drawn"):
        scenarios(source, 5, 0, history=np.ones(100))
