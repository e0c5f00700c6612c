import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.risk.kelly.continuous import constrained_kelly, continuous_growth, continuous_kelly, continuous_stake
from nt_ray.risk.kelly.ruin import fall_probability, growth_share

MU = np.array([0.05, 0.10, 0.02, 0.08])
SIGMA = np.array(
    [
        [0.040, 0.010, 0.004, 0.012],
        [0.010, 0.090, 0.006, 0.020],
        [0.004, 0.006, 0.010, 0.002],
        [0.012, 0.020, 0.002, 0.060],
    ]
)


def test_thorps_formulas_for_an_index_and_treasury_bills() -> None:
    # Thorp (2006), section 7.1: f = (m - r) / s^2 and g = r + (m - r)^2 / (2 s^2), here m = .11, s = .15, r = .06.
    answer = continuous_kelly([0.11], [[0.15**2]], rate=0.06)
    assert answer.fraction == pytest.approx(0.05 / 0.0225, rel=1e-12)
    assert answer.growth == pytest.approx(0.06 + 0.05**2 / (2 * 0.0225), rel=1e-12)
    assert continuous_growth(np.array([1.0]), np.array([0.05]), np.array([[0.0225]]), 0.06) == pytest.approx(0.09875)


def test_many_assets_are_the_inverse_times_the_excess() -> None:
    answer = continuous_kelly(MU, SIGMA, rate=0.02)
    excess = MU - 0.02
    assert answer.fractions == pytest.approx(np.linalg.inv(SIGMA) @ excess, rel=1e-12)
    assert answer.growth == pytest.approx(0.02 + excess @ np.linalg.inv(SIGMA) @ excess / 2, rel=1e-12)
    assert answer.halving == pytest.approx(0.5, abs=1e-12)
    assert answer.residual < 1e-14


def test_a_share_of_kelly_follows_its_own_laws() -> None:
    full, half = continuous_kelly(MU, SIGMA), continuous_kelly(MU, SIGMA, share=0.5)
    assert half.growth == pytest.approx(growth_share(0.5) * full.growth, rel=1e-12)
    assert half.halving == pytest.approx(fall_probability(0.5, 0.5), rel=1e-10)


def test_weights_of_ones_own_are_judged_by_the_same_laws() -> None:
    full = continuous_kelly(MU, SIGMA, rate=0.02)
    half = continuous_stake(0.5 * full.fractions, MU, SIGMA, rate=0.02)
    assert half.growth - 0.02 == pytest.approx(growth_share(0.5) * (full.growth - 0.02), rel=1e-12)
    assert half.halving == pytest.approx(fall_probability(0.5, 0.5), rel=1e-10)
    with pytest.raises(RiskError, match="4 assets"):
        continuous_stake([1.0], MU, SIGMA)


def test_slack_constraints_give_the_free_answer() -> None:
    loose = constrained_kelly(MU, SIGMA, Constraints(lower=-50.0, upper=50.0, budget=None), rate=0.02)
    assert loose.fractions == pytest.approx(continuous_kelly(MU, SIGMA, rate=0.02).fractions, rel=1e-8)


def test_constrained_weights_satisfy_the_conditions_of_an_optimum() -> None:
    answer = constrained_kelly(MU, SIGMA, Constraints(lower=0.0, upper=0.6, budget=1.0), rate=0.02)
    assert answer.total == pytest.approx(1.0, abs=1e-9)
    slope = MU - 0.02 - SIGMA @ answer.fractions
    inside = (answer.fractions > 1e-9) & (answer.fractions < 0.6 - 1e-9)
    price = slope[inside].mean()
    assert np.abs(slope[inside] - price).max() < 1e-8
    assert (slope[answer.fractions <= 1e-9] <= price + 1e-8).all()
    assert (slope[answer.fractions >= 0.6 - 1e-9] >= price - 1e-8).all()
    assert answer.residual < 1e-8


def test_a_singular_covariance_and_misfits_are_refused() -> None:
    with pytest.raises(RiskError, match="singular"):
        continuous_kelly([0.1, 0.2], [[0.04, 0.04], [0.04, 0.04]])
    with pytest.raises(RiskError, match="not positive semi-definite"):
        continuous_kelly([0.1, 0.2], [[0.04, 0.05], [0.05, 0.04]])
    with pytest.raises(RiskError, match="do not fit 2 assets"):
        continuous_kelly([0.1], SIGMA[:2, :2])
    with pytest.raises(RiskError, match="is not positive"):
        continuous_kelly(MU, SIGMA, share=0.0)
    with pytest.raises(InfeasibleError):
        constrained_kelly(MU, SIGMA, Constraints(lower=0.0, upper=0.1, budget=1.0))
