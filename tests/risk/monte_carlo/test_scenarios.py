import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nt_ray.errors import RiskError
from nt_ray.risk.contributions import elliptical, scenario
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.risk.measures.student_t import student_tail
from nt_ray.risk.monte_carlo.measures import simulate
from nt_ray.risk.monte_carlo.models import CopulaModel, Model, NormalModel, StudentModel
from nt_ray.risk.monte_carlo.product import TILE
from nt_ray.risk.monte_carlo.scenarios import Plan, Scenarios, make

RANDOM = np.random.default_rng(8)
ASSETS = 7
FACTORS = RANDOM.normal(size=(ASSETS, ASSETS))
COVARIANCE = (FACTORS @ FACTORS.T + np.eye(ASSETS)) * 1e-4
MEAN = RANDOM.normal(size=ASSETS) * 1e-3
WEIGHTS = RANDOM.normal(size=(5, ASSETS))
SAMPLE = np.sort(RANDOM.standard_t(4, size=(ASSETS, 300)) * 0.01, axis=1)
DEVIATIONS = np.sqrt(COVARIANCE.diagonal())
MODELS: dict[str, Model] = {
    "normal": NormalModel(mean=MEAN, covariance=COVARIANCE),
    "t": StudentModel(mean=MEAN, covariance=COVARIANCE, degrees=4.5),
    "copula": CopulaModel(correlation=COVARIANCE / np.outer(DEVIATIONS, DEVIATIONS), degrees=4.0, ordered=SAMPLE),
}


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_scenarios_and_tails_are_the_same_for_any_number_of_threads_and_portfolios(name: str, double: bool) -> None:
    plan = Plan(model=MODELS[name], count=60_007, seed=5, horizon=2, double=double)
    one = make(plan, threads=1)
    tails = one.evaluate(WEIGHTS, 0.99, threads=1)
    for threads in (2, 4):
        found = make(plan, threads=threads)
        np.testing.assert_array_equal(found.tiles, one.tiles)
        again = found.evaluate(WEIGHTS, 0.99, threads=threads)
        np.testing.assert_array_equal([again.var, again.es], [tails.var, tails.es])
    alone = one.evaluate(WEIGHTS[3], 0.99)
    assert (alone.var[0], alone.es[0]) == (tails.var[3], tails.es[3])


def test_a_scenario_does_not_depend_on_how_many_there_are() -> None:
    few, many = (make(Plan(model=MODELS["t"], count=count, seed=1)) for count in (700, 5000))
    np.testing.assert_array_equal(few.matrix(), many.matrix()[:, :700])


@pytest.mark.parametrize("double", [False, True])
def test_tails_are_the_historical_ones_of_the_losses(double: bool) -> None:
    scenarios = make(Plan(model=MODELS["t"], count=70_001, seed=2, double=double))
    tails = scenarios.evaluate(WEIGHTS, 0.975)
    for p, weights in enumerate(WEIGHTS):
        losses = scenarios.losses(weights).astype(np.float64)
        exact = -weights @ scenarios.matrix().astype(np.float64)
        np.testing.assert_allclose(losses, exact, atol=1e-15 if double else 1e-7)
        assert tails.var[p] == historical_var(-losses, 0.975)
        assert tails.es[p] == pytest.approx(historical_es(-losses, 0.975), rel=1e-12)


def test_a_misleading_sample_changes_no_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    scenarios = make(Plan(model=MODELS["normal"], count=60_007, seed=5))
    tails = scenarios.evaluate(WEIGHTS, 0.99)
    for bound in (-math.inf, 0.0, 1.0):
        monkeypatch.setattr(
            "nt_ray.risk.monte_carlo.scenarios.bounds_of",
            lambda samples, _, bound=bound: np.full(len(samples), bound, dtype=samples.dtype),
        )
        again = scenarios.evaluate(WEIGHTS, 0.99)
        np.testing.assert_array_equal([again.var, again.es], [tails.var, tails.es])


def errors_of_var(scenarios: int, confidence: float, density: float) -> float:
    return math.sqrt(confidence * (1.0 - confidence) / scenarios) / density


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("horizon", [1, 10])
def test_normal_tails_lie_within_three_standard_errors_of_the_closed_form(horizon: int, double: bool) -> None:
    count, a = 250_000, 0.99
    tails = make(Plan(model=MODELS["normal"], count=count, seed=3, horizon=horizon, double=double)).evaluate(WEIGHTS, a)
    z = stats.norm.ppf(a)
    for p, weights in enumerate(WEIGHTS):
        deviation = math.sqrt(horizon * weights @ COVARIANCE @ weights)
        drift = -horizon * MEAN @ weights
        var, es = drift + z * deviation, drift + deviation * stats.norm.pdf(z) / (1.0 - a)
        assert abs(tails.var[p] - var) < 3.0 * errors_of_var(count, a, stats.norm.pdf(z) / deviation)
        over = stats.norm.expect(lambda x: max(x - z, 0.0) ** 2) - stats.norm.expect(lambda x: max(x - z, 0.0)) ** 2
        assert abs(tails.es[p] - es) < 3.0 * deviation * math.sqrt(over / count) / (1.0 - a)


@pytest.mark.parametrize("horizon", [1, 5])
def test_student_tails_are_those_of_sums_of_t_variables(horizon: int) -> None:
    count, a, nu = 200_000, 0.975, 4.5
    model = StudentModel(mean=MEAN, covariance=COVARIANCE, degrees=nu)
    tails = make(Plan(model=model, count=count, seed=4, horizon=horizon)).evaluate(WEIGHTS, a)
    var, es = student_tail(nu, a, horizon)
    density = (a - 0.97) / (var - student_tail(nu, 0.97, horizon)[0])
    for p, weights in enumerate(WEIGHTS):
        scale = math.sqrt(weights @ COVARIANCE @ weights * (nu - 2.0) / nu)
        drift = -horizon * MEAN @ weights
        assert abs(tails.var[p] - (drift + var * scale)) < 3.0 * scale * errors_of_var(count, a, density)
        assert tails.es[p] == pytest.approx(drift + es * scale, rel=0.03)


