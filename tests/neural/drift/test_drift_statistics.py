import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nt_ray.neural.drift.drift_statistics import (
    adjusted,
    autocorrelation_time,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p,
    lag_one,
    normal_scores,
    stability_index,
    stability_limit,
    wasserstein,
)

samples = st.lists(st.integers(-5, 5) | st.floats(-100, 100), min_size=2, max_size=40).map(
    lambda found: np.sort(np.array(found, np.float64))
)


@given(samples, samples)
def test_distances_are_scipys(first: np.ndarray, second: np.ndarray) -> None:
    assert kolmogorov_smirnov(first, second) == pytest.approx(
        stats.ks_2samp(first, second, method="asymp").statistic, abs=1e-12
    )
    assert wasserstein(first, second) == pytest.approx(stats.wasserstein_distance(first, second), abs=1e-9)


@pytest.mark.parametrize("rows", [(50, 80), (200, 200), (1000, 300)])
def test_the_probability_of_a_distance_is_scipys(rows: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.1, 0.2, 0.3):
        first, second = np.sort(rng.normal(size=rows[0])), np.sort(rng.normal(shift, size=rows[1]))
        distance = kolmogorov_smirnov(first, second)
        expected = stats.ks_2samp(first, second, method="exact").pvalue
        # The limit law stands for the exact one.
        assert kolmogorov_smirnov_p(distance, *rows) == pytest.approx(expected, rel=0.15, abs=0.01)
    assert kolmogorov_smirnov_p(0.0, *rows) == 1.0
    assert kolmogorov_smirnov_p(1.0, *rows) < 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_are_those_of_statsmodels(found: list[float]) -> None:
    expected = multipletests(found, method="fdr_bh")[1]
    assert adjusted(np.array(found)) == pytest.approx(expected, abs=1e-12)


def test_the_stability_index_is_that_of_its_formula() -> None:
    reference = np.arange(1000.0)
    recent = np.sort(np.r_[np.arange(0.0, 1000.0, 2), np.arange(0.0, 100.0, 0.2)])
    counts = np.histogram(recent, np.r_[-np.inf, np.nextafter(np.arange(99.0, 900, 100), np.inf), np.inf])[0]
    share = (counts + 0.5) / (recent.size + 5)
    assert stability_index(reference, recent) == (pytest.approx(((share - 0.1) * np.log(share / 0.1)).sum()), 10)
    assert stability_index(reference, reference)[0] == 0.0


def test_tenths_that_coincide_are_one_bin() -> None:
    mostly_zero = np.sort(np.r_[np.zeros(950), np.arange(1.0, 51.0)])
    index, bins = stability_index(mostly_zero, mostly_zero)
    assert (index, bins) == (0.0, 2)
    assert stability_index(np.zeros(100), np.ones(100))[0] > 5


def test_chance_exceeds_the_limit_of_the_index_as_often_as_stated() -> None:
    rng = np.random.default_rng(3)
    limit = stability_limit(10, 1000, 500, 0.05)
    found = [stability_index(np.sort(rng.normal(size=1000)), np.sort(rng.normal(size=500)))[0] for _ in range(400)]
    assert 0.015 < np.mean(np.array(found) > limit) < 0.1
    assert stability_limit(10, 1, math.inf, 0.05) == pytest.approx(stats.chi2.isf(0.05, 9), rel=0.005)


def test_the_autocorrelation_time_of_a_first_order_process_is_its_closed_form() -> None:
    rng = np.random.default_rng(5)
    for carry in (0.0, 0.5, 0.8):
        noise = rng.normal(size=20_000)
        values = np.empty_like(noise)
        values[0] = noise[0]
        for t in range(1, noise.size):
            values[t] = carry * values[t - 1] + noise[t]
        assert autocorrelation_time(values) == pytest.approx((1 + carry) / (1 - carry), rel=0.25)
        assert lag_one(values) == pytest.approx(6 / math.pi * math.asin(carry / 2), abs=0.03)
    assert autocorrelation_time(np.ones(30)) == 1.0
    assert lag_one(np.ones(30)) == 0.0


def test_normal_scores_depend_on_ranks_alone_and_are_standard_normal() -> None:
    rng = np.random.default_rng(7)
    reference, column = np.sort(rng.exponential(size=2000)), rng.exponential(size=4000)
    scores = normal_scores(reference, column)
    assert (scores.mean(), scores.std()) == (pytest.approx(0, abs=0.07), pytest.approx(1, abs=0.05))
    assert normal_scores(reference**3, column**3) == pytest.approx(scores)
    assert normal_scores(np.zeros(9), np.zeros(3)) == pytest.approx(stats.norm.ppf([0.45] * 3))
