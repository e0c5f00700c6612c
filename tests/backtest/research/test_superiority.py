import numpy as np
import pytest
from arch.bootstrap import SPA

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.superiority import bootstrap_variance, superiority


def equal_scales(rows: int, count: int, seed: int) -> np.ndarray:
    returns = np.random.default_rng(seed).normal(0, 1.0, (rows, count))
    return (returns - returns.mean(0)) / returns.std(0)


def test_with_equal_scales_and_independent_rows_it_agrees_with_another_library() -> None:
    # The library's statistic is not studentised; where every candidate has the same deviation that is no difference.
    returns = equal_scales(500, 12, 1) + np.linspace(-0.12, 0.05, 12)
    other = SPA(np.zeros(500), -returns, block_size=1, reps=4000, seed=3, bootstrap="stationary")
    other.compute()
    found = superiority(returns, block=1.0, replications=4000, seed=5)
    assert found.lower == pytest.approx(other.pvalues["lower"], abs=0.03)
    assert found.consistent == pytest.approx(other.pvalues["consistent"], abs=0.03)
    assert found.upper == pytest.approx(other.pvalues["upper"], abs=0.03)
    assert found.reality_check == pytest.approx(other.pvalues["upper"], abs=0.03)
    assert found.best == 11


def test_the_three_recentrings_are_in_order() -> None:
    returns = np.random.default_rng(2).normal(0, 1, (300, 20)) * np.linspace(0.5, 3, 20) - 0.1
    found = superiority(returns, block=3.0, replications=500)
    assert found.lower <= found.consistent <= found.upper


def test_studentising_keeps_a_wild_loser_from_hiding_a_steady_winner() -> None:
    rng = np.random.default_rng(3)
    returns = np.column_stack((rng.normal(0.2, 1.0, 500), rng.normal(-1.0, 60.0, 500)))
    found = superiority(returns, block=1.0)
    assert found.best == 0
    assert found.consistent < 0.01 < 0.3 < found.reality_check


def test_candidates_that_are_all_worse_prove_nothing() -> None:
    returns = np.random.default_rng(9).normal(-1.0, 1.0, (400, 6))
    found = superiority(returns, block=2.0, replications=200)
    assert found.statistic == 0.0
    assert (found.lower, found.consistent, found.upper) == (1.0, 1.0, 1.0)
    assert found.reality_check > 0.99


def test_under_the_null_small_p_values_are_rare() -> None:
    rng = np.random.default_rng(4)
    found = [superiority(rng.normal(0, 1, (120, 5)), block=1.0, replications=200).upper for _ in range(150)]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.07)


def test_the_benchmark_is_what_candidates_must_beat() -> None:
    rng = np.random.default_rng(5)
    benchmark = rng.normal(0.5, 1.0, 400)
    returns = benchmark[:, None] + rng.normal(0.0, 0.2, (400, 4))
    assert superiority(returns, block=1.0).consistent < 0.01
    assert superiority(returns, benchmark, block=1.0).consistent > 0.02


def test_more_replications_begin_with_the_same_ones() -> None:
    returns = np.random.default_rng(6).normal(0, 1, (100, 3))
    one = superiority(returns, block=2.0, replications=100, seed=1)
    # The first hundred of more replications are the same hundred.
    two = superiority(returns, block=2.0, replications=200, seed=1)
    assert 0 <= two.upper * 200 - one.upper * 100 <= 100
    assert one == superiority(returns, block=2.0, replications=100, seed=1)


def test_the_closed_form_variance_agrees_with_a_plain_sum() -> None:
    series = np.random.default_rng(7).normal(0, 1, (60, 2)).cumsum(axis=0)
    block = 4.0
    centred, keep = series - series.mean(0), 1 - 1 / block
    expected = (centred**2).mean(0)
    for i in range(1, 60):
        kappa = (1 - i / 60) * keep**i + i / 60 * keep ** (60 - i)
        expected = expected + 2 * kappa * (centred[i:] * centred[:-i]).sum(0) / 60
    assert bootstrap_variance(series, block) == pytest.approx(expected)


def test_tables_that_cannot_be_tested_are_refused() -> None:
    returns = np.random.default_rng(8).normal(0, 1, (100, 3))
    with pytest.raises(ResearchError, match="10 rows"):
        superiority(returns[:5])
    with pytest.raises(ResearchError, match="No candidate differs"):
        superiority(np.zeros((50, 2)))
    with pytest.raises(ResearchError, match="benchmark"):
        superiority(returns, np.zeros(5))
    with pytest.raises(ResearchError, match="replications"):
        superiority(returns, replications=0)
    with pytest.raises(ResearchError, match="block"):
        superiority(returns, block=0.2)
