"""Odds, contracts and shared money, against arithmetic by hand and by exhaustion."""

from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.catalogue import TOOLS

ODDS = {"bookmakers": {"east": [2.1, 1.8], "west": [1.9, 2.05]}}


def run(name: str, asked: dict[str, Any]) -> Any:
    tool = TOOLS[name]
    return tool.run(Call(None, None), tool.read(asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["odds_api_compare_margins", "compare_betting_providers"])
def test_margins_are_what_the_odds_keep(name: str) -> None:
    told = run(name, ODDS)
    assert [row.bookmaker for row in told.margins] == ["west", "east"]
    assert told.margins[0].margin == pytest.approx(1 / 1.9 + 1 / 2.05 - 1)
    assert sum(told.margins[1].fair) == pytest.approx(1)
    assert (told.best_odds, told.best_at) == ((2.1, 2.05), ("east", "west"))
    assert told.margin_of_best == pytest.approx(1 / 2.1 + 1 / 2.05 - 1)


LADDERS = {
    "home": {"back": [{"odds": 2.0, "size": 300}, {"odds": 2.1, "size": 50}], "lay": [{"odds": 2.5, "size": "12.34"}]},
    "away": {"back": [{"odds": 1.8, "size": 10}], "lay": []},
}


def test_the_depth_of_a_market_is_what_a_stake_is_matched_at() -> None:
    told = run("analyze_betting_market_depth", {"outcomes": LADDERS, "stake": 100, "commission": 0.05})
    home, away = told.outcomes
    # 50 at 2.1, the other 50 at 2.0.
    assert (home.back.best_odds, home.back.average_odds, home.back.worst_odds) == (2.1, pytest.approx(2.05), 2.0)
    assert (home.back.matched, home.back.size, home.back.levels) == (100, 350, 2)
    assert (home.lay.matched, home.lay.average_odds, home.lay.worst_odds) == (Decimal("12.34"), 2.5, 2.5)
    assert home.back.after_commission == pytest.approx(1 + 1.1 * 0.95)
    assert home.lay.after_commission == pytest.approx(1 + 0.95 / 1.5)
    assert (home.spread, home.probability) == (pytest.approx(0.4), pytest.approx((1 / 2.1 + 1 / 2.5) / 2))
    assert home.imbalance == pytest.approx((350 - 12.34) / (350 + 12.34))
    assert (away.lay.best_odds, away.lay.matched, away.lay.average_odds, away.spread) == (None, 0, None, None)
    assert told.overround_back == pytest.approx(1 / 2.1 + 1 / 1.8 - 1)
    assert told.overround_lay is None


LEVELS = st.lists(
    st.fixed_dictionaries({
        "odds": st.floats(1.05, 50.0).map(lambda price: round(price, 2)),
        "size": st.decimals("0.01", "1000", places=2).map(str),
    }),
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(back=LEVELS, lay=LEVELS, stake=st.decimals("0.01", "2000", places=2))
def test_a_stake_is_matched_cent_by_cent_at_the_best_odds_that_are_left(back: Any, lay: Any, stake: Decimal) -> None:
    asked = {"outcomes": {"home": {"back": back, "lay": lay}}, "stake": str(stake)}
    [told] = run("analyze_betting_market_depth", asked).outcomes
    for levels, side, best_first in ((back, told.back, -1), (lay, told.lay, 1)):
        # Every cent by itself, at odds in order.
        cents = np.repeat(
            [level["odds"] for level in levels], [int(Decimal(level["size"]) * 100) for level in levels]
        )  # fmt: skip
        taken = np.sort(cents * best_first)[: int(stake * 100)] * best_first
        assert side.matched == Decimal(len(taken)) / 100
        if len(taken):
            assert side.average_odds == pytest.approx(taken.mean())
            assert (side.best_odds, side.worst_odds) == (taken[0], taken[-1])


PRICES = st.floats(1.05, 8.0).map(lambda price: round(price, 2))
BOOKS = st.integers(2, 4).flatmap(
    lambda n: st.dictionaries(st.sampled_from("abc"), st.lists(PRICES, min_size=n, max_size=n), min_size=1)
)


@settings(max_examples=60, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(bookmakers=BOOKS, stake=st.decimals("0.01", "10000", places=2))
def test_a_profit_that_is_called_certain_is_made_whatever_happens(
    bookmakers: dict[str, list[float]], stake: Decimal
) -> None:
    told = run("odds_api_find_arbitrage", {"bookmakers": bookmakers, "stake": str(stake), "min_profit_margin": 0.0})
    best = [max(odds) for odds in zip(*bookmakers.values(), strict=True)]
    assert told.margin == pytest.approx(1 / sum(1 / price for price in best) - 1)
    if not told.found:
        assert told.margin <= 0 or told.profit <= 0
        return
    assert told.staked == sum(leg.stake for leg in told.legs) <= stake
    for leg in told.legs:
        assert leg.odds == best[leg.outcome] == bookmakers[leg.bookmaker][leg.outcome]
        assert leg.stake * Decimal(str(leg.odds)) - told.staked >= told.profit > 0


def test_odds_of_different_events_are_refused(desk: Any) -> None:
    wrong = {"bookmakers": {"east": [2.1, 1.8], "west": [1.9, 2.05, 3.0]}}
    assert desk.problem("find_sports_arbitrage", wrong)["code"] == "risk"


def test_an_expected_value_is_that_of_both_outcomes() -> None:
    asked = {"price": 0.4, "probability": 0.6, "investment_amount": 100, "confidence_adjustment": 0.5, "fee": 0.1}
    told = run("calculate_expected_value_tool", asked)
    # 250 contracts; half way between 0.4 and 0.6; a gain of 150 less a tenth, or the loss of 100.
    assert (told.contracts, told.probability) == (pytest.approx(250), pytest.approx(0.5))
    assert (told.gain_if_right, told.expected_value) == (Decimal("135.00"), Decimal("17.50"))
    assert told.break_even_probability * 135 == pytest.approx((1 - told.break_even_probability) * 100)
    fair = run("calculate_expected_value_tool", {**asked, "confidence_adjustment": 0.0, "fee": 0.0})
    assert fair.expected_value == 0


def test_shared_money_grows_fastest_at_the_kelly_stakes() -> None:
    bets = [{"name": "home", "probability": 0.55, "odds": 2.0}, {"name": "over", "probability": 0.4, "odds": 2.8}]
    told = run("simulate_syndicate_allocation", {"opportunities": bets, "bankroll": 10_000, "shares": [1.0, 0.5]})

    def growth(stakes: list[float]) -> float:
        total = 0.0
        for wins in product((True, False), repeat=2):
            chance = np.prod([b["probability"] if w else 1 - b["probability"] for b, w in zip(bets, wins, strict=True)])
            gains = (b["odds"] - 1 if w else -1 for b, w in zip(bets, wins, strict=True))
            total += chance * np.log(1 + sum(s * g for s, g in zip(stakes, gains, strict=True)))
        return float(total)

    full, half = told.allocations
    stakes = [float(full.stakes[b["name"]]) / 10_000 for b in bets]
    assert growth(stakes) == pytest.approx(full.growth, abs=1e-7)
    for move in product((-0.01, 0.0, 0.01), repeat=2):
        assert growth([s + m for s, m in zip(stakes, move, strict=True)]) <= full.growth + 1e-9
    assert float(half.stakes["home"]) == pytest.approx(float(full.stakes["home"]) / 2, abs=0.01)
    edges = {"home": 0.1, "over": 0.12}
    expected = sum(float(full.stakes[name]) * edge for name, edge in edges.items())
    assert float(full.expected_profit) == pytest.approx(expected, abs=0.02)
