import numpy as np
import pytest
from scipy.stats import norm

from nt_ray.errors import RiskError
from nt_ray.risk.stress.analysis import Outlook, stress, stress_all, worst_case
from nt_ray.risk.stress.book import Book, book_of
from nt_ray.risk.stress.covariance import shocked_covariance
from nt_ray.risk.stress.shocks import NAMED, crisis_2008, liquidity_crisis


def test_a_loss_is_worked_out_by_asset_and_class(book: Book) -> None:
    result = stress(book, crisis_2008())
    assert result.by_asset == pytest.approx([0.275, 0.11, 0.06, 0.04, 0.03])
    assert result.loss == pytest.approx(0.515)
    assert result.by_class == pytest.approx({"equity": 0.385, "fixed_income": 0.06, "commodity": 0.04, "fx": 0.03})


def test_the_aftermath_holds_the_shocked_positions_in_the_shocked_covariance(book: Book) -> None:
    result = stress(book, crisis_2008(), Outlook(horizon=5, confidence=0.99, floor=0.3))
    positions = book.weights * (1.0 + np.array([-0.55, -0.55, -0.15, -0.4, 0.1]))
    after = shocked_covariance(book.covariance, volatility=3.0, correlation=0.3).covariance
    deviation = np.sqrt(5 * positions @ after @ positions)
    assert result.normal is not None
    assert result.normal.var == pytest.approx(0.515 + norm.ppf(0.99) * deviation, rel=1e-10)
    assert result.normal.survival == pytest.approx(2 * norm.cdf((1 - 0.515 - 0.3) / deviation) - 1, rel=1e-10)
    assert any("volatilities times 3" in line for line in result.assumptions)


def test_repairs_of_the_covariance_are_in_the_result(book: Book) -> None:
    assert stress(book, liquidity_crisis()).repairs
    assert stress(book, liquidity_crisis(), Outlook(correlations="toward_one")).repairs == ()


def test_past_returns_give_a_second_opinion(book: Book) -> None:
    past = np.random.default_rng(0).standard_t(3, (800, 5)) * 0.01
    result = stress(book, crisis_2008(), Outlook(returns=past))
    assert result.scenarios is not None
    assert result.normal is not None
    assert result.scenarios.es > result.normal.es
    assert result.scenarios.es > result.scenarios.var > result.loss


def test_without_a_covariance_nothing_is_said_of_what_follows() -> None:
    result = stress(book_of({"SPY": 1.0}), crisis_2008())
    assert result.loss == 0.55
    assert result.normal is None
    assert result.assumptions[0].startswith("classes guessed")
    assert result.assumptions[-1].startswith("no covariance")


def test_the_worst_of_many_is_found(book: Book) -> None:
    results = stress_all(book, [make() for make in NAMED.values()])
    assert [row.name for row in results][:2] == ["2008_crisis", "covid_2020"]
    assert worst_case(results).loss == max(row.loss for row in results)
    assert worst_case(results).name == "severe_market_crash_0.6"


def test_empty_runs_and_bad_outlooks_are_refused(book: Book) -> None:
    with pytest.raises(RiskError, match="0 shocks"):
        stress_all(book, [])
    with pytest.raises(RiskError, match="0 results"):
        worst_case([])
    with pytest.raises(RiskError, match="Floor 1"):
        Outlook(floor=1.0)
    with pytest.raises(RiskError, match="Horizon 0"):
        Outlook(horizon=0)
