import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nt_ray.errors import RiskError
from nt_ray.risk.measures.cornish_fisher import (
    DomainError,
    check_domain,
    cornish_fisher,
    expansion,
    expansion_moments,
    expansion_tail,
    shape_of,
    solve_parameters,
)
from nt_ray.risk.measures.historical import historical
from nt_ray.risk.measures.normal import normal, normal_tail

HEAVY = np.random.default_rng(3).standard_t(6, 2000) * 0.01
FLAT = np.random.default_rng(3).uniform(-0.02, 0.02, 500)


def test_moments_agree_with_the_polynomials_maillard_prints() -> None:
    # Maillard (2012): variance 1 + k^2/96 + 25 s^4/1296 - k s^2/36; at s = 0 the fourth moment is
    # 3 + k + 7 k^2/16 + 3 k^3/32 + 31 k^4/3072.
    s, k = -0.5, 2.0
    assert expansion_moments(s, k)[0] ** 2 == pytest.approx(1 + k**2 / 96 + 25 * s**4 / 1296 - k * s**2 / 36, rel=1e-14)
    fourth = 3 + k + 7 * k**2 / 16 + 3 * k**3 / 32 + 31 * k**4 / 3072
    assert expansion_moments(0.0, k)[2] == pytest.approx(fourth / (1 + k**2 / 96) ** 2 - 3.0, rel=1e-13)


@settings(max_examples=40)
@given(st.floats(-1.0, 1.0), st.floats(0.0, 1.0))
def test_solving_inverts_the_map_of_moments(s: float, share: float) -> None:
    # From the lower to the upper bound of the domain: 4 a c = b^2 at k/8 = (1 + 11 s^2/36 -+ root) / 2.
    middle, root = 0.5 + 11 * s * s / 72, 0.5 * np.sqrt(max(0.0, 1 - s * s / 2 + s**4 / 48))
    k = 8.0 * (middle + (2.0 * share - 1.0) * 0.8 * root)
    try:
        check_domain(s, k)
    except DomainError:
        return
    _, skew, kurtosis = expansion_moments(s, k)
    assert solve_parameters(skew, kurtosis) == pytest.approx((s, k), abs=1e-5)


@pytest.mark.parametrize("skew", [0.0, 3.1749964346879357e-17])
def test_a_shape_that_long_steps_miss_is_reached_by_shorter_ones(skew: float) -> None:
    kurtosis = 32.23443594889644
    s, k = solve_parameters(skew, kurtosis)
    check_domain(s, k)
    assert expansion_moments(s, k)[1:] == pytest.approx((skew, kurtosis), abs=1e-8)


@settings(max_examples=60)
@given(st.floats(-3.0, 3.0), st.floats(-1.0, 9.0))
def test_the_domain_is_where_the_quantile_function_rises(s: float, k: float) -> None:
    bends = (k / 8 - s * s / 6, s / 3, 1 - k / 8 + 5 * s * s / 36)
    z = np.concatenate((np.linspace(-60.0, 60.0, 24_001), [-1e7, 1e7]))
    lowest = np.min(np.polyval(bends, z))
    if abs(bends[0]) < 1e-6 or abs(lowest) < 1e-4:
        return
    if lowest > 0.0:
        check_domain(s, k)
    else:
        with pytest.raises(DomainError):
            check_domain(s, k)


@pytest.mark.parametrize(("s", "k"), [(0.0, 0.0), (-0.4, 2.0), (0.6, 3.0)])
def test_shortfall_is_the_mean_of_the_quantiles_below(s: float, k: float) -> None:
    var, es = expansion_tail(s, k, 0.99)
    assert var == pytest.approx(-float(expansion(np.array(stats.norm.ppf(0.01)), s, k)), rel=1e-12)
    mean, _ = integrate.quad(
        lambda z: -float(expansion(np.array(z), s, k)) * stats.norm.pdf(z), -12.0, stats.norm.ppf(0.01)
    )
    assert es == pytest.approx(mean / 0.01, rel=1e-9)


def test_without_skewness_and_kurtosis_it_is_the_normal() -> None:
    assert expansion_tail(0.0, 0.0, 0.975) == pytest.approx(normal_tail(0.975), rel=1e-12)


def test_the_corrected_expansion_has_the_samples_own_moments() -> None:
    tail = cornish_fisher(HEAVY, 0.99, 4)
    skew, kurtosis = shape_of(HEAVY)
    s, k = solve_parameters(skew / 2.0, kurtosis / 4.0)
    deviation, got_skew, got_kurtosis = expansion_moments(s, k)
    assert (got_skew, got_kurtosis) == pytest.approx((stats.skew(HEAVY) / 2.0, stats.kurtosis(HEAVY) / 4.0), rel=1e-6)
    w = float(expansion(np.array(stats.norm.ppf(0.01)), s, k)) / deviation
    assert tail.var == pytest.approx(-(4.0 * HEAVY.mean() + 2.0 * HEAVY.std(ddof=1) * w), rel=1e-9)


def test_the_common_form_differs_and_says_so() -> None:
    corrected, common = cornish_fisher(HEAVY, 0.99), cornish_fisher(HEAVY, 0.99, corrected=False)
    skew, kurtosis = shape_of(HEAVY)
    w = float(expansion(np.array(stats.norm.ppf(0.01)), skew, kurtosis))
    assert common.var == pytest.approx(-(HEAVY.mean() + HEAVY.std(ddof=1) * w), rel=1e-12)
    assert corrected.var < common.var
    assert "taken as" in common.notes[0]
    assert "solved from" in corrected.notes[0]


def test_over_many_periods_it_nears_the_normal() -> None:
    far = cornish_fisher(HEAVY, 0.99, 2000)
    assert far.var == pytest.approx(normal(HEAVY, 0.99, 2000).var, rel=2e-3)


def test_outside_the_domain_it_refuses_or_answers_by_history_and_says_so() -> None:
    with pytest.raises(DomainError, match="No Cornish-Fisher expansion"):
        cornish_fisher(FLAT, 0.99)
    with pytest.raises(DomainError, match="no distribution"):
        check_domain(-0.5, 0.1)
    tail = cornish_fisher(FLAT, 0.99, outside="historical")
    plain = historical(FLAT, 0.99)
    assert (tail.var, tail.es, tail.method) == (plain.var, plain.es, "historical")
    assert "in place of Cornish-Fisher" in tail.notes[0]
    with pytest.raises(DomainError, match="No Cornish-Fisher expansion"):
        solve_parameters(0.0, -2.5)
    with pytest.raises(RiskError, match="'refuse' or 'historical'"):
        cornish_fisher(HEAVY, 0.99, outside="normal")
