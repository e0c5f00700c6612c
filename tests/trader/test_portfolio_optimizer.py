from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nt_ray.errors import BadInputError, RiskError
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.portfolio.moments.black_litterman import View
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.mean_variance import minimum_variance
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.trader.portfolio_files import opinion_of, sectors_of, values_by_symbol
from nt_ray.trader.portfolio_optimizer import Opinion, PortfolioOptimizer, symbols_and_weights

SYMBOLS = ("KO", "PEP", "XOM")


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    whole = load_panel("sp500", symbols=list(SYMBOLS))
    return whole.between(whole.time(len(whole) - 800), None)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "file"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_weights_are_those_of_the_optimiser_and_figures_are_annual(panel: BarPanel) -> None:
    made = PortfolioOptimizer(panel)
    best = made.optimize("minimum_variance", Constraints(upper=0.6))
    returns = panel.closes[1:] / panel.closes[:-1] - 1.0
    daily = minimum_variance(ledoit_wolf(returns), Constraints(upper=0.6))
    np.testing.assert_allclose(best.weights, daily.weights, atol=1e-10)
    assert best.volatility == pytest.approx(np.sqrt(daily.objective * 252))
    assert best.expected == pytest.approx(float(returns.mean(axis=0) @ best.weights) * 252)
    assert best.sharpe == pytest.approx(best.expected / best.volatility)
    assert symbols_and_weights(best)[0][1] == best.weights.max()


def test_the_frontier_rises_and_holds_the_largest_sharpe_ratio(panel: BarPanel) -> None:
    made = PortfolioOptimizer(panel, rate=0.01)
    line = made.frontier(12)
    assert np.all(np.diff([point.expected for point in line]) > 0.0)
    assert np.all(np.diff([point.volatility for point in line]) > 0.0)
    best = made.optimize("max_sharpe")
    assert best.sharpe is not None
    assert best.sharpe >= max(point.sharpe or 0.0 for point in line) - 1e-12


def test_views_move_the_returns_that_the_market_implies(panel: BarPanel) -> None:
    plain = PortfolioOptimizer(panel, expected="implied")
    moved = PortfolioOptimizer(panel, expected="implied", opinion=Opinion(views=(View({"KO": 1.0}, 0.40),)))
    assert moved.expected[0] > plain.expected[0]
    held = plain.optimize("mean_variance").weights
    np.testing.assert_allclose(held, np.full(3, 1.0 / 3.0), atol=1e-8)
    assert moved.optimize("black_litterman").weights[0] > held[0]
    with pytest.raises(RiskError, match="views"):
        plain.optimize("black_litterman")


def test_the_risk_of_weights_is_a_report_of_those_weights(panel: BarPanel) -> None:
    made = PortfolioOptimizer(panel)
    plan = ReportPlan(methods=("historical",), backtested=(), horizons=(1,))
    report = made.risk([0.5, 0.3, 0.2], plan=plan)
    assert [row.weight for row in report.positions] == pytest.approx([0.5, 0.3, 0.2], abs=1e-9)
    assert report.equity == "100000"


def test_unknown_estimators_are_refused_by_name(panel: BarPanel) -> None:
    with pytest.raises(BadInputError, match="ledoit_wolf"):
        PortfolioOptimizer(panel, covariance="ledoit")
    with pytest.raises(RiskError, match="james_stein"):
        PortfolioOptimizer(panel, expected="guess")
    with pytest.raises(RiskError, match="max_sharpe"):
        PortfolioOptimizer(panel).optimize("sharpest")


def test_values_by_symbol_keep_the_order_of_the_data(written: Callable[[str], Path]) -> None:
    path = written("symbol,weight\nXOM,0.25\nKO,0.5\n")
    assert values_by_symbol(path, "weight", SYMBOLS, rest=0.0).tolist() == [0.5, 0.0, 0.25]
    with pytest.raises(BadInputError, match="nothing of PEP"):
        values_by_symbol(path, "weight", SYMBOLS)


def test_sectors_become_rows_of_their_limits(written: Callable[[str], Path]) -> None:
    path = written("symbol,sector,min,max\nKO,drinks,,0.5\nPEP,drinks,,\nXOM,oil,0.1,0.3\n")
    drinks, oil = sectors_of(path, SYMBOLS)
    assert (drinks.name, drinks.lower, drinks.upper) == ("drinks", -np.inf, 0.5)
    assert drinks.loadings.tolist() == [1.0, 1.0, 0.0]
    assert (oil.lower, oil.upper) == (0.1, 0.3)


VIEWS = """
tau = 0.1
[market]
KO = 0.5
PEP = 0.5
[[view]]
expected = 0.02
portfolio = { KO = 1.0, PEP = -1.0 }
confidence = 0.3
"""


def test_views_are_read_with_their_market(written: Callable[[str], Path]) -> None:
    found = opinion_of(written(VIEWS), SYMBOLS)
    assert found.tau == 0.1
    assert found.market is not None
    assert found.market.tolist() == [0.5, 0.5, 0.0]
    assert found.views == (View({"KO": 1.0, "PEP": -1.0}, 0.02, confidence=0.3),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("confidence", "confidance"), "view 1: there is no key 'confidance'.*'confidence'"),
        (("KO = 1.0", "KOO = 1.0"), "view 1.portfolio names 'KOO'.*'KO'"),
        (("expected = 0.02", 'expected = "up"'), "view 1.expected = 'up'"),
        (("expected = 0.02", ""), "view 1 has no expected"),
        (("[[view]]", "[[views]]"), "no key 'views'"),
        (("tau = 0.1", "tau = "), "cannot be read"),
        (("KO = 0.5", "KO = true"), "market.KO = True"),
    ],
)
def test_wrong_views_are_named(written: Callable[[str], Path], change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        opinion_of(written(VIEWS.replace(*change, 1)), SYMBOLS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,sector,max\nKO,a,0.5\nPEP,a,0.6\n", "line 3: sector a has max 0.6 here and 0.5 above"),
        ("symbol,sector\nKO,a\n", "limits no sector"),
        ("symbol,sector,max\nKOO,a,0.5\n", "line 2: there are no data of 'KOO'.*'KO'"),
    ],
)
def test_wrong_sectors_are_named_by_their_line(written: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        sectors_of(written(text), SYMBOLS)


def test_a_symbol_that_stands_twice_is_named_by_its_line(written: Callable[[str], Path]) -> None:
    with pytest.raises(BadInputError, match="line 3: KO stands twice"):
        values_by_symbol(written("symbol,weight\nKO,1\nKO,2\n"), "weight", SYMBOLS)