def test_a_copula_keeps_margins_and_ranks() -> None:
    matrix = make(Plan(model=MODELS["copula"], count=20_000, seed=6)).matrix()
    model = MODELS["copula"]
    assert isinstance(model, CopulaModel)
    for i in range(ASSETS):
        wanted = np.quantile(SAMPLE[i], np.linspace(0.05, 0.95, 19), method="hazen")
        np.testing.assert_allclose(np.quantile(matrix[i], np.linspace(0.05, 0.95, 19)), wanted, atol=6e-4)
    for i, j in ((0, 1), (2, 5), (3, 6)):
        tau = 2.0 / math.pi * math.asin(model.correlation[i, j])
        assert stats.kendalltau(matrix[i, :4000], matrix[j, :4000]).statistic == pytest.approx(tau, abs=0.04)


def test_shares_of_the_expected_shortfall_sum_to_it_and_are_its_slopes() -> None:
    scenarios = make(Plan(model=MODELS["t"], count=30_000, seed=7, double=True))
    weights = WEIGHTS[0]
    found = scenarios.contributions(weights, 0.95)
    tails = scenarios.evaluate(weights, 0.95)
    assert (found.var, found.es) == (tails.var[0], tails.es[0])
    assert found.components.sum() == pytest.approx(found.es, rel=1e-12)
    for i in range(ASSETS):
        step = np.zeros(ASSETS)
        step[i] = 1e-6
        up, down = (scenarios.evaluate(weights + d, 0.95).es[0] for d in (step, -step))
        assert found.components[i] == pytest.approx(weights[i] * (up - down) / 2e-6, rel=2e-3, abs=1e-6)


def test_shares_of_value_at_risk_sum_to_it_and_are_those_of_the_same_scenarios_as_history() -> None:
    scenarios = make(Plan(model=MODELS["normal"], count=200_000, seed=8, double=True))
    weights = WEIGHTS[0]
    found = scenarios.contributions(weights, 0.95)
    assert found.var_components is not None
    assert found.var_components.sum() == pytest.approx(found.var, rel=1e-12)
    same = scenario(weights, scenarios.matrix().T, 0.95)
    assert found.var_components == pytest.approx(same.component_var, rel=1e-9, abs=1e-15)
    assert found.notes == same.notes
    exact = elliptical(weights, COVARIANCE, 0.95, expected=MEAN)
    assert found.var_components == pytest.approx(exact.component_var, abs=0.03 * exact.var)


def test_where_value_at_risk_is_nothing_its_shares_are_refused_and_those_of_the_shortfall_are_not() -> None:
    found = make(Plan(model=MODELS["normal"], count=2_000)).contributions(np.zeros(ASSETS), 0.95)
    assert found.var_components is None
    assert "not taken apart" in found.notes[0]
    np.testing.assert_array_equal(found.components, np.zeros(ASSETS))


@pytest.mark.parametrize("name", ["normal", "t"])
def test_one_portfolio_without_a_matrix_meets_the_same_scenarios(name: str) -> None:
    model = MODELS[name]
    assert isinstance(model, NormalModel | StudentModel)
    tails = make(Plan(model=model, count=50_000, seed=9, horizon=3)).evaluate(WEIGHTS[2], 0.99)
    alone = simulate(model, WEIGHTS[2], 0.99, horizon=3, scenarios=50_000, seed=9)
    np.testing.assert_allclose([alone.var, alone.es], [tails.var, tails.es], rtol=1e-5)


def test_plans_that_draw_the_same_share_a_fingerprint() -> None:
    plan = Plan(model=MODELS["t"], count=1000, seed=1)
    assert plan.fingerprint() == Plan(model=replace(MODELS["t"], degrees=4.5), count=1000, seed=1).fingerprint()  # type: ignore[type-var]
    others = [replace(plan, seed=2), replace(plan, count=999), replace(plan, horizon=2), replace(plan, double=True)]
    others += [replace(plan, model=MODELS["normal"]), replace(plan, model=MODELS["copula"])]
    assert len({p.fingerprint() for p in (plan, *others)}) == 7


def test_bad_input_is_named() -> None:
    scenarios = make(Plan(model=MODELS["normal"], count=150))
    with pytest.raises(RiskError, match="holds less than one"):
        scenarios.evaluate(WEIGHTS, 0.999)
    with pytest.raises(RiskError, match=r"\(5, 6\) for 7 assets"):
        scenarios.evaluate(WEIGHTS[:, :6], 0.95)
    with pytest.raises(RiskError, match="asset 2 in portfolio 1 is not a number"):
        scenarios.evaluate(np.array([[0.0] * 7, [0.0, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0]]), 0.95)
    with pytest.raises(RiskError, match="0 threads"):
        scenarios.evaluate(WEIGHTS, 0.95, threads=0)
    for count in (0, 1000.5, float("nan")):
        with pytest.raises(RiskError, match=f"{count} scenarios"):
            Plan(model=MODELS["normal"], count=count)  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="Horizon 0"):
        Plan(model=MODELS["normal"], horizon=0)
    with pytest.raises(RiskError, match="more numbers than there are"):
        make(Plan(model=MODELS["normal"], count=2**32 + 1))
    with pytest.raises(RiskError, match="not those of this plan"):
        Scenarios(Plan(model=MODELS["normal"], count=2 * TILE), scenarios.tiles)
