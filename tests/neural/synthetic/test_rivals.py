import numpy as np
import pytest

from nt_ray.neural.synthetic.rivals import Garch, bootstrap_paths

RETURNS = np.random.default_rng(9).standard_t(6, 700) / 100


def test_garch_paths_follow_their_recursion_and_have_its_moments() -> None:
    model = Garch(mean=0.05, omega=0.05, alpha=0.1, beta=0.8)
    paths = model.paths(200, 2000, seed=1) * 100
    assert paths.mean() == pytest.approx(0.05, abs=0.01)
    variance = 0.05 / (1 - 0.1 - 0.8)
    assert paths.var() == pytest.approx(variance, rel=0.03)
    # Fourth moment of GARCH(1,1) with Gaussian shocks: 3 (1 - (a + b)^2) / (1 - (a + b)^2 - 2 a^2).
    kurtosis = np.mean((paths - 0.05) ** 4) / variance**2
    assert kurtosis == pytest.approx(3 * (1 - 0.81) / (1 - 0.81 - 0.02), rel=0.1)


def test_garch_finds_its_own_parameters_again() -> None:
    path = Garch(mean=0.05, omega=0.05, alpha=0.1, beta=0.8).paths(1, 20_000, seed=2)[0]
    found = Garch.fit(path)
    assert (found.alpha, found.beta) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.8, abs=0.04))


def test_a_path_does_not_depend_on_how_many_are_drawn() -> None:
    model = Garch(0.0, 0.05, 0.1, 0.8)
    np.testing.assert_array_equal(model.paths(5, 50, seed=3)[:2], model.paths(2, 50, seed=3))
    many, few = (bootstrap_paths(RETURNS, count, 1500, seed=3) for count in (5, 2))
    np.testing.assert_array_equal(many[:2], few)


def test_a_bootstrap_path_is_made_of_pieces_of_the_history() -> None:
    rows = np.arange(700.0)
    path = bootstrap_paths(rows, 1, 5000, block=50.0, seed=4)[0]
    broken = np.sum(np.diff(path) % 700 != 1)
    assert 60 < broken < 145
    assert np.sum(np.diff(bootstrap_paths(rows, 1, 5000, block=1.0, seed=4)[0]) % 700 == 1) < 25
