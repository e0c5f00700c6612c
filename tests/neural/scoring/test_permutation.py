import numpy as np
import pytest

from nt_ray.neural.scoring.permutation import permutation_null
from nt_ray.neural.scoring.scores import ScoreError


def persistent(rng: np.random.Generator, names: int, periods: int, memory: float) -> np.ndarray:
    values = rng.normal(size=(names, periods))
    for t in range(1, periods):
        values[:, t] = memory * values[:, t - 1] + values[:, t]
    return values


def test_a_forecast_that_knows_something_stands_out() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 100))
    null = permutation_null(truth, 0.3 * truth + rng.normal(size=truth.shape), draws=99)
    assert null is not None
    assert null.p_value == pytest.approx(0.01)
    assert null.observed > null.quantile(0.95)


def test_forecasts_that_know_nothing_are_called_lucky_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    found = []
    for seed in range(120):
        # Both sides remember, as overlapping returns and slow signals do: independent shuffles would be fooled here.
        truth, forecast = persistent(rng, 6, 40, 0.8), persistent(rng, 6, 40, 0.9)
        null = permutation_null(truth, forecast, draws=49, gap=5, seed=seed)
        assert null is not None
        found.append(null.p_value)
    # 10 % of 120 give 12 with a deviation of 3.3; three of them on either side.
    assert 2 <= np.sum(np.array(found) <= 0.1) <= 22


def test_the_same_seed_draws_the_same_null() -> None:
    rng = np.random.default_rng(2)
    truth, forecast = rng.normal(size=(5, 30)), rng.normal(size=(5, 30))
    first, again = (permutation_null(truth, forecast, draws=20, seed=7) for _ in range(2))
    longer = permutation_null(truth, forecast, draws=40, seed=7)
    assert first is not None
    assert again is not None
    assert longer is not None
    np.testing.assert_array_equal(first.draws, again.draws)
    np.testing.assert_array_equal(first.draws, longer.draws[:20])


def test_nothing_to_compare_gives_no_null() -> None:
    assert permutation_null(np.full((4, 9), np.nan), np.zeros((4, 9))) is None
    with pytest.raises(ScoreError, match="draws=0"):
        permutation_null(np.zeros((4, 9)), np.zeros((4, 9)), draws=0)
