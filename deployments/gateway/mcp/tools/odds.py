"""Tools about odds that the caller gives: what several bookmakers keep, what can be won for certain, what is expected.

Nothing is fetched: the platform has no source of odds, and these tools say of given ones what follows from them.
"""

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Input, Money, Output, Share
from deployments.gateway.mcp.tool import Tool, tool
from nt_ray.access.roles import Scope
from nt_ray.errors import RiskError
from nt_ray.risk.kelly.bets import win_or_lose
from nt_ray.risk.kelly.simultaneous import joint_outcomes, simultaneous_bets
from nt_ray.risk.kelly.summary import scenario_summary

CENT = Decimal("0.01")
MOST_BETS = 10
"""Bets settled together whose joint outcomes are all gone through."""

Price: TypeAlias = Annotated[float, Field(gt=1.0, le=1_000_000.0)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Amount: TypeAlias = Annotated[Decimal, Field(gt=0, le=1_000_000_000_000, allow_inf_nan=False)]


class Books(Input):
    """Decimal odds of all outcomes of one event, by bookmaker, in the same order of outcomes."""

    bookmakers: dict[Name, Annotated[tuple[Price, ...], Field(min_length=2, max_length=50)]] = Field(
        min_length=1, max_length=50
    )


class Margin(Output):
    """What one bookmaker keeps."""

    bookmaker: str
    margin: Figure = Field(description="Sum of 1 over the odds, less 1.")
    fair: tuple[float, ...] = Field(description="Probabilities that the odds imply, scaled to sum to 1.")


class Margins(Output):
    """Bookmakers from the smallest margin to the largest."""

    margins: tuple[Margin, ...]
    best_odds: tuple[float, ...] = Field(description="Of each outcome, at whoever pays most.")
    best_at: tuple[str, ...]
    margin_of_best: Figure = Field(description="Below 0 where the best odds together leave a certain profit.")


def compare(call: Call, asked: Books) -> Margins:
    """Compare the margins of bookmakers by the odds that they are given with, and name the best of each outcome."""
    del call
    names, table = _table(asked)
    rows = []
    for name, odds in zip(names, table, strict=True):
        implied = 1.0 / odds
        total = float(implied.sum())
        rows.append(Margin(bookmaker=name, margin=total - 1.0, fair=tuple((implied / total).tolist())))
    best = table.argmax(axis=0)
    odds = table.max(axis=0)
    return Margins(
        margins=tuple(sorted(rows, key=lambda row: row.margin or 0.0)),
        best_odds=tuple(odds.tolist()),
        best_at=tuple(names[at] for at in best),
        margin_of_best=float((1.0 / odds).sum()) - 1.0,
    )


class Certain(Books):
    """What profit is worth it, and how much is to be staked in all."""

    stake: Amount = Decimal(100)
    min_profit_margin: Share = Field(0.01, description="Of the stake.")


class Leg(Output):
    """One of the bets."""

    outcome: int = Field(description="Place in the order of outcomes, from 0.")
    bookmaker: str
    odds: float
    stake: Money = Field(description="Rounded down to the cent.")


class Arbitrage(Output):
    """Stakes that win whatever happens; none where the odds leave no such profit."""

    found: bool
    margin: Figure = Field(description="Certain profit of the best odds, as a share of the stake, before rounding.")
    legs: tuple[Leg, ...]
    staked: Money
    profit: Money = Field(description="Least that is won, after rounding.")


def certain(call: Call, asked: Certain) -> Arbitrage:
    """Find stakes at several bookmakers that win whatever happens, by the odds that they are given with."""
    del call
    names, table = _table(asked)
    at, odds = table.argmax(axis=0), table.max(axis=0)
    total = float((1.0 / odds).sum())
    margin = 1.0 / total - 1.0
    if margin <= 0.0 or margin < asked.min_profit_margin:
        return Arbitrage(found=False, margin=margin, legs=(), staked=Decimal(0), profit=Decimal(0))
    shares = [Decimal(f"{share:.12f}") for share in (1.0 / odds / total).tolist()]
    stakes = [(asked.stake * share).quantize(CENT, ROUND_DOWN) for share in shares]
    pays = min(stake * Decimal(repr(price)) for stake, price in zip(stakes, odds.tolist(), strict=True))
    profit = pays.quantize(CENT, ROUND_DOWN) - sum(stakes, Decimal(0))
    legs = tuple(
        Leg(outcome=k, bookmaker=names[at[k]], odds=float(odds[k]), stake=stake) for k, stake in enumerate(stakes)
    )
    # A stake so small that rounding eats the profit wins nothing.
    return Arbitrage(found=profit > 0, margin=margin, legs=legs, staked=sum(stakes, Decimal(0)), profit=profit)


def _table(asked: Books) -> tuple[list[str], np.ndarray]:
    sizes = {len(odds) for odds in asked.bookmakers.values()}
    if len(sizes) > 1:
        raise RiskError(f"Bookmakers give {sorted(sizes)} odds. Give each the same outcomes, in the same order.")
    return list(asked.bookmakers), np.array(list(asked.bookmakers.values()), dtype=np.float64)


class Contract(Input):
    """A contract that pays 1 if something happens, its price, and how likely the caller thinks it."""

    price: float = Field(ge=0.0001, le=0.9999)
    probability: float = Field(gt=0.0, lt=1.0)
    investment_amount: Amount
    confidence_adjustment: Share = Field(1.0, description="1 trusts the probability, 0 the price; between, in part.")
    fee: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the gain that is kept where it is won.")


class ExpectedValue(Output):
    """What the money may bring."""

    probability: Figure = Field(description="After the adjustment.")
    contracts: Figure
    gain_if_right: Money = Field(description="After the fee.")
    expected_value: Money
    expected_return: Figure = Field(description="Of the investment.")
    break_even_probability: Figure


@tool(
    Category.PREDICTION,
    Scope.RISK_READ,
    {"price": 0.4, "probability": 0.5, "investment_amount": 100, "confidence_adjustment": 0.5, "fee": 0.02},
)
def calculate_expected_value_tool(call: Call, asked: Contract) -> ExpectedValue:
    """Compute what money in a contract that pays 1 or nothing is expected to bring, from a given price and chance."""
    del call
    chance = asked.confidence_adjustment * asked.probability + (1.0 - asked.confidence_adjustment) * asked.price
    gain = (1.0 / asked.price - 1.0) * (1.0 - asked.fee)
    expected = chance * gain - (1.0 - chance)
    return ExpectedValue(
        probability=chance,
        contracts=float(asked.investment_amount) / asked.price,
        gain_if_right=_money(asked.investment_amount, gain),
        expected_value=_money(asked.investment_amount, expected),
        expected_return=expected,
        break_even_probability=1.0 / (1.0 + gain),
    )


class Opportunity(Input):
    """A bet that may be placed."""

    name: Name
    probability: float = Field(gt=0.0, lt=1.0, description="Of winning.")
    odds: Price


class Allocate(Input):
    """Independent bets that are settled together, and the money they share."""

    opportunities: tuple[Opportunity, ...] = Field(min_length=1, max_length=MOST_BETS)
    bankroll: Amount
    shares: tuple[Annotated[float, Field(gt=0.0, le=1.0)], ...] = Field(
        (1.0, 0.5, 0.25), min_length=1, max_length=10, description="Shares of the Kelly stakes that are compared."
    )


class Allocation(Output):
    """One share of the Kelly stakes."""

    share: float
    stakes: dict[str, Money] = Field(description="By bet, rounded down to the cent.")
    expected_profit: Money
    growth: Figure = Field(description="Expected logarithmic growth; null where all may be lost.")
    risk_of_halving: Figure


class Allocations(Output):
    """What money does under each share; nothing is placed."""

    allocations: tuple[Allocation, ...]


@tool(
    Category.SYNDICATE,
    Scope.RISK_READ,
    {
        "opportunities": [
            {"name": "home", "probability": 0.55, "odds": 2.0},
            {"name": "over", "probability": 0.4, "odds": 2.8},
        ],
        "bankroll": 1000,
    },
)
def simulate_syndicate_allocation(call: Call, asked: Allocate) -> Allocations:
    """Spread money over given independent bets by Kelly's criterion, at several shares of it; nothing is placed."""
    del call
    if len({bet.name for bet in asked.opportunities}) < len(asked.opportunities):
        raise RiskError("Two opportunities have one name. Give each its own.")
    bets = [win_or_lose(bet.probability, bet.odds, name=bet.name) for bet in asked.opportunities]
    gains, chances = joint_outcomes(bets)
    full = simultaneous_bets(bets)
    found = scenario_summary(full, gains, chances, shares=asked.shares)
    edges = np.array([bet.probability * bet.odds - 1.0 for bet in asked.opportunities])
    rows = []
    for share, row in zip(asked.shares, found.shares, strict=True):
        stakes = {
            bet.name: _money(asked.bankroll, max(fraction, 0.0))
            for bet, fraction in zip(asked.opportunities, row.fractions.tolist(), strict=True)
        }
        rows.append(
            Allocation(
                share=share,
                stakes=stakes,
                expected_profit=_money(asked.bankroll, float(row.fractions @ edges)),
                growth=row.growth,
                risk_of_halving=row.halving,
            )
        )
    return Allocations(allocations=tuple(rows))


def _money(amount: Decimal, share: float) -> Decimal:
    # Twelve decimals: what is beyond them is the rounding of floats, and would cost a cent.
    return (amount * Decimal(f"{share:.12f}")).quantize(CENT, ROUND_DOWN)


_ODDS = {"bookmakers": {"east": [2.1, 1.8], "west": [1.9, 2.05]}}


def _named(name: str, category: Category, *, arbitrage: bool) -> Tool:
    """Both the sports tools and those of odds ask this, under names of their own."""
    return replace(tool(category, Scope.RISK_READ, _ODDS)(certain if arbitrage else compare), name=name)


TOOLS = (
    _named("odds_api_compare_margins", Category.ODDS, arbitrage=False),
    _named("compare_betting_providers", Category.SPORTS, arbitrage=False),
    _named("odds_api_find_arbitrage", Category.ODDS, arbitrage=True),
    _named("find_sports_arbitrage", Category.SPORTS, arbitrage=True),
    calculate_expected_value_tool,
    simulate_syndicate_allocation,
)
