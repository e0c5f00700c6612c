"""Published test values of other libraries, reproduced on the data they were published for.

skfolio (BSD-3), its own tests on its S&P 500 set of 20 stocks, https://github.com/skfolio/skfolio: risk budgets from
test_risk_budgeting.py (2018 on), Black-Litterman from test_prior/test_black_litterman.py (2014 on), exponentially
weighted means from test_moment/test_expected_returns.py (2014 on).
"""

from datetime import UTC, datetime

import numpy as np
import pytest

from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.moments.black_litterman import View, black_litterman
from nt_ray.portfolio.moments.expected import ewma_mean, implied
from nt_ray.portfolio.moments.sample import decay_weights, ewma
from nt_ray.portfolio.optimise.erc import risk_parity
from nt_ray.types import FloatArray

PARITY = [
    0.0420088, 0.0321681, 0.0368757, 0.0397691, 0.0397394, 0.0382183, 0.0464549, 0.0676572, 0.0406381, 0.0639892,
    0.0555420, 0.0681354, 0.0427415, 0.0597638, 0.0613296, 0.0672670, 0.0314903, 0.0468024, 0.0749026, 0.0445065,
]  # fmt: skip
POSTERIOR = [
    0.02644867, 0.03067605, 0.02164973, 0.00928809, 0.02765341, 0.01837103, 0.01600049, 0.00939478, 0.01957696,
    0.00585437, 0.01234366, 0.01059111, 0.03200649, 0.00907145, 0.01037331, 0.00785186, 0.02639050, 0.01666245,
    0.00770657, 0.02098158,
]  # fmt: skip
FIRST_ROW = [
    3.36958455e-04, 2.83215895e-04, 1.56228019e-04, 1.75889683e-04, 1.22085731e-04, 1.38700761e-04, 1.47126181e-04,
    8.11023032e-05, 1.42513814e-04, 8.01829122e-05, 9.68619215e-05, 7.98648783e-05, 2.15052791e-04, 9.97625137e-05,
    8.61115392e-05, 8.56846596e-05, 1.37608444e-04, 1.33035904e-04, 8.21656196e-05, 1.06281426e-04,
]  # fmt: skip
DECAYED = [
    -2.35639920e-03, -2.16298397e-03, -6.24939820e-04, 1.59720195e-03, 1.32326000e-03, 1.13191618e-03, 9.15787880e-04,
    5.73781161e-04, 1.20165990e-03, 8.58470553e-04, 1.52664306e-03, 2.45540847e-03, -7.87452631e-04, 7.28482574e-04,
    9.98412295e-04, 1.24476313e-03, -1.34977227e-03, 3.08834478e-04, 3.41145908e-04, 1.61234395e-03,
]  # fmt: skip


def _returns(year: int) -> tuple[tuple[str, ...], FloatArray]:
    """Simple returns from the first close of a year on."""
    panel = load_embedded("sp500")
    closes = panel.closes[panel.timestamps >= int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9]
    return tuple(panel.symbols), np.asarray(closes[1:] / closes[:-1] - 1.0)


def test_equal_risk_contributions_are_skfolios() -> None:
    # Published to five decimals.
    assert risk_parity(np.cov(_returns(2018)[1].T)).weights == pytest.approx(PARITY, abs=5e-6)


def test_a_posterior_of_three_views_is_skfolios() -> None:
    names, returns = _returns(2014)
    covariance = np.cov(returns.T)
    views = [View({"AAPL": 1.0, "BBY": -1.0}, 0.03), View({"CVX": 1.0, "KO": -1.0}, 0.04), View({"MSFT": 1.0}, 0.06)]
    prior = implied(covariance, np.full(20, 0.05), risk_aversion=1.0)
    found = black_litterman(covariance, prior, views, names, tau=1.0 / len(returns))
    assert found.expected == pytest.approx(POSTERIOR, abs=6e-9)
    assert found.covariance[0] == pytest.approx(FIRST_ROW, rel=2e-8)


def test_means_that_decay_by_half_in_forty_days_are_skfolios() -> None:
    assert ewma_mean(_returns(2014)[1], decay=0.5 ** (1.0 / 40.0)) == pytest.approx(DECAYED, abs=1e-7)


@pytest.mark.parametrize(
    ("decay", "tolerance", "days"), [(0.94, 0.01, 74), (0.94, 0.001, 112), (0.94, 0.0001, 149), (0.97, 0.01, 151)]
)
def test_the_history_that_an_ewma_uses_is_that_of_riskmetrics(decay: float, tolerance: float, days: int) -> None:
    # J.P. Morgan/Reuters, RiskMetrics Technical Document (1996), section 5.3: days until all older weights together
    # come down to a tolerance, ln(tolerance) / ln(decay).
    weights = decay_weights(5000, decay)
    nearest = min(range(1, 400), key=lambda d: abs(np.log(weights[:-d].sum() / tolerance)))
    assert nearest == days
    returns = np.random.default_rng(3).standard_normal((5000, 1))
    late = float(weights[-days:] @ returns[-days:, 0] ** 2)
    assert float(ewma(returns, decay=decay)[0, 0]) == pytest.approx(late, abs=20.0 * tolerance)
