import cvxpy as cp
import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.exchange import exchange_stakes
from nt_ray.risk.kelly.exchange_market import Market, effective_lay_odds, effective_odds
from nt_ray.risk.kelly.exclusive import exclusive_outcomes
from nt_ray.risk.kelly.single import kelly_fraction


def test_a_lone_back_is_kelly_at_the_odds_after_commission() -> None:
    answer = exchange_stakes([Market(probabilities=(0.6, 0.4), back=(2.0, None), commission=0.05)])
    assert effective_odds(2.0, 0.05) == pytest.approx(1.95)
    assert answer.markets[0].back[0] == pytest.approx(kelly_fraction(0.6, 1.95), abs=1e-9)
    assert answer.residual < 1e-8


def test_a_lone_lay_backs_the_complement_with_its_liability() -> None:
    market = Market(probabilities=(0.2, 0.8), back=(None, None), lay=(4.0, None), commission=0.02)
    answer = exchange_stakes([market])
    liability = kelly_fraction(0.8, effective_lay_odds(4.0, 0.02))
    assert answer.markets[0].lay[0] * 3.0 == pytest.approx(liability, abs=1e-9)


def test_without_commission_backs_alone_are_the_closed_form_of_exclusive_outcomes() -> None:
    chances, odds = (0.4, 0.35, 0.25), (2.9, 2.85, 3.0)
    answer = exchange_stakes([Market(probabilities=chances, back=odds)])
    closed = exclusive_outcomes(chances, odds)
    assert answer.growth == pytest.approx(closed.growth, abs=1e-10)
    wealth = 1.0 - closed.total + closed.fractions * np.array(odds)
    assert 1.0 + answer.markets[0].result == pytest.approx(wealth, abs=1e-7)


def test_backs_and_lays_in_two_markets_agree_with_an_exponential_cone_solver() -> None:
    first = Market(
        probabilities=(0.5, 0.3, 0.2), back=(2.1, 3.3, 4.0), lay=(2.2, 3.6, 4.4), commission=0.05, name="first"
    )
    second = Market(probabilities=(0.35, 0.65), back=(2.5, 1.7), lay=(2.6, 1.75), commission=0.02, name="second")
    answer = exchange_stakes([first, second])
    stakes = [cp.Variable(len(m.offers()), nonneg=True) for m in (first, second)]
    kept = [m.gains() @ s - m.commission * cp.pos(m.gains() @ s) for m, s in zip((first, second), stakes, strict=True)]
    growth = sum(
        p * q * cp.log(1.0 + kept[0][i] + kept[1][j])
        for i, p in enumerate(first.probabilities)
        for j, q in enumerate(second.probabilities)
    )
    problem = cp.Problem(cp.Maximize(growth), [s <= m.largest() for m, s in zip((first, second), stakes, strict=True)])
    problem.solve(cp.CLARABEL)
    assert answer.growth == pytest.approx(problem.value, abs=1e-8)
    assert answer.residual < 1e-8
    assert answer.markets[1].name == "second"


def test_commission_is_due_on_net_winnings_only() -> None:
    market = Market(probabilities=(0.5, 0.5), back=(2.0, 2.0), commission=0.1)
    assert market.kept(np.array([10.0, -4.0])).tolist() == [9.0, -4.0]


def test_of_stakes_with_the_same_results_the_smallest_are_given() -> None:
    # Backing and laying at the same odds changes nothing, so no outcome is both backed and laid.
    market = Market(probabilities=(0.6, 0.4), back=(2.0, 2.0), lay=(2.0, 2.0), commission=0.0)
    stakes = exchange_stakes([market]).markets[0]
    assert stakes.back.sum() + stakes.lay.sum() == pytest.approx(0.2, abs=1e-6)


def test_no_edge_no_stake() -> None:
    answer = exchange_stakes([Market(probabilities=(0.5, 0.5), back=(1.98, 1.98), lay=(2.02, 2.02), commission=0.02)])
    assert answer.markets[0].back.max() < 1e-9
    assert answer.markets[0].lay.max() < 1e-9
    assert answer.growth == pytest.approx(0.0, abs=1e-12)


def test_bad_markets_are_refused() -> None:
    with pytest.raises(RiskError, match=r"Commission 1\.0"):
        Market(probabilities=(0.5, 0.5), back=(2.0, 2.0), commission=1.0)
    with pytest.raises(RiskError, match="probability 0"):
        Market(probabilities=(1.0, 0.0), back=(2.0, 2.0))
    with pytest.raises(RiskError, match="Give one each"):
        Market(probabilities=(0.5, 0.5), back=(2.0,))
    with pytest.raises(RiskError, match="odds above 1"):
        Market(probabilities=(0.5, 0.5), back=(2.0, 0.9))
    with pytest.raises(RiskError, match="most=0"):
        Market(probabilities=(0.5, 0.5), back=(2.0, 2.0), most=0.0)
    with pytest.raises(RiskError, match="0 markets"):
        exchange_stakes([])
    with pytest.raises(RiskError, match="at least one back or lay"):
        exchange_stakes([Market(probabilities=(0.5, 0.5), back=(None, None))])
