import numpy as np
import pytest
from scipy.stats import norm

from nt_ray.errors import RiskError
from nt_ray.risk.stress.analysis import Outlook
from nt_ray.risk.stress.book import Book, book_of
from nt_ray.risk.stress.sensitivity import correlation_stress, ladder, sensitivities
from nt_ray.risk.stress.shocks import Shock, severe_market_crash

CALM = Shock(
    name="calm",
    by_class=dict.fromkeys(("equity", "fixed_income", "commodity", "fx"), 0.0),
    volatility=2.0,
    correlation=0.05,
)


def test_the_loss_moves_by_the_exposure_to_each_class(book: Book) -> None:
    rows = {row.parameter: row for row in sensitivities(book, CALM)}
    assert rows["equity return"].loss == pytest.approx(-0.7, abs=1e-9)
    assert rows["fx return"].loss == pytest.approx(0.3, abs=1e-9)
    assert rows["volatility factor"].loss == 0.0


def test_the_tail_moves_in_proportion_to_volatility(book: Book) -> None:
    plain = Shock(name="plain", by_class=CALM.by_class)
    rows = {row.parameter: row for row in sensitivities(book, plain, Outlook(horizon=4, confidence=0.99))}
    deviation = np.sqrt(4 * book.weights @ book.covariance @ book.weights)
    assert rows["volatility factor"].var == pytest.approx(norm.ppf(0.99) * deviation, rel=1e-8)
    # d sigma / d rho = sum over pairs of w_i w_j s_i s_j / (2 sigma), one-sided at no correlation added.
    scaled = book.weights * np.sqrt(np.diag(book.covariance))
    pairs = scaled.sum() ** 2 - (scaled**2).sum()
    assert rows["correlation added"].var == pytest.approx(norm.ppf(0.99) * 4 * pairs / (2 * deviation), rel=1e-3)


def test_a_book_without_covariance_has_no_sensitivity_of_its_tail() -> None:
    rows = sensitivities(book_of({"SPY": 1.0}), CALM)
    assert all(row.var is None for row in rows)


def test_a_ladder_climbs(book: Book) -> None:
    rows = ladder(book, severe_market_crash, (0.2, 0.4, 0.6))
    assert [row.loss for row in rows] == pytest.approx([rows[0].loss * k for k in (1, 2, 3)])


def test_full_correlation_adds_volatilities_up(book: Book) -> None:
    rows = correlation_stress(book, (0.0, 1.0), horizon=2, confidence=0.95)
    scaled = book.weights * np.sqrt(np.diag(book.covariance))
    assert rows[0].volatility == pytest.approx(np.sqrt(2 * book.weights @ book.covariance @ book.weights))
    assert rows[1].volatility == pytest.approx(np.sqrt(2) * abs(scaled.sum()), rel=1e-6)
    assert rows[1].var == pytest.approx(norm.ppf(0.95) * rows[1].volatility)


def test_nonsense_is_refused(book: Book) -> None:
    with pytest.raises(RiskError, match="Bump 0"):
        sensitivities(book, CALM, bump=0.0)
    with pytest.raises(RiskError, match="0 sizes"):
        ladder(book, severe_market_crash, ())
    with pytest.raises(RiskError, match="has no covariance"):
        correlation_stress(book_of({"SPY": 1.0}))
