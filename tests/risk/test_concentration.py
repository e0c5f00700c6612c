import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.concentration import Exposure, concentration, diversification_ratio, effective_bets, exposures

WEIGHTS = st.lists(st.floats(-1.0, 1.0).filter(lambda w: abs(w) > 1e-6), min_size=1, max_size=30)


def test_a_book_with_shorts_counts_them_by_size() -> None:
    found = concentration([0.5, -0.3, 0.0, 0.2])
    assert (found.gross, found.net, found.long, found.short) == pytest.approx((1.0, 0.4, 0.7, 0.3))
    assert (found.names, found.largest) == (3, 0.5)
    assert found.hhi == pytest.approx(0.25 + 0.09 + 0.04)
    assert found.effective_names == pytest.approx(1.0 / 0.38)


@settings(max_examples=60)
@given(WEIGHTS, st.floats(0.1, 10.0))
def test_concentration_lies_between_equal_and_single_and_ignores_leverage(weights: list[float], factor: float) -> None:
    found, levered = concentration(weights), concentration(factor * np.array(weights))
    assert 1.0 / found.names - 1e-12 <= found.hhi <= 1.0 + 1e-12
    assert levered.hhi == pytest.approx(found.hhi, rel=1e-9)
    assert levered.gross == pytest.approx(factor * found.gross, rel=1e-9)
    assert found.long - found.short == pytest.approx(found.net, abs=1e-9)


def test_exposures_sum_by_group_in_order_of_appearance() -> None:
    found = exposures([0.5, -0.2, 0.3, 0.0], ["tech", "oil", "tech", "oil"])
    assert list(found) == ["tech", "oil"]
    assert found["tech"] == Exposure(gross=0.8, net=0.8, names=2)
    assert found["oil"] == Exposure(gross=0.2, net=-0.2, names=1)


@pytest.mark.parametrize("assets", [1, 4, 9])
def test_equal_independent_bets_are_as_many_as_there_are(assets: int) -> None:
    w, covariance = np.full(assets, 1.0 / assets), 0.04 * np.eye(assets)
    assert diversification_ratio(w, covariance) == pytest.approx(math.sqrt(assets))
    assert effective_bets(w, covariance) == pytest.approx(assets)


def test_two_correlated_assets_follow_the_closed_form() -> None:
    rho, covariance = 0.6, np.array([[0.04, 0.6 * 0.2 * 0.1], [0.6 * 0.2 * 0.1, 0.01]])
    w = np.array([0.5, 0.5])
    deviation = math.sqrt(0.25 * (0.04 + 0.01 + 2 * rho * 0.02))
    assert diversification_ratio(w, covariance) == pytest.approx((0.5 * 0.2 + 0.5 * 0.1) / deviation)
    assert 1.0 < effective_bets(w, covariance) < 2.0


def test_a_principal_component_is_one_bet_and_two_of_equal_variance_are_two() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    covariance = (turn * [0.01, 0.04, 0.09]) @ turn.T
    covariance = 0.5 * (covariance + covariance.T)
    assert effective_bets(turn[:, 1], covariance) == pytest.approx(1.0, abs=1e-6)
    assert effective_bets(turn[:, 0] / 0.1 + turn[:, 2] / 0.3, covariance) == pytest.approx(2.0, abs=1e-6)


def test_perfectly_correlated_assets_do_not_diversify() -> None:
    volatilities = np.array([0.1, 0.2, 0.3])
    assert diversification_ratio([0.2, 0.3, 0.5], np.outer(volatilities, volatilities)) == pytest.approx(1.0)


def test_empty_books_and_unmatched_groups_are_refused() -> None:
    with pytest.raises(RiskError, match="All 3 weights are zero"):
        concentration(np.zeros(3))
    with pytest.raises(RiskError, match="1 groups were given for 2"):
        exposures([0.1, 0.2], ["tech"])
    with pytest.raises(RiskError, match="does not fit 3"):
        diversification_ratio(np.ones(3), np.eye(2))
    with pytest.raises(RiskError, match="variance is 0"):
        effective_bets(np.zeros(2), np.eye(2))
