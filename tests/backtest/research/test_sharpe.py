import math

import numpy as np
import pytest
from scipy import stats

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.sharpe import (
    SharpeSample,
    adjusted_sharpe,
    annualisation,
    autocorrelations,
    deflated_sharpe,
    effective_trials,
    expected_best_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)


def test_the_published_example_of_the_deflated_sharpe_ratio() -> None:
    # Five years of daily returns, annualised Sharpe 2.5, skewness -3, kurtosis 10, variance of trials 1/2 a year.
    sample, variance = SharpeSample(1250, 2.5 / math.sqrt(250), -3.0, 10.0), 0.5 / 250
    assert expected_best_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(sample, 100, variance) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(sample, 46, variance) == pytest.approx(0.9505, abs=5e-5)
    normal = SharpeSample(1250, 2.5 / math.sqrt(250))
    assert deflated_sharpe(normal, 88, variance) == pytest.approx(0.9505, abs=5e-5)


@pytest.mark.parametrize(("q", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_the_published_track_records_that_tell_two_from_one(q: int, years: float) -> None:
    sample = SharpeSample(100, 2.0 / math.sqrt(q))
    needed = minimum_track_record(sample, 1.0 / math.sqrt(q))
    assert needed is not None
    assert needed / q == pytest.approx(years, abs=5e-3)


def test_at_the_minimum_track_record_the_probability_is_the_confidence() -> None:
    sample = SharpeSample(100, 0.08, -0.7, 6.0)
    needed = minimum_track_record(sample, 0.02, 0.99)
    assert needed is not None
    n = math.ceil(needed)
    at = probabilistic_sharpe(SharpeSample(n, 0.08, -0.7, 6.0), 0.02)
    below = probabilistic_sharpe(SharpeSample(n - 1, 0.08, -0.7, 6.0), 0.02)
    assert below < 0.99 <= at
    assert minimum_track_record(sample, 0.08) is None


def test_the_probability_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    true, found = 0.1, []
    for _ in range(800):
        sample = sharpe_sample(rng.normal(true, 1.0, 250))
        assert sample is not None
        found.append(probabilistic_sharpe(sample, true))
    # Under the truth the probability is uniform.
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_the_sample_agrees_with_scipy() -> None:
    returns = np.random.default_rng(1).standard_t(5, 500) * 0.01
    sample = sharpe_sample(returns)
    assert sample is not None
    assert sample.skew == pytest.approx(stats.skew(returns))
    assert sample.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))
    assert sample.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))


def test_the_expected_best_is_the_mean_of_the_maximum_of_normals() -> None:
    rng = np.random.default_rng(2)
    simulated = rng.normal(0.0, 0.3, (20_000, 50)).max(axis=1).mean()
    assert expected_best_sharpe(50, 0.09) == pytest.approx(simulated, rel=0.02)
    assert expected_best_sharpe(1, 0.09) == 0.0


def test_effective_trials_run_from_one_for_copies_to_all_for_strangers() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(0, 1, (4000, 1))
    strangers = rng.normal(0, 1, (4000, 20))
    assert effective_trials(np.repeat(one, 20, axis=1)) == pytest.approx(1.0)
    assert effective_trials(strangers) == pytest.approx(20.0, rel=0.02)
    mixed = np.sqrt(0.5) * one + np.sqrt(0.5) * strangers
    correlations = np.corrcoef(mixed.T)[np.triu_indices(20, 1)]
    assert effective_trials(mixed) == pytest.approx(correlations.mean() + (1 - correlations.mean()) * 20)
    assert effective_trials(np.zeros((10, 3))) == 1.0


@pytest.mark.parametrize("rho", [-0.2, 0.1, 0.5])
def test_annualisation_of_an_autoregression_has_its_closed_form(rho: float) -> None:
    q = 12
    expected = math.sqrt(q) / math.sqrt(1 + 2 * rho / (1 - rho) * (1 - (1 - rho**q) / (q * (1 - rho))))
    assert annualisation(rho ** np.arange(1, q), q) == pytest.approx(expected)
    assert annualisation(np.zeros(0), 12) == pytest.approx(math.sqrt(12))


def test_annualisation_is_the_ratio_of_summed_returns() -> None:
    # The Sharpe ratio of sums over q periods of a long autoregression is the adjusted one.
    rng = np.random.default_rng(8)
    noise, series = rng.normal(0, 1, 400_000), np.empty(400_000)
    series[0] = noise[0]
    for t in range(1, len(series)):
        series[t] = 0.3 * series[t - 1] + noise[t]
    series += 0.2
    sums = series.reshape(-1, 20).sum(axis=1)
    assert adjusted_sharpe(series, 20.0, lags=19) == pytest.approx(sums.mean() / sums.std(ddof=1), rel=0.03)


def test_autocorrelations_agree_with_statsmodels() -> None:
    from statsmodels.tsa.stattools import acf

    returns = np.random.default_rng(4).normal(0, 1, 200).cumsum()
    assert autocorrelations(returns, 5) == pytest.approx(acf(returns, nlags=5)[1:])


def test_what_is_undefined_is_none_and_nonsense_is_refused() -> None:
    assert sharpe_sample(np.full(10, 0.01)) is None
    assert sharpe_sample(np.array([0.01])) is None
    assert adjusted_sharpe(np.full(10, 0.01), 252.0) is None
    assert probabilistic_sharpe(SharpeSample(100, 1.0, skew=5.0, kurtosis=1.0)) is None
    with pytest.raises(ResearchError, match="not finite"):
        sharpe_sample(np.array([0.01, np.nan]))
    with pytest.raises(ResearchError, match="confidence"):
        minimum_track_record(SharpeSample(10, 0.1), confidence=0.4)
    with pytest.raises(ResearchError, match="trials"):
        expected_best_sharpe(0.5, 1.0)
