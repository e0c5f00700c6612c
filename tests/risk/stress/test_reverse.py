import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2, norm

from nt_ray.errors import RiskError
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.reverse import reverse_stress, worst_shock


def test_the_shock_reaches_the_loss_and_numerical_search_finds_none_nearer(book: Book) -> None:
    mean = np.array([0.0004, 0.0003, 0.0001, 0.0, 0.0])
    answer = reverse_stress(book.weights, book.covariance, 0.15, mean=mean, horizon=10)
    assert answer.loss == pytest.approx(0.15, abs=1e-14)
    assert answer.by_asset.sum() == pytest.approx(0.15, abs=1e-14)
    precision = np.linalg.inv(10 * book.covariance)
    away = answer.shock - 10 * mean
    assert np.sqrt(away @ precision @ away) == pytest.approx(answer.distance, rel=1e-10)
    found = minimize(
        lambda s: (s - 10 * mean) @ precision @ (s - 10 * mean) / 100.0,
        np.zeros(5),
        constraints={"type": "eq", "fun": lambda s: book.weights @ s + 0.15},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert np.sqrt(found.fun * 100.0) == pytest.approx(answer.distance, rel=1e-5)
    assert found.x == pytest.approx(answer.shock, abs=1e-4)


def test_the_probability_is_that_of_a_normal_loss(book: Book) -> None:
    answer = reverse_stress(book.weights, book.covariance, 0.03)
    deviation = np.sqrt(book.weights @ book.covariance @ book.weights)
    assert answer.probability == pytest.approx(norm.sf(0.03 / deviation), rel=1e-10)
    assert answer.outside == pytest.approx(chi2.sf((0.03 / deviation) ** 2, 5), rel=1e-10)


def test_a_loss_that_is_expected_anyway_needs_no_shock() -> None:
    answer = reverse_stress([1.0], [[0.01]], 0.05, mean=[-0.1])
    assert answer.distance == 0.0
    assert answer.loss == pytest.approx(0.1)


def test_no_draw_inside_the_ellipsoid_loses_more_than_the_worst_shock(book: Book) -> None:
    worst = worst_shock(book.weights, book.covariance, 0.95)
    rng = np.random.default_rng(3)
    drawn = rng.standard_normal((20_000, 5)) @ np.linalg.cholesky(book.covariance).T
    inside = np.einsum("ij,jk,ik->i", drawn, np.linalg.inv(book.covariance), drawn) <= chi2.ppf(0.95, 5)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    assert (-drawn[inside] @ book.weights).max() <= worst.loss


def test_the_books_own_plausible_shock_is_its_value_at_risk(book: Book) -> None:
    worst = worst_shock(book.weights, book.covariance, 0.99, plausible="book", horizon=4)
    deviation = np.sqrt(4 * book.weights @ book.covariance @ book.weights)
    assert worst.loss == pytest.approx(norm.ppf(0.99) * deviation, rel=1e-12)


def test_what_makes_no_sense_is_refused(book: Book) -> None:
    with pytest.raises(RiskError, match="not a positive fraction"):
        reverse_stress(book.weights, book.covariance, 0.0)
    with pytest.raises(RiskError, match="variance is 0"):
        reverse_stress(np.zeros(5), book.covariance, 0.1)
    with pytest.raises(RiskError, match="Horizon 0"):
        reverse_stress(book.weights, book.covariance, 0.1, horizon=0)
    with pytest.raises(RiskError, match=r"Confidence 0\.4"):
        worst_shock(book.weights, book.covariance, 0.4)
    for ask in (reverse_stress, worst_shock):
        with pytest.raises(RiskError, match=r"eigenvalue is -1\..*nearest_psd"):
            ask(np.ones(2), [[1.0, 2.0], [2.0, 1.0]], 0.9)
    with pytest.raises(RiskError, match="Unknown set"):
        worst_shock(book.weights, book.covariance, 0.95, plausible="all")  # type: ignore[arg-type]
