import numpy as np
import pytest
from scipy import stats

from nt_ray.errors import RiskError
from nt_ray.risk.backtests.shortfall import _expected_estimate, _null, shortfall_tests, simulate_null
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.risk.measures.student_t import student_tail

DAYS, CONFIDENCE = 250, 0.975


def flat(value: float) -> np.ndarray:
    return np.full(DAYS, value)


@pytest.mark.parametrize(("nu", "five_percent"), [(None, -0.70), (5.0, -0.74), (3.0, -0.82)])
def test_critical_values_of_z2_are_those_acerbi_and_szekely_publish(nu: float | None, five_percent: float) -> None:
    # Acerbi and Szekely (2014): -0.7 at 5 % for 250 days at 97.5 %, and -0.82 where tails are as heavy as t(3).
    var, es = normal_tail(CONFIDENCE) if nu is None else student_tail(nu, CONFIDENCE)
    tests = shortfall_tests(flat(0.0), flat(var), flat(es), CONFIDENCE, nu=nu, simulations=25_000)
    assert tests[1].critical == pytest.approx(five_percent, abs=0.02)


def test_all_three_are_zero_on_average_for_a_right_model() -> None:
    var, es = normal_tail(CONFIDENCE)
    scales = np.linspace(0.5, 2.0, DAYS)
    null = _null(DAYS, scales * var - 0.1, scales * es - 0.1, 0.025, None)
    for samples in simulate_null(null, 20_000, 3):
        samples = samples[~np.isnan(samples)]
        assert abs(samples.mean()) < 4.0 * samples.std() / np.sqrt(samples.size)


def test_the_null_has_exactly_the_forecasts_var_and_shortfall() -> None:
    for nu in (None, 4.0):
        null = _null(DAYS, flat(0.03), flat(0.05), 0.025, nu)
        law = stats.norm if nu is None else stats.t(nu)
        location, scale = float(null.location[0]), float(null.scale[0])
        worst = location + scale * law.ppf(0.025)
        assert worst == pytest.approx(-0.03, rel=1e-12)
        mean = law.expect(lambda x, at=location, by=scale: at + by * x, lb=-np.inf, ub=law.ppf(0.025)) / 0.025
        assert mean == pytest.approx(-0.05, rel=1e-6)


def test_the_expected_estimate_is_the_mean_of_the_lowest_order_statistics() -> None:
    var, es = normal_tail(CONFIDENCE)
    null = _null(DAYS, flat(var), flat(es), 0.025, None)
    # Order statistic i of T standard normals has mean E[Phi^-1(Beta(i, T + 1 - i))].
    means = [stats.beta(i, DAYS + 1 - i).expect(stats.norm.ppf) for i in range(1, 7)]
    assert null.lowest == 6
    assert _expected_estimate(null) == pytest.approx(-np.mean(means), rel=1e-6)


def test_statistics_are_the_sums_of_the_definition() -> None:
    rng = np.random.default_rng(2)
    returns, var, es = 0.012 * rng.standard_normal(DAYS), rng.uniform(0.01, 0.02, DAYS), rng.uniform(0.021, 0.03, DAYS)
    ratios = [r / e for r, v, e in zip(returns, var, es, strict=True) if r < -v]
    one, two, three = shortfall_tests(returns, var, es, CONFIDENCE, simulations=200)
    assert one.statistic == pytest.approx(1.0 + sum(ratios) / len(ratios), rel=1e-12)
    assert two.statistic == pytest.approx(1.0 + sum(ratios) / (DAYS * 0.025), rel=1e-12)
    quantile, shortfall = normal_tail(CONFIDENCE)
    scale = (es - var) / (shortfall - quantile)
    location = scale * quantile - var
    ranks = np.sort(stats.norm.cdf((returns - location) / scale))[:6]
    estimates = [-np.mean(location[t] + scale[t] * stats.norm.ppf(ranks)) for t in range(DAYS)]
    means = np.mean([stats.beta(i, DAYS + 1 - i).expect(stats.norm.ppf) for i in range(1, 7)])
    expected = [-(location[t] + scale[t] * means) for t in range(DAYS)]
    assert three.statistic == pytest.approx(1.0 - np.mean(np.array(estimates) / np.array(expected)), rel=1e-5)


def test_a_model_that_promises_half_the_loss_is_rejected_and_a_right_one_is_kept() -> None:
    var, es = normal_tail(CONFIDENCE)
    returns = np.random.default_rng(0).standard_normal(DAYS)
    for test in shortfall_tests(returns, flat(var), flat(es), CONFIDENCE, simulations=2000):
        assert test.p_value > 0.05
    for test in shortfall_tests(returns, flat(0.6 * var), flat(0.6 * es), CONFIDENCE, simulations=2000)[1:]:
        assert test.p_value < 0.01


def test_without_a_violation_z1_has_no_statistic() -> None:
    one, two, _ = shortfall_tests(flat(0.01), flat(0.02), flat(0.03), CONFIDENCE, simulations=200)
    assert (one.statistic, one.p_value) == (None, 1.0)
    assert two.statistic == 1.0


def test_a_seed_repeats_its_p_values() -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.01, DAYS)
    found = [shortfall_tests(returns, flat(0.02), flat(0.024), CONFIDENCE, simulations=500, seed=s) for s in (4, 4, 5)]
    assert found[0] == found[1] != found[2]


def test_forecasts_that_cannot_be_tested_are_refused() -> None:
    with pytest.raises(RiskError, match="Forecast 3 has ES"):
        shortfall_tests(flat(0.0), flat(0.02), np.where(np.arange(DAYS) == 3, 0.02, 0.03), CONFIDENCE)
    with pytest.raises(RiskError, match="2 VaR and 250 ES"):
        shortfall_tests(flat(0.0), np.ones(2), flat(0.03), CONFIDENCE)
    with pytest.raises(RiskError, match="less than one"):
        shortfall_tests(np.zeros(30), np.full(30, 0.02), np.full(30, 0.03), CONFIDENCE)
    with pytest.raises(RiskError, match="50 simulations"):
        shortfall_tests(flat(0.0), flat(0.02), flat(0.03), CONFIDENCE, simulations=50)
