import math

import numpy as np
import pytest
from arch import arch_model

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.risk.volatility import ewma_volatility, fit_garch, variance_path


def test_ewma_reproduces_hulls_example() -> None:
    # Hull, Options, Futures and Other Derivatives: decay 0.90, volatility 1 %, a return of 2 % give 1.14 %.
    path = np.sqrt(variance_path(np.array([0.02**2]), 0.0, 0.10, 0.90, 0.01**2))
    assert path[1] ** 2 == pytest.approx(0.00013, abs=1e-12)
    assert round(100.0 * path[1], 2) == 1.14


def test_garch_reproduces_hulls_example() -> None:
    # Hull: omega 0.000002, alpha 0.13, beta 0.86; volatility 1.6 % and a return of 1 % give a variance of 0.00023516.
    path = variance_path(np.array([0.01**2]), 0.000002, 0.13, 0.86, 0.016**2)
    assert path[1] == pytest.approx(0.00023516, abs=1e-12)
    assert round(100.0 * math.sqrt(path[1]), 2) == 1.53


def test_a_volatility_is_the_weighted_sum_of_squares_before_it() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.01, 300)
    t, decay = 250, 0.94
    weights = (1.0 - decay) * decay ** np.arange(t - 1, -1, -1)
    expected = weights @ returns[:t] ** 2 + decay**t * np.mean(returns**2)
    path = ewma_volatility(returns, decay)
    assert path.shape == (301,)
    assert path[t] == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_the_fit_and_its_path_are_those_of_arch_whatever_the_unit() -> None:
    panel = load_embedded("sp500")
    closes = panel.closes[-1501:, panel.symbols.index("JPM")]
    returns = closes[1:] / closes[:-1] - 1.0
    found = arch_model(100.0 * returns, mean="Constant", vol="GARCH", p=1, q=1).fit(disp="off")
    model = fit_garch(returns)
    assert model.likelihood == pytest.approx(found.loglikelihood + returns.size * math.log(100.0), abs=0.05)
    path = model.volatility(returns)
    assert 100.0 * path[:-1] == pytest.approx(found.conditional_volatility, rel=0.02)
    ahead = found.forecast(horizon=1, reindex=False).variance.to_numpy()[0, 0]
    assert 100.0 * path[-1] == pytest.approx(math.sqrt(ahead), rel=0.02)
    assert fit_garch(1000.0 * returns).alpha == pytest.approx(model.alpha, abs=1e-6)


def test_what_has_no_volatility_is_refused() -> None:
    with pytest.raises(RiskError, match="All 200 returns equal"):
        fit_garch(np.full(200, 0.01))
    with pytest.raises(RiskError, match="at least 100"):
        fit_garch(np.zeros(99))
    with pytest.raises(RiskError, match="Decay 1"):
        ewma_volatility(np.zeros(10), 1.0)
