import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.stress.book import Book, book_of
from nt_ray.risk.stress.propagation import conditional_shock, factor_shock, propagate


def test_two_assets_follow_by_beta() -> None:
    found = propagate(np.array([[0.04, 0.018], [0.018, 0.09]]), [0], [-0.2])
    assert found.returns == pytest.approx([-0.2, -0.2 * 0.018 / 0.04], abs=1e-15)
    assert found.covariance == pytest.approx(np.diag([0.0, 0.09 - 0.018**2 / 0.04]), abs=1e-15)


def test_the_others_do_what_regression_on_the_given_says(covariance: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_normal(np.zeros(5), covariance, 400)
    own = drawn.T @ drawn / 400
    found = propagate(own, [3, 1], [-0.05, 0.02])
    slopes, *_ = np.linalg.lstsq(drawn[:, [3, 1]], drawn, rcond=None)
    assert found.returns == pytest.approx(np.array([-0.05, 0.02]) @ slopes, abs=1e-12)
    rest = drawn - drawn[:, [3, 1]] @ slopes
    assert found.covariance == pytest.approx(rest.T @ rest / 400, abs=1e-15)


def test_given_assets_keep_their_returns_in_a_conditional_shock(book: Book) -> None:
    shock = conditional_shock(book, {"STOCK": -0.3, "BOND": 0.02})
    assert shock.by_asset["STOCK"] == -0.3
    assert shock.by_asset["BOND"] == 0.02
    assert shock.by_asset["FUND"] < -0.1
    assert "STOCK -0.3" in shock.assumptions[0]


def test_factors_reach_assets_through_their_loadings(book: Book) -> None:
    loadings = np.array([[1.2, 0.0], [0.8, 0.1], [0.0, -5.0], [0.1, 0.2], [0.0, 0.3]])
    still = factor_shock(book, ("market", "rates"), loadings, {"market": -0.1})
    assert list(still.by_asset.values()) == pytest.approx(-0.1 * loadings[:, 0])
    assert "stay still" in still.assumptions[0]
    follow = factor_shock(
        book, ("market", "rates"), loadings, {"market": -0.1}, covariance=[[0.0004, -0.00002], [-0.00002, 0.00001]]
    )
    rates = -0.1 * -0.00002 / 0.0004
    assert list(follow.by_asset.values()) == pytest.approx(loadings @ [-0.1, rates])


def test_what_cannot_be_carried_is_refused(book: Book, covariance: np.ndarray) -> None:
    with pytest.raises(RiskError, match="Unknown name 'OIL'"):
        conditional_shock(book, {"OIL": -0.1})
    with pytest.raises(RiskError, match="has no covariance"):
        conditional_shock(book_of({"A": 1.0}), {"A": -0.1})
    with pytest.raises(RiskError, match="not distinct places"):
        propagate(covariance, [0, 0], [-0.1, -0.1])
    with pytest.raises(RiskError, match="one finite return a place"):
        propagate(covariance, [0], [-0.1, -0.1])
    with pytest.raises(RiskError, match="singular"):
        propagate(np.ones((2, 2)), [0, 1], [-0.1, -0.1])
    with pytest.raises(RiskError, match="not positive semi-definite"):
        propagate([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]], [0], [-0.1])
    with pytest.raises(RiskError, match="Loadings have shape"):
        factor_shock(book, ("market",), np.ones((2, 1)), {"market": -0.1})
