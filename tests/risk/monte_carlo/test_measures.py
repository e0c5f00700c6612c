import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.risk.measures.catalogue import MEASURES, measure
from nt_ray.risk.measures.normal import normal
from nt_ray.risk.measures.student_t import student_tail
from nt_ray.risk.monte_carlo.measures import monte_carlo_t

CLOSES = load_embedded("sp500").closes[-1001:, :8]
RETURNS = CLOSES[1:] / CLOSES[:-1] - 1.0
WEIGHTS = np.full(8, 0.125)


@pytest.mark.parametrize("name", ["monte_carlo_normal", "monte_carlo_t", "monte_carlo_t_copula"])
def test_measures_are_in_the_catalogue_and_repeat_themselves(name: str) -> None:
    assert name in MEASURES
    tails = [measure(name, RETURNS, 0.975, weights=WEIGHTS, scenarios=20_000) for _ in range(2)]
    assert tails[0] == tails[1]
    assert tails[0].method == name
    assert tails[0].observations == 20_000
    assert 0.0 < tails[0].var < tails[0].es < 0.2
    other = measure(name, RETURNS, 0.975, weights=WEIGHTS, scenarios=20_000, seed=1)
    assert other.var != tails[0].var


@pytest.mark.parametrize("horizon", [1, 10])
def test_the_normal_one_agrees_with_the_closed_form(horizon: int) -> None:
    found = measure("monte_carlo_normal", RETURNS, 0.99, horizon, weights=WEIGHTS, scenarios=200_000)
    wanted = normal(RETURNS, 0.99, horizon, weights=WEIGHTS)
    # Three standard errors of a quantile of 200,000 are 1.1 % of VaR.
    assert found.var == pytest.approx(wanted.var, rel=0.012)
    assert found.es == pytest.approx(wanted.es, rel=0.012)


def test_over_several_periods_t_is_neither_scaled_by_the_root_of_time_nor_compounded() -> None:
    one, ten = (monte_carlo_t(RETURNS @ WEIGHTS, 0.99, h, degrees=3.0, scenarios=200_000) for h in (1, 10))
    mean, deviation = float((RETURNS @ WEIGHTS).mean()), float((RETURNS @ WEIGHTS).std(ddof=1))
    scale = deviation * np.sqrt(1.0 / 3.0)
    for tail, horizon in ((one, 1), (ten, 10)):
        assert tail.var == pytest.approx(-horizon * mean + scale * student_tail(3.0, 0.99, horizon)[0], rel=0.02)
    assert "returns of independent periods add up" in ten.notes


def test_a_portfolios_own_returns_are_an_asset() -> None:
    series = RETURNS @ WEIGHTS
    whole = measure("monte_carlo_t_copula", series, 0.975, scenarios=50_000)
    assert whole.var == pytest.approx(measure("historical", series, 0.975).var, rel=0.05)


def test_bad_input_is_named() -> None:
    with pytest.raises(RiskError, match="came without weights"):
        measure("monte_carlo_t", RETURNS, 0.99)
    with pytest.raises(RiskError, match="holds less than one"):
        measure("monte_carlo_normal", RETURNS, 0.99, weights=WEIGHTS, scenarios=50)
    with pytest.raises(RiskError, match="no finite variance"):
        measure("monte_carlo_t", RETURNS, 0.99, weights=WEIGHTS, degrees=1.5)
