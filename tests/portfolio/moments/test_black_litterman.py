"""The tables of He and Litterman (1999), The intuition behind Black-Litterman model portfolios, Goldman Sachs.

Seven countries, delta 2.5, tau 0.05; figures in per cent, as printed. View 1: Germany beats France and the United
Kingdom, weighted by value, by 5 %; view 2: Canada beats the USA by 3 %. The paper prints omega / tau as 0.021, 0.017.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.black_litterman import Posterior, View, absolute, black_litterman, relative
from nt_ray.portfolio.moments.expected import implied

COUNTRIES = ("Australia", "Canada", "France", "Germany", "Japan", "UK", "USA")
WEIGHTS = np.array([1.6, 2.2, 5.2, 5.5, 11.6, 12.4, 61.5]) / 100
VOLATILITIES = np.array([16.0, 20.3, 24.8, 27.1, 21.0, 20.0, 18.7]) / 100
UPPER = [0.488, 0.478, 0.515, 0.439, 0.512, 0.491, 0.664, 0.655, 0.310, 0.608, 0.779, 0.861, 0.355, 0.783, 0.668, 0.354,
         0.777, 0.653, 0.405, 0.306, 0.652]  # fmt: skip
CORRELATIONS = np.eye(7)
CORRELATIONS[np.triu_indices(7, 1)] = UPPER
CORRELATIONS = CORRELATIONS + CORRELATIONS.T - np.eye(7)
COVARIANCE = CORRELATIONS * np.outer(VOLATILITIES, VOLATILITIES)
PRIOR = implied(COVARIANCE, WEIGHTS, risk_aversion=2.5)
GERMANY = {"Germany": 1.0}, {"France": 5.2, "UK": 12.4}
CANADA = {"Canada": 1.0}, {"USA": 1.0}


def posterior(*views: View) -> Posterior:
    return black_litterman(COVARIANCE, PRIOR, views, COUNTRIES, tau=0.05)


def best(result: Posterior) -> np.ndarray:
    return np.linalg.solve(2.5 * result.covariance, result.expected)


def test_equilibrium_is_that_of_table_2() -> None:
    np.testing.assert_allclose(100 * PRIOR, [3.9, 6.9, 8.4, 9.0, 4.3, 6.8, 7.6], atol=0.05)


def test_one_view_gives_table_4() -> None:
    result = posterior(relative(*GERMANY, 0.05))
    np.testing.assert_allclose(result.view_variances / 0.05, [0.021], atol=0.0005)
    np.testing.assert_allclose(100 * result.expected, [4.3, 7.6, 9.3, 11.0, 4.5, 7.0, 8.1], atol=0.05)
    np.testing.assert_allclose(100 * best(result), [1.5, 2.1, -4.0, 35.4, 11.0, -9.5, 58.6], atol=0.05)
    changes = [0.0, 0.0, -8.9, 30.2, 0.0, -21.3, 0.0]
    np.testing.assert_allclose(100 * (best(result) - WEIGHTS / 1.05), changes, atol=0.05)


def test_two_views_give_table_5() -> None:
    result = posterior(relative(*GERMANY, 0.05), relative(*CANADA, 0.03))
    np.testing.assert_allclose(result.view_variances / 0.05, [0.021, 0.017], atol=0.0005)
    np.testing.assert_allclose(100 * result.expected, [4.4, 8.7, 9.5, 11.2, 4.6, 7.0, 7.5], atol=0.05)
    np.testing.assert_allclose(100 * best(result), [1.5, 41.9, -3.4, 33.6, 11.0, -8.2, 18.8], atol=0.05)
    np.testing.assert_allclose(result.tilts / 2.5, [0.298, 0.418], atol=0.001)


def test_a_bolder_view_gives_table_6() -> None:
    result = posterior(relative(*GERMANY, 0.05), relative(*CANADA, 0.04))
    np.testing.assert_allclose(100 * result.expected, [4.4, 9.1, 9.5, 11.3, 4.6, 7.0, 7.3], atol=0.05)
    np.testing.assert_allclose(100 * best(result), [1.5, 53.3, -3.3, 33.1, 11.0, -7.8, 7.3], atol=0.05)
    np.testing.assert_allclose(result.tilts / 2.5, [0.292, 0.538], atol=0.001)


def test_less_trust_in_the_first_view_gives_table_7() -> None:
    doubled = 2 * float(posterior(relative(*GERMANY, 0.05)).view_variances[0])
    result = posterior(relative(*GERMANY, 0.05, variance=doubled), relative(*CANADA, 0.04))
    np.testing.assert_allclose(100 * result.expected, [4.3, 8.9, 9.3, 10.6, 4.6, 6.9, 7.2], atol=0.06)
    np.testing.assert_allclose(100 * best(result), [1.5, 53.9, -0.5, 23.6, 11.0, -1.1, 6.8], atol=0.11)
    np.testing.assert_allclose(result.tilts / 2.5, [0.193, 0.544], atol=0.0011)


def test_a_view_that_says_nothing_new_has_no_tilt() -> None:
    """Table 8: Canada beats Japan by 4.12 %, which the other views imply already."""
    doubled = 2 * float(posterior(relative(*GERMANY, 0.05)).view_variances[0])
    result = posterior(
        relative(*GERMANY, 0.05, variance=doubled), relative(*CANADA, 0.04),
        relative({"Canada": 1}, {"Japan": 1}, 0.0412),
    )  # fmt: skip
    assert result.tilts[2] / 2.5 == pytest.approx(0.0, abs=0.006)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4), tau=st.sampled_from([0.01, 0.05, 1.0]))
def test_the_master_formula_with_inverses_gives_the_same(seed: int, count: int, tau: float) -> None:
    """Black and Litterman (1992): mean [(tau S)^-1 + P'O^-1 P]^-1 [(tau S)^-1 pi + P'O^-1 q], M the first inverse."""
    draws = np.random.default_rng(seed)
    picks, wanted, omega = draws.normal(size=(count, 7)), draws.normal(size=count), draws.uniform(0.001, 0.1, count)
    views = [
        View(dict(zip(COUNTRIES, row, strict=True)), q, variance=v)
        for row, q, v in zip(picks, wanted, omega, strict=True)
    ]
    result = black_litterman(COVARIANCE, PRIOR, views, COUNTRIES, tau=tau)
    precision = np.linalg.inv(tau * COVARIANCE)
    inverse = np.linalg.inv(precision + picks.T / omega @ picks)
    mean = inverse @ (precision @ PRIOR + picks.T / omega @ wanted)
    np.testing.assert_allclose(result.expected, mean, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(result.mean_covariance, inverse, atol=1e-10)
    np.testing.assert_allclose(result.covariance, COVARIANCE + inverse, atol=1e-10)
    left = (1 + tau) * np.linalg.solve(result.covariance, mean)
    np.testing.assert_allclose(left, np.linalg.solve(COVARIANCE, PRIOR) + picks.T @ result.tilts, rtol=1e-6, atol=1e-6)


def test_confidence_moves_the_weights_by_its_share() -> None:
    """Idzorek (2005), step 7: one view of confidence c moves weights by c of what certainty moves them."""

    def weights(view: View) -> np.ndarray:
        return np.linalg.solve(2.5 * COVARIANCE, posterior(view).expected)

    certain = weights(relative(*GERMANY, 0.05, confidence=1.0)) - WEIGHTS
    for confidence in (0.0, 0.25, 0.5, 0.65):
        moved = weights(relative(*GERMANY, 0.05, confidence=confidence)) - WEIGHTS
        np.testing.assert_allclose(moved, confidence * certain, atol=1e-12)


def test_a_certain_view_comes_true() -> None:
    result = posterior(absolute("Japan", 0.09, variance=0.0), relative(*CANADA, 0.03))
    assert result.expected[4] == pytest.approx(0.09, rel=1e-12)
    assert result.mean_covariance[4, 4] == pytest.approx(0.0, abs=1e-15)


def test_without_confidence_the_prior_stays() -> None:
    result = posterior(absolute("Japan", 0.09, confidence=0.0))
    assert np.array_equal(result.expected, PRIOR)
    assert result.view_variances[0] == np.inf
    np.testing.assert_allclose(result.covariance, 1.05 * COVARIANCE)


def test_bad_views_are_refused() -> None:
    with pytest.raises(RiskError, match="Unknown name 'Atlantis'"):
        posterior(absolute("Atlantis", 0.1))
    with pytest.raises(RiskError, match="certain depend on each other"):
        posterior(absolute("Japan", 0.09, variance=0.0), absolute("Japan", 0.01, variance=0.0))
    with pytest.raises(RiskError, match="no views"):
        posterior()
    with pytest.raises(RiskError, match="both a confidence and a variance"):
        absolute("Japan", 0.09, confidence=0.5, variance=0.1)
    with pytest.raises(RiskError, match=r"confidence 1\.5"):
        absolute("Japan", 0.09, confidence=1.5)
    with pytest.raises(RiskError, match="variance -1"):
        absolute("Japan", 0.09, variance=-1)
    with pytest.raises(RiskError, match="about no asset"):
        View({}, 0.1)
    with pytest.raises(RiskError, match="not finite"):
        absolute("Japan", np.nan)
    with pytest.raises(RiskError, match="not positive"):
        relative({"Japan": 1.0}, {"USA": 0.0}, 0.1)
    with pytest.raises(RiskError, match="tau=0"):
        black_litterman(COVARIANCE, PRIOR, [absolute("Japan", 0.1)], COUNTRIES, tau=0.0)
    with pytest.raises(RiskError, match="2 names for 7 assets"):
        black_litterman(COVARIANCE, PRIOR, [absolute("Japan", 0.1)], COUNTRIES[:2])
    with pytest.raises(RiskError, match="'Japan' stands for two columns"):
        black_litterman(np.eye(2), [0.1, 0.1], [absolute("Japan", 0.1)], ["Japan", "Japan"])
    with pytest.raises(RiskError, match="not positive semi-definite"):
        black_litterman([[1.0, 2.0], [2.0, 1.0]], [0.1, 0.1], [absolute("Japan", 0.1)], ["Japan", "USA"])


def test_the_example_of_idzorek_comes_out() -> None:
    """Idzorek (2005), A step-by-step guide to the Black-Litterman model, tables 1, 2, 5 and 6: eight classes, tau
    0.025, three views; per cent as printed."""
    lower = [
        [0.001005],
        [0.001328, 0.007277],
        [-0.000579, -0.001307, 0.059852],
        [-0.000675, -0.000610, 0.027588, 0.029609],
        [0.000121, -0.002237, 0.063497, 0.026572, 0.102488],
        [0.000128, -0.000989, 0.023036, 0.021465, 0.042744, 0.032056],
        [-0.000445, 0.001442, 0.032967, 0.020697, 0.039443, 0.019881, 0.028355],
        [-0.000437, -0.001535, 0.048039, 0.029854, 0.065994, 0.032235, 0.035064, 0.079958],
    ]
    covariance = np.zeros((8, 8))
    for at, row in enumerate(lower):
        covariance[at, : at + 1] = covariance[: at + 1, at] = row
    classes = ("bonds", "foreign bonds", "large growth", "large value", "small growth", "small value", "foreign", "new")
    prior = np.array([0.08, 0.67, 6.41, 4.08, 7.43, 3.70, 4.80, 6.60]) / 100
    views = [
        absolute("foreign", 0.0525),
        relative({"foreign bonds": 1}, {"bonds": 1}, 0.0025),
        relative({"large growth": 0.9, "small growth": 0.1}, {"large value": 0.9, "small value": 0.1}, 0.02),
    ]
    result = black_litterman(covariance, prior, views, classes, tau=0.025)
    np.testing.assert_allclose(result.view_variances, [0.000709, 0.000141, 0.000866], atol=5e-7)
    printed = [0.07, 0.50, 6.50, 4.32, 7.59, 3.94, 4.93, 6.84]
    np.testing.assert_allclose(100 * result.expected, printed, atol=0.0101)
