import numpy as np
import pytest
from scipy import stats

from nt_ray.backtest.research.bootstrap import confidence_interval, optimal_block, stationary_rows
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.superiority import bootstrap_variance
from nt_ray.errors import BadInputError


def mean(values: np.ndarray) -> float:
    return float(values.mean())


def autoregression(rows: int, rho: float, seed: int) -> np.ndarray:
    noise, series = np.random.default_rng(seed).normal(0, 1, rows), np.zeros(rows)
    for t in range(1, rows):
        series[t] = rho * series[t - 1] + noise[t]
    return series


def test_a_replication_depends_on_seed_and_number_alone() -> None:
    assert stationary_rows(50, 5.0, 7, 3).tolist() == stationary_rows(50, 5.0, 7, 3).tolist()
    drawn = {tuple(stationary_rows(50, 5.0, seed, r).tolist()) for seed in (1, 2) for r in range(5)}
    assert len(drawn) == 10


def test_blocks_are_geometric_with_the_mean_asked_for_and_wrap_round() -> None:
    rows, block = 40, 8.0
    breaks = lengths = wraps = 0
    for r in range(2000):
        drawn = stationary_rows(rows, block, 1, r)
        follows = (drawn[1:] - drawn[:-1]) % rows == 1
        wraps += int(np.sum(follows & (drawn[1:] == 0)))
        breaks += int(np.sum(~follows))
        lengths += rows - 1
    # A new block begins with probability 1/8, and one in forty of those happens to go on.
    assert breaks / lengths == pytest.approx(1 / block * (1 - 1 / rows), rel=0.03)
    assert wraps > 0


def test_every_row_is_drawn_equally_often() -> None:
    counts = np.bincount(np.concatenate([stationary_rows(20, 4.0, 3, r) for r in range(4000)]), minlength=20)
    spread = counts / counts.mean() - 1.0
    assert np.abs(spread).max() < 0.08


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_standard_error_of_a_mean_has_its_closed_form(rho: float) -> None:
    series = autoregression(600, rho, 2)
    found = confidence_interval(series, mean, block=10.0, replications=3000, seed=4)
    assert found is not None
    expected = np.sqrt(bootstrap_variance(series[:, None], 10.0)[0] / 600)
    assert found.standard_error == pytest.approx(expected, rel=0.06)
    normal = stats.norm.ppf([0.025, 0.975]) * expected + series.mean()
    assert (found.low, found.high) == pytest.approx(tuple(normal), abs=0.25 * expected)


def test_intervals_agree_with_another_library() -> None:
    from arch.bootstrap import StationaryBootstrap

    series = autoregression(400, 0.3, 5)
    other = StationaryBootstrap(6, series, seed=1).conf_int(lambda x: x.std(), reps=2000, method="percentile")
    found = confidence_interval(series, lambda x: float(x.std()), block=6.0, seed=2)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(other[:, 0]), abs=0.02)


def test_blocks_are_longer_where_returns_depend_on_each_other() -> None:
    assert optimal_block(autoregression(2000, 0.8, 6)) > 3 * optimal_block(autoregression(2000, 0.0, 6))
    assert optimal_block(np.zeros(50)) == 1.0
    assert optimal_block(np.arange(5.0)) == 1.0


def test_an_undefined_figure_has_no_interval() -> None:
    series = autoregression(50, 0.0, 7)
    assert confidence_interval(series, lambda _: None) is None
    calls = iter([1.0] + [None] * 200)
    assert confidence_interval(series, lambda _: next(calls), block=2.0, replications=200) is None


def test_bad_arguments_are_refused() -> None:
    series = autoregression(50, 0.0, 7)
    with pytest.raises(ResearchError, match="confidence"):
        confidence_interval(series, mean, confidence=1.0)
    with pytest.raises(ResearchError, match="block"):
        confidence_interval(series, mean, block=0.5)
    with pytest.raises(ResearchError, match="finite"):
        confidence_interval(np.array([np.nan]), mean)
    with pytest.raises(BadInputError, match="seed"):
        stationary_rows(5, 2.0, -1, 0)
