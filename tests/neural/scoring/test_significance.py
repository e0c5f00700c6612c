import numpy as np
import pytest
from scipy import stats

from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.neural.scoring.significance import diebold_mariano, losses_by_origin, over_origins, over_seeds


def by_the_book(d: np.ndarray, h: int) -> tuple[float, float]:
    """Harvey, Leybourne and Newbold (1997), equations 2 to 9, written out."""
    n = len(d)
    gamma = [np.sum((d[k:] - d.mean()) * (d[: n - k] - d.mean())) / n for k in range(h)]
    variance = (gamma[0] + 2.0 * sum(gamma[1:])) / n
    s = d.mean() / np.sqrt(variance) * np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    return float(s), float(2.0 * stats.t.sf(abs(s), n - 1))


@pytest.mark.parametrize("overlap", [1, 2, 5])
def test_the_statistic_is_that_of_the_source(overlap: int) -> None:
    rng = np.random.default_rng(overlap)
    noise = np.convolve(rng.normal(size=200 + overlap - 1), np.ones(overlap), mode="valid")
    first, second = rng.random(200), rng.random(200) + 0.1 * noise
    found = diebold_mariano(first, second, overlap)
    assert found is not None
    statistic, p = by_the_book(first - second, overlap)
    assert found.statistic == pytest.approx(statistic, rel=1e-12)
    assert found.p_value == pytest.approx(p, rel=1e-9)


def test_equal_forecasters_are_told_apart_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        # Losses share truth over 4 origins.
        noise = np.convolve(rng.normal(size=203), np.ones(4), mode="valid")
        test = diebold_mariano(noise, np.zeros(200), 4)
        assert test is not None
        found.append(test.p_value)
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.1


def test_a_variance_that_comes_out_negative_is_weighted() -> None:
    d = np.tile([1.0, -1.0], 10) + np.linspace(0.0, 0.1, 20)
    found = diebold_mariano(d, np.zeros(20), 2)
    assert found is not None
    assert np.isfinite(found.statistic)


def test_origins_without_a_loss_are_left_out_and_no_difference_is_no_test() -> None:
    losses = np.random.default_rng(1).random(30)
    holed = losses.copy()
    holed[3] = np.nan
    found, plain = diebold_mariano(holed, np.zeros(30)), diebold_mariano(np.delete(losses, 3), np.zeros(29))
    assert found == plain
    assert diebold_mariano(losses, losses) is None
    assert diebold_mariano(losses[:2], losses[1:3], 1) is None
    with pytest.raises(ScoreError, match="overlap=0"):
        diebold_mariano(losses, losses, 0)


def test_losses_of_an_origin_are_the_mean_over_what_was_observed() -> None:
    truth = np.array([[[1.0, 2.0], [np.nan, np.nan]], [[3.0, np.nan], [np.nan, np.nan]]])
    forecast = np.zeros(truth.shape)
    np.testing.assert_allclose(losses_by_origin(truth, forecast), [14.0 / 3.0, np.nan])
    np.testing.assert_allclose(losses_by_origin(truth, forecast, 1), [2.0, np.nan])


def test_the_interval_over_seeds_is_students() -> None:
    values = [0.37, 0.38, 0.36, 0.39, 0.375]
    found = over_seeds(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found.value == pytest.approx(np.mean(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    single = over_seeds([0.4])
    assert single.low is None
    assert single.high is None
    with pytest.raises(ScoreError):
        over_seeds([])


def test_the_interval_over_origins_grows_with_dependence() -> None:
    rng = np.random.default_rng(3)
    independent = rng.normal(size=400)
    dependent = np.repeat(rng.normal(size=20), 20)
    spans = []
    for losses in (independent, dependent):
        found = over_origins(losses, replications=100)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
        spans.append(found.high - found.low)
    assert spans[1] > 2.0 * spans[0]
    with pytest.raises(ScoreError):
        over_origins(np.full(3, np.nan))
