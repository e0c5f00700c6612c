import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.bets import Bet, partial_wins, win_or_lose
from nt_ray.risk.kelly.single import at_fraction, best_stake, kelly_fraction, single_bet

CHANCE = st.floats(0.01, 0.99)
ODDS = st.floats(1.05, 50.0)


def test_thorps_coin_with_a_one_percent_edge_stakes_two_percent() -> None:
    # Thorp (2006), section 2: even money, p = 0.51.
    assert kelly_fraction(0.51, 2.0) == pytest.approx(0.02, abs=1e-15)


def test_even_money_growth_is_kellys_information_rate() -> None:
    # Kelly (1956): ln 2 + p ln p + q ln q.
    answer = single_bet(0.6, 2.0)
    assert answer.fraction == pytest.approx(0.2, abs=1e-15)
    assert answer.growth == pytest.approx(math.log(2) + 0.6 * math.log(0.6) + 0.4 * math.log(0.4), abs=1e-15)
    assert answer.residual == 0.0


@given(CHANCE, ODDS)
def test_a_stake_is_never_negative_and_needs_an_edge(probability: float, odds: float) -> None:
    fraction = kelly_fraction(probability, odds)
    assert 0.0 <= fraction <= 1.0
    assert (fraction > 0.0) == (probability * (odds - 1.0) > 1.0 - probability)


@given(CHANCE, ODDS, st.floats(0.0, 0.5))
def test_no_other_stake_grows_faster(probability: float, odds: float, push: float) -> None:
    win = probability * (1.0 - push)
    best = single_bet(win, odds, push=push)
    others = np.linspace(0.0, 0.999, 500)
    growth = win * np.log1p((odds - 1.0) * others) + (1.0 - win - push) * np.log1p(-others)
    assert growth.max() <= best.growth + 1e-12


@given(CHANCE, ODDS, st.floats(0.0, 0.5))
def test_the_root_agrees_with_the_closed_form(probability: float, odds: float, push: float) -> None:
    win = probability * (1.0 - push)
    found = best_stake(win_or_lose(win, odds, push=push))
    assert found.fraction == pytest.approx(kelly_fraction(win, odds, push=push), abs=1e-9)


def test_a_quarter_line_stakes_what_a_fine_grid_says() -> None:
    bet = partial_wins(1.95, win=0.45, half_win=0.12, push=0.0, half_loss=0.08)
    answer = best_stake(bet)
    grid = np.linspace(0.0, 0.9, 900_001)
    growth = sum(p * np.log1p(grid * x) for x, p in zip(bet.gains, bet.probabilities, strict=True))
    assert answer.fraction == pytest.approx(grid[np.argmax(growth)], abs=2e-6)
    assert answer.growth == pytest.approx(growth.max(), abs=1e-12)


def test_a_bet_that_loses_at_most_half_may_take_the_whole_wealth() -> None:
    answer = best_stake(Bet((1.0, -0.5), (0.7, 0.3)))
    assert answer.fraction == 1.0
    assert answer.notes == ("the whole wealth is staked",)


def test_kelly_halves_with_probability_one_half_at_most() -> None:
    # For the growth-optimal stake E[1/w] = 1, so the exponent is one.
    assert single_bet(0.6, 2.0).halving == pytest.approx(0.5, abs=1e-9)
    assert single_bet(0.4, 2.0).halving == 0.0
    assert at_fraction(win_or_lose(0.6, 2.0), 0.5).halving == 1.0


def test_bad_bets_are_refused_by_value_and_remedy() -> None:
    for odds in (1.0, 0.5, -2.0, float("nan"), float("inf")):
        with pytest.raises(RiskError, match=r"no more than the stake. Give odds above 1"):
            kelly_fraction(0.5, odds)
    for probability in (-0.1, 1.1, float("nan")):
        with pytest.raises(RiskError, match=r"does not lie between 0 and 1"):
            kelly_fraction(probability, 2.0)
    with pytest.raises(RiskError, match=r"sum to more than 1"):
        kelly_fraction(0.7, 2.0, push=0.4)
    with pytest.raises(RiskError, match=r"sum to more than 1"):
        partial_wins(2.0, win=0.7, half_win=0.4)
    with pytest.raises(RiskError, match=r"none below -1"):
        Bet((1.0, -1.5), (0.5, 0.5))
    with pytest.raises(RiskError, match=r"sum to 0.9"):
        Bet((1.0, -1.0), (0.5, 0.4))
    with pytest.raises(RiskError, match=r"Stake 1.5"):
        at_fraction(win_or_lose(0.6, 2.0), 1.5)
