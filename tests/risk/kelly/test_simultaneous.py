from itertools import product

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.bets import partial_wins, win_or_lose
from nt_ray.risk.kelly.simultaneous import drawn_outcomes, joint_outcomes, simultaneous_bets
from nt_ray.risk.kelly.single import kelly_fraction


def test_joint_outcomes_are_the_product_of_all() -> None:
    bets = [win_or_lose(0.6, 2.0), partial_wins(1.9, win=0.5, half_win=0.1)]
    gains, chances = joint_outcomes(bets)
    expected = {
        (x, y): p * q for (x, p), (y, q) in product(*(zip(bet.gains, bet.probabilities, strict=True) for bet in bets))
    }
    assert len(gains) == 10
    assert chances.sum() == pytest.approx(1.0, abs=1e-15)
    for row, chance in zip(gains, chances, strict=True):
        assert chance == pytest.approx(expected[tuple(row)], abs=1e-15)


def test_two_equal_even_money_bets_have_a_closed_form() -> None:
    # First order with f on each: p^2 / (1 + 2f) = q^2 / (1 - 2f), the mixed outcomes cancel.
    p, q = 0.6, 0.4
    stake = (p * p - q * q) / (p * p + q * q) / 2.0
    answer = simultaneous_bets([win_or_lose(p, 2.0)] * 2)
    assert answer.fractions == pytest.approx([stake, stake], abs=1e-9)
    assert stake < kelly_fraction(p, 2.0)


def test_three_bets_agree_with_a_brute_force_grid() -> None:
    bets = [win_or_lose(0.55, 2.1), win_or_lose(0.3, 4.0), win_or_lose(0.7, 1.6)]
    answer = simultaneous_bets(bets)
    gains, chances = joint_outcomes(bets)
    grid = np.array(list(product(np.linspace(0.0, 0.3, 61), repeat=3)))
    growth = chances @ np.log1p(gains @ grid.T)
    assert answer.growth >= growth.max() - 1e-12
    assert answer.fractions == pytest.approx(grid[np.argmax(growth)], abs=0.006)


def test_joint_stakes_grow_faster_than_each_bet_staked_as_if_alone() -> None:
    bets = [win_or_lose(0.6, 2.0)] * 6
    answer = simultaneous_bets(bets)
    gains, chances = joint_outcomes(bets)
    alone = np.full(6, kelly_fraction(0.6, 2.0))
    # Six stakes of a fifth are more than the whole wealth: ruin where all lose.
    assert (1.0 + gains @ alone).min() < 0.0
    assert answer.total < 1.0
    assert answer.growth > chances @ np.log1p(gains @ (alone * 0.9 / alone.sum()))
    assert answer.residual < 1e-9


def test_a_slate_beyond_enumeration_is_sampled_and_says_so() -> None:
    bets = [win_or_lose(0.55, 2.0)] * 16
    answer = simultaneous_bets(bets, scenarios=20_000, seed=4)
    assert answer.method == "interior_point_sampled"
    assert "20000 scenarios drawn with seed 4" in answer.notes[0]
    exact = simultaneous_bets(bets[:10])
    assert answer.fractions.mean() < exact.fractions.mean()
    assert answer.fractions.std() < 0.02
    assert answer.total <= 1.0 + 1e-9


def test_draws_have_the_bets_own_probabilities_and_do_not_depend_on_their_neighbours() -> None:
    bets = [win_or_lose(0.3, 3.0, push=0.1), win_or_lose(0.8, 1.2)]
    drawn = drawn_outcomes(bets, 50_000, seed=1)
    assert np.mean(drawn[:, 0] == 2.0) == pytest.approx(0.3, abs=0.01)
    assert np.mean(drawn[:, 0] == 0.0) == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(drawn[:, :1], drawn_outcomes(bets[:1], 50_000, seed=1))


def test_an_empty_slate_is_refused() -> None:
    with pytest.raises(RiskError, match="0 bets"):
        simultaneous_bets([])
    with pytest.raises(RiskError, match="1 scenarios"):
        drawn_outcomes([win_or_lose(0.5, 2.0)], 1, seed=0)


def test_fifteen_bets_that_nearly_ruin_together_are_still_solved_to_the_last_digit() -> None:
    answer = simultaneous_bets([win_or_lose(0.55, 2.0)] * 15)
    assert answer.method == "interior_point_exact"
    assert answer.fractions.max() - answer.fractions.min() < 1e-9
    assert 0.999 < answer.total < 1.0
    assert answer.residual < 1e-10
