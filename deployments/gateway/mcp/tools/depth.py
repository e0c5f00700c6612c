"""The tool about the depth of a betting market, by the odds and sizes that the caller gives; nothing is fetched."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, NamedTuple

from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Input, Money, Output, Share
from deployments.gateway.mcp.tool import tool
from deployments.gateway.mcp.tools.odds import CENT, Amount, Name, Price
from nt_ray.access.roles import Scope
from nt_ray.risk.kelly.exchange_market import effective_lay_odds, effective_odds


class Level(Input):
    """Odds of a ladder, and the stake that can be matched at them."""

    odds: Price
    size: Amount


Levels = Annotated[tuple[Level, ...], Field(max_length=200)]


class Ladder(Input):
    """What can be backed and laid of one outcome, in any order."""

    back: Levels = ()
    lay: Levels = ()


class Depth(Input):
    """Ladders of the outcomes of one market, of which one comes."""

    outcomes: Annotated[dict[Name, Ladder], Field(min_length=1, max_length=50)]
    stake: Amount = Field(Decimal(100), description="Stake that is to be matched, on each side of each outcome.")
    commission: Share = Field(0.0, description="Share of net winnings that the exchange keeps.")


class Side(Output):
    """One side of an outcome's ladder."""

    best_odds: Figure = Field(description="null where nothing is offered.")
    after_commission: Figure = Field(description="Best odds after commission; of a lay those of its complement.")
    levels: int
    size: Money = Field(description="Stake that can be matched in all.")
    matched: Money = Field(description="Of the stake that is asked about.")
    average_odds: Figure = Field(description="At which it is matched, weighted by stake.")
    worst_odds: Figure = Field(description="Of the last level that it reaches.")


class Outcome(Output):
    """One outcome."""

    name: str
    back: Side
    lay: Side
    spread: Figure = Field(description="Best odds to lay less best odds to back; below 0 where the ladders cross.")
    probability: Figure = Field(description="Middle of those that best back and best lay imply.")
    imbalance: Figure = Field(description="Size to back less size to lay, over their sum.")


class DepthFound(Output):
    """How deep a market is."""

    outcomes: tuple[Outcome, ...]
    overround_back: Figure = Field(description="Sum of 1 over best odds to back, less 1; null where one is missing.")
    overround_lay: Figure


@tool(
    Category.SPORTS,
    Scope.TRADING_READ,
    {
        "outcomes": {
            "home": {
                "back": [{"odds": 2.1, "size": 50}, {"odds": 2.08, "size": 300}],
                "lay": [{"odds": 2.14, "size": 120}],
            },
            "away": {"back": [{"odds": 1.85, "size": 90}], "lay": [{"odds": 1.9, "size": 400}]},
        },
        "stake": 100,
        "commission": 0.02,
    },
)
def analyze_betting_market_depth(call: Call, asked: Depth) -> DepthFound:
    """Analyse the depth of a market by the odds and sizes that it is given with: what a stake is matched at."""
    del call
    found = tuple(_outcome(name, ladder, asked) for name, ladder in asked.outcomes.items())
    return DepthFound(
        outcomes=found,
        overround_back=_overround([one.back.best_odds for one in found]),
        overround_lay=_overround([one.lay.best_odds for one in found]),
    )


def _outcome(name: str, ladder: Ladder, asked: Depth) -> Outcome:
    # Who backs wants high odds, who lays low ones.
    back = _side(sorted(ladder.back, key=lambda level: -level.odds), asked.stake)
    lay = _side(sorted(ladder.lay, key=lambda level: level.odds), asked.stake)
    if back.best_odds is not None:
        back = back.model_copy(update={"after_commission": effective_odds(back.best_odds, asked.commission)})
    if lay.best_odds is not None:
        lay = lay.model_copy(update={"after_commission": effective_lay_odds(lay.best_odds, asked.commission)})
    spread = probability = imbalance = None
    if back.best_odds is not None and lay.best_odds is not None:
        spread = lay.best_odds - back.best_odds
        probability = (1.0 / back.best_odds + 1.0 / lay.best_odds) / 2.0
    if back.size + lay.size:
        imbalance = float((back.size - lay.size) / (back.size + lay.size))
    return Outcome(name=name, back=back, lay=lay, spread=spread, probability=probability, imbalance=imbalance)


class _Matched(NamedTuple):
    """Part of a stake, at the odds of one level."""

    stake: Decimal
    odds: float


def _side(levels: Sequence[Level], stake: Decimal) -> Side:
    """Match a stake against levels, best first."""
    left, parts = stake, []
    for level in levels:
        if not left:
            break
        parts.append(_Matched(min(left, level.size), level.odds))
        left -= parts[-1].stake
    matched = stake - left
    return Side(
        best_odds=levels[0].odds if levels else None,
        after_commission=None,
        levels=len(levels),
        size=sum((level.size for level in levels), Decimal(0)),
        matched=matched.quantize(CENT, ROUND_DOWN),
        average_odds=sum(float(part.stake) * part.odds for part in parts) / float(matched) if matched else None,
        worst_odds=parts[-1].odds if parts else None,
    )


def _overround(odds: Sequence[float | None]) -> float | None:
    known = [price for price in odds if price is not None]
    return sum(1.0 / price for price in known) - 1.0 if len(known) == len(odds) else None


TOOLS = (analyze_betting_market_depth,)
