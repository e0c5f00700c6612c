import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.historical import tail_of
from nt_ray.risk.measures.filtered import RESAMPLING, filtered, filtered_paths
from nt_ray.risk.monte_carlo.words import fill_words
from nt_ray.risk.volatility import Garch, fit_garch

MODEL = Garch(mean=0.0004, omega=2e-6, alpha=0.09, beta=0.89, start=1e-4)
SHOCKS = np.random.default_rng(4).standard_t(5, 700) / np.sqrt(5.0 / 3.0)


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    shocks, variance, out = np.random.default_rng(8).standard_normal(1200), 1e-4, []
    for z in shocks:
        moved = np.sqrt(variance) * z
        out.append(MODEL.mean + moved)
        variance = MODEL.omega + MODEL.alpha * moved**2 + MODEL.beta * variance
    return np.array(out)


def plain_path(number: int, horizon: int, seed: int) -> float:
    """One path by the textbook recursion, its shocks chosen by the words of (seed, path, step)."""
    wealth, variance = 1.0, 0.02**2
    for step in range(horizon):
        words = np.empty((4, 1), dtype=np.uint32)
        fill_words(seed, 0, number, 0, step // 4, RESAMPLING, words)
        moved = np.sqrt(variance) * SHOCKS[int(words[step % 4, 0]) * SHOCKS.size // 2**32]
        wealth *= max(1.0 + MODEL.mean + moved, 0.0)
        variance = MODEL.omega + MODEL.alpha * moved**2 + MODEL.beta * variance
    return wealth - 1.0


def test_a_path_is_the_textbook_recursion_of_its_own_draws() -> None:
    paths = filtered_paths(MODEL, SHOCKS, 0.02, 9, paths=5000, seed=3)
    for number in (0, 1, 4095, 4096, 4999):
        assert paths[number] == pytest.approx(plain_path(number, 9, 3), rel=1e-12)


def test_paths_are_the_same_on_any_number_of_threads_and_in_any_number() -> None:
    one = filtered_paths(MODEL, SHOCKS, 0.02, 6, paths=20_000, seed=1)
    for threads in (2, 3, 4):
        assert np.array_equal(one, filtered_paths(MODEL, SHOCKS, 0.02, 6, paths=20_000, seed=1, threads=threads))
    assert np.array_equal(one[:777], filtered_paths(MODEL, SHOCKS, 0.02, 6, paths=777, seed=1))
    assert not np.array_equal(one, filtered_paths(MODEL, SHOCKS, 0.02, 6, paths=20_000, seed=2))


def test_the_spread_of_paths_is_that_of_the_garch_forecast() -> None:
    standard = (SHOCKS - SHOCKS.mean()) / SHOCKS.std()
    still = Garch(mean=0.0, omega=2e-6, alpha=0.09, beta=0.89, start=1e-4)
    horizon, variance, expected = 10, 0.02**2, 1.0
    for _ in range(horizon):
        # Compounding uncorrelated returns multiplies 1 + variance, up to terms of the kurtosis.
        expected *= 1.0 + variance
        variance = still.omega + still.persistence * variance
    paths = filtered_paths(still, standard, 0.02, horizon, paths=200_000, seed=5)
    assert paths.var() == pytest.approx(expected - 1.0, rel=0.02)
    assert abs(paths.mean()) < 4.0 * paths.std() / np.sqrt(paths.size)


def test_one_period_counts_each_past_shock_once_at_todays_volatility(returns: np.ndarray) -> None:
    model = fit_garch(returns)
    volatility = model.volatility(returns)
    outcomes = model.mean + volatility[-1] * (returns - model.mean) / volatility[:-1]
    tail = filtered(returns, 0.975)
    assert (tail.var, tail.es) == pytest.approx(tail_of(outcomes, 0.975), rel=1e-12)
    assert tail.observations == returns.size


def test_several_periods_are_simulated_and_say_from_which_seed(returns: np.ndarray) -> None:
    tail = filtered(returns, 0.99, 10, paths=50_000, seed=9)
    again = filtered(returns, 0.99, 10, paths=50_000, seed=9, threads=2)
    assert tail == again
    assert tail.notes[-1] == "50000 paths from seed 9"
    assert tail.es > tail.var > filtered(returns, 0.99).var


def test_a_path_that_loses_everything_stays_at_nothing() -> None:
    ruin = filtered_paths(MODEL, np.array([-60.0]), 0.02, 3, paths=10)
    assert np.array_equal(ruin, np.full(10, -1.0))


def test_what_cannot_be_simulated_is_refused(returns: np.ndarray) -> None:
    with pytest.raises(RiskError, match="0 paths on 1 threads"):
        filtered_paths(MODEL, SHOCKS, 0.02, 5, paths=0)
    with pytest.raises(RiskError, match="moves nothing"):
        filtered_paths(MODEL, SHOCKS, 0.0, 5, paths=10)
    with pytest.raises(RiskError, match="at least 100"):
        filtered(returns[:99], 0.9)
    with pytest.raises(RiskError, match="less than one"):
        filtered(returns, 0.99, 5, paths=50)
    with pytest.raises(RiskError, match="Horizon 0"):
        filtered(returns, 0.99, 0)
