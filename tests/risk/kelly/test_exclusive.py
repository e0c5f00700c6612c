import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.exclusive import exclusive_outcomes
from nt_ray.risk.kelly.scenario import log_optimal
from nt_ray.risk.kelly.single import kelly_fraction


def states(chances: np.ndarray, odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Net gains in each outcome and where none comes, with their probabilities."""
    gains = np.vstack([np.diag(odds) - 1.0, np.full((1, odds.size), -1.0)])
    return gains, np.append(chances, 1.0 - chances.sum())


def test_one_outcome_is_kellys_formula() -> None:
    assert exclusive_outcomes([0.45], [2.5]).fraction == pytest.approx(kelly_fraction(0.45, 2.5), abs=1e-15)


def test_an_outcome_without_edge_of_its_own_enters_as_a_hedge() -> None:
    answer = exclusive_outcomes([0.6, 0.3, 0.1], [2.0, 3.2, 5.0])
    assert 0.3 * 3.2 < 1.0
    assert answer.fractions[1] > 0.0
    assert answer.fractions[2] == 0.0


@given(
    st.lists(st.tuples(st.floats(0.02, 1.0), st.floats(1.2, 12.0)), min_size=2, max_size=6),
    st.floats(0.05, 0.3),
)
def test_the_closed_form_satisfies_the_conditions_of_an_optimum(drawn: list[tuple[float, float]], none: float) -> None:
    raw, odds = np.array(drawn).T
    chances = raw / raw.sum() * (1.0 - none)
    answer = exclusive_outcomes(chances, odds)
    gains, weights = states(chances, odds)
    wealth = 1.0 + gains @ answer.fractions
    assert (answer.fractions >= 0.0).all()
    assert wealth.min() > 0.0
    slope = (weights / wealth) @ gains
    staked = answer.fractions > 1e-12
    assert np.abs(slope[staked]).max(initial=0.0) < 1e-8
    assert slope[~staked].max(initial=-1.0) < 1e-8
    assert answer.growth == pytest.approx(weights @ np.log(wealth), abs=1e-12)


def test_it_agrees_with_the_interior_point() -> None:
    chances, odds = np.array([0.35, 0.25, 0.2, 0.1]), np.array([3.2, 4.1, 4.0, 15.0])
    gains, weights = states(chances, odds)
    closed, solved = exclusive_outcomes(chances, odds), log_optimal(gains, weights)
    assert closed.fractions == pytest.approx(solved.fractions, abs=1e-8)
    assert closed.growth == pytest.approx(solved.growth, abs=1e-12)


def test_favourable_odds_on_every_outcome_stake_all_wealth_by_probability() -> None:
    answer = exclusive_outcomes([0.5, 0.3, 0.2], [2.2, 3.5, 5.2])
    assert answer.fractions == pytest.approx([0.5, 0.3, 0.2], abs=1e-15)
    assert answer.growth == pytest.approx(np.dot([0.5, 0.3, 0.2], np.log([1.1, 1.05, 1.04])), abs=1e-12)
    assert answer.halving == 0.0


def test_bad_events_are_refused() -> None:
    with pytest.raises(RiskError, match=r"sum to 1\.1"):
        exclusive_outcomes([0.6, 0.5], [2.0, 2.0])
    with pytest.raises(RiskError, match="Give one each"):
        exclusive_outcomes([0.6], [2.0, 2.0])
    with pytest.raises(RiskError, match="odds above 1"):
        exclusive_outcomes([0.6], [1.0])
