import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import stdtr

from nt_ray.errors import RiskError
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.risk.measures.student_t import _sum_tail, fit_student_t, student_t, student_tail

RETURNS = np.random.default_rng(7).standard_t(4, 1500) * 0.01


def test_the_fit_is_the_maximum_that_scipy_finds() -> None:
    fit = fit_student_t(RETURNS)
    reference = stats.t.fit(RETURNS)
    assert fit.likelihood == pytest.approx(stats.t.logpdf(RETURNS, *reference).sum(), abs=1e-3)
    assert fit.likelihood == pytest.approx(stats.t.logpdf(RETURNS, fit.nu, fit.mean, fit.scale).sum(), rel=1e-12)
    assert (fit.nu, fit.scale) == pytest.approx((reference[0], reference[2]), rel=1e-3)


def test_given_degrees_of_freedom_are_kept() -> None:
    fit = fit_student_t(RETURNS, nu=8.0)
    assert fit.nu == 8.0
    reference = stats.t.fit(RETURNS, fix_df=8.0)
    assert (fit.mean, fit.scale) == pytest.approx(reference[1:], abs=1e-5)
    assert fit.likelihood >= stats.t.logpdf(RETURNS, *reference).sum()


@pytest.mark.parametrize("nu", [1.5, 3.0, 12.0])
def test_one_period_has_the_quantile_and_mean_tail_of_scipys_t(nu: float) -> None:
    var, es = student_tail(nu, 0.99)
    assert var == pytest.approx(stats.t.ppf(0.99, nu), rel=1e-12)
    mean, _ = integrate.quad(lambda u: stats.t.ppf(1.0 - 0.01 * u, nu), 0.0, 1.0, limit=400)
    assert es == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("nu", [1.5, 2.0, 3.0, 4.5, 20.0, 21.0, 150.0])
def test_inversion_at_one_period_is_the_closed_form(nu: float) -> None:
    assert _sum_tail(nu, 0.975, 1, 20.0) == pytest.approx(student_tail(nu, 0.975), rel=1e-8)


def test_two_periods_are_the_convolution() -> None:
    nu = 5.0
    constant = stats.t.pdf(0.0, nu)

    def survival_of_pair(v: float) -> float:
        def part(y: float) -> float:
            return float(stdtr(nu, y - v)) * constant * (1.0 + y * y / nu) ** (-0.5 * (nu + 1.0))

        return float(integrate.quad(part, -np.inf, np.inf, limit=200)[0])

    assert survival_of_pair(student_tail(nu, 0.99, 2)[0]) == pytest.approx(0.01, rel=1e-8)


def test_ten_periods_are_what_simulation_finds_and_less_than_the_square_root_of_ten() -> None:
    sums = np.sort(np.random.default_rng(11).standard_t(3.0, (200_000, 10)).sum(axis=1))
    var, es = student_tail(3.0, 0.99, 10)
    assert var == pytest.approx(sums[-2000], rel=0.03)
    assert es == pytest.approx(sums[-2000:].mean(), rel=0.05)
    assert var < 0.95 * np.sqrt(10.0) * student_tail(3.0, 0.99)[0]


def test_many_periods_and_many_degrees_of_freedom_are_normal() -> None:
    scale = np.sqrt(250.0 * 200.0 / 198.0)
    assert np.array(student_tail(200.0, 0.99, 250)) / scale == pytest.approx(normal_tail(0.99), rel=1e-4)


def test_the_measure_shifts_by_the_mean_and_scales_the_unit_tail() -> None:
    fit, tail = fit_student_t(RETURNS), student_t(RETURNS, 0.975, 5)
    var, es = student_tail(fit.nu, 0.975, 5)
    assert tail.var == pytest.approx(-5.0 * fit.mean + fit.scale * var, rel=1e-12)
    assert tail.es == pytest.approx(-5.0 * fit.mean + fit.scale * es, rel=1e-12)
    assert tail.observations == 1500


def test_light_tails_are_said_to_be_no_heavier_than_normal() -> None:
    tail = student_t(np.random.default_rng(1).uniform(-0.01, 0.01, 400), 0.95)
    assert "not heavier than normal" in tail.notes[1]


def test_what_has_no_expected_shortfall_is_refused() -> None:
    with pytest.raises(RiskError, match="infinite"):
        student_tail(1.0, 0.99)
    with pytest.raises(RiskError, match="infinite"):
        student_t(np.random.default_rng(1).standard_cauchy(2000), 0.99, nu=0.9)
    with pytest.raises(RiskError, match="not positive"):
        student_t(RETURNS, 0.99, nu=-1.0)
    with pytest.raises(RiskError, match="at least 20"):
        student_t(RETURNS[:19], 0.9)
    with pytest.raises(RiskError, match="sum is normal"):
        student_tail(500.0, 0.99, 10)
