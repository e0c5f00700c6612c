"""Tools about a bet whose odds and chances the caller gives: probability, stake, and where many such stakes lead."""

from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Input, Money, Output, Share
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.errors import RiskError
from nt_ray.philox import generator
from nt_ray.risk.kelly.summary import kelly_summary

CENT = Decimal("0.01")
BETTING = 7_301
"""Stream of random numbers of these simulations."""


class Kelly(Input):
    """A bet at decimal odds."""

    probability: float = Field(gt=0.0, lt=1.0, description="Of winning.")
    odds: float = Field(gt=1.0, le=10_000.0, description="Decimal: 2.5 pays 2.5 for a stake of 1.")
    bankroll: Decimal = Field(gt=0, le=1_000_000_000_000, allow_inf_nan=False)
    confidence: float = Field(1.0, gt=0.0, le=1.0, description="Share of the Kelly stake that is taken.")


class KellyStake(Output):
    """The stake, and what it leads to if the probability is true."""

    kelly_fraction: Figure = Field(description="Full Kelly, of the bankroll; 0 without an edge.")
    recommended_fraction: Figure
    recommended_stake: Money = Field(description="Rounded down to the cent.")
    edge: Figure = Field(description="Expected gain of one unit of stake.")
    expected_value: Money = Field(description="Expected gain of the recommended stake.")
    growth: Figure = Field(description="Expected logarithmic growth a bet; null where a bet can ruin.")
    risk_of_halving: Figure = Field(description="Bound of the chance ever to fall to half, staking so for ever.")


@tool(Category.SPORTS, Scope.RISK_READ, {"probability": 0.55, "odds": 2.0, "bankroll": 1000, "confidence": 0.5})
def calculate_kelly_criterion(call: Call, asked: Kelly) -> KellyStake:
    """Size a bet by Kelly's criterion from a probability and decimal odds, or a share of it."""
    del call
    found = kelly_summary(asked.probability, asked.odds, shares=(1.0, asked.confidence))
    full, taken = found.shares
    fraction = float(taken.fractions[0])
    # Twelve decimals: what is beyond them is the rounding of floats, and would cost a cent.
    stake = (asked.bankroll * Decimal(f"{fraction:.12f}")).quantize(CENT, ROUND_DOWN)
    edge = asked.probability * asked.odds - 1.0
    return KellyStake(
        kelly_fraction=float(full.fractions[0]),
        recommended_fraction=fraction,
        recommended_stake=stake,
        edge=edge,
        expected_value=(stake * Decimal(f"{edge:.12f}")).quantize(CENT),
        growth=taken.growth,
        risk_of_halving=taken.halving,
    )


class Odds(Input):
    """Odds of the outcomes of one event."""

    odds: tuple[float, ...] = Field(min_length=1, max_length=50)
    odds_format: Literal["decimal", "american"] = "decimal"


class Probabilities(Output):
    """What odds imply, in their order."""

    decimal_odds: tuple[float, ...]
    implied: tuple[float, ...] = Field(description="1 over the decimal odds; they sum to 1 and the margin.")
    margin: Figure = Field(description="null for one outcome, of which nothing is known.")
    fair: tuple[float, ...] | None = Field(description="Implied probabilities scaled to sum to 1.")


@tool(Category.ODDS, Scope.RISK_READ, {"odds": [-110, -110], "odds_format": "american"})
def odds_api_calculate_probability(call: Call, asked: Odds) -> Probabilities:
    """Turn decimal or American odds into probabilities, with the bookmaker's margin where all outcomes are given."""
    del call
    decimals = [_decimal(value, asked.odds_format) for value in asked.odds]
    implied = [1.0 / value for value in decimals]
    total = sum(implied)
    whole = len(implied) > 1
    return Probabilities(
        decimal_odds=tuple(decimals),
        implied=tuple(implied),
        margin=total - 1.0 if whole else None,
        fair=tuple(value / total for value in implied) if whole else None,
    )


def _decimal(value: float, form: str) -> float:
    if form == "decimal":
        if not 1.0 < value <= 1e6:
            raise RiskError(f"Decimal odds {value} are not between 1 and a million. Give odds such as 2.5.")
        return value
    if not 100.0 <= abs(value) <= 1e6:
        raise RiskError(f"American odds {value} are not at least 100 away from 0. Give odds such as -110 or 250.")
    ratio = Fraction(value) / 100 if value > 0 else 100 / Fraction(-value)
    return float(1 + ratio)


class Simulation(Input):
    """A bet that is placed again and again with the same share of the bankroll."""

    probability: float = Field(gt=0.0, lt=1.0)
    odds: float = Field(gt=1.0, le=10_000.0)
    fraction: Share = Field(description="Share of the bankroll at stake each time.")
    bets: int = Field(100, ge=1, le=100_000, description="Bets one after the other.")
    num_simulations: int = Field(1000, ge=1, le=100_000)
    seed: int = Field(0, ge=0, le=2**32 - 1)


class SimulatedBets(Output):
    """Final bankrolls as multiples of the first, over independent simulations."""

    simulations: int
    growth: Figure = Field(description="Expected logarithmic growth a bet, exact; null where a bet can ruin.")
    median: Figure
    percentile_5: Figure
    percentile_95: Figure
    mean: Figure
    share_below_start: Figure
    share_ruined: Figure


@tool(
    Category.SPORTS,
    Scope.RISK_READ,
    {"probability": 0.55, "odds": 2.0, "fraction": 0.05, "bets": 200, "num_simulations": 2000},
)
def simulate_betting_strategy(call: Call, asked: Simulation) -> SimulatedBets:
    """Simulate a bet that is placed many times with a fixed share of the bankroll, from the chances that are given."""
    del call
    wins = generator(asked.seed, BETTING, 0).binomial(asked.bets, asked.probability, asked.num_simulations)
    gain, lose = np.log1p(asked.fraction * (asked.odds - 1.0)), 1.0 - asked.fraction
    losses = asked.bets - wins
    # Where the whole bankroll is at stake, one loss ends it.
    fall = np.log(lose) if lose > 0.0 else -np.inf
    logs = wins * gain + np.where(losses > 0, losses * fall if lose > 0.0 else -np.inf, 0.0)
    with np.errstate(over="ignore"):
        final = np.exp(logs)
    low, middle, high = np.quantile(final, [0.05, 0.5, 0.95], method="inverted_cdf").tolist()
    growth = asked.probability * gain + (1.0 - asked.probability) * fall
    return SimulatedBets(
        simulations=asked.num_simulations,
        growth=float(growth),
        median=middle,
        percentile_5=low,
        percentile_95=high,
        mean=float(final.mean()),
        share_below_start=float((final < 1.0).mean()),
        share_ruined=float((final == 0.0).mean()),
    )


TOOLS = (calculate_kelly_criterion, simulate_betting_strategy, odds_api_calculate_probability)
