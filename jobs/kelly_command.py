"""`nt-ray kelly`: how much to stake, on one bet, on a slate of bets, or on assets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, ConfigFile, End, SetValues, Source, Start, Symbols, amount, help_text, overrides_from
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.risk.kelly.answer import KellyAnswer
    from nt_ray.risk.kelly.bets import Bet
    from nt_ray.types import FloatArray

KELLY_HELP = help_text(
    "Kelly stakes: of one bet (--probability and --odds), of many (--bets FILE.csv, independent and settled together, "
    "or --exclusive: outcomes of one event), or of assets (--data or --symbols). Odds are decimal. A bet without edge "
    "gets nothing, and no stake is ever negative.",
    "nt-ray kelly --probability 0.55 --odds 2.0",
    "nt-ray kelly --probability 0.55 --odds 2.1 --fraction 0.5 --bankroll 1000 --commission 0.02",
    "nt-ray kelly --bets bets.csv --bankroll 500",
    "nt-ray kelly --bets race.csv --exclusive --json",
    "nt-ray kelly --symbols KO,PEP,AAPL --start 2018-01-01 --rate 0.02 --max-weight 0.5 --fall-to 0.7 --chance 0.1",
)
ASSETS = "assets"

Probability: TypeAlias = Annotated[float | None, typer.Option(metavar="P", help="Chance that the bet wins.")]
Odds: TypeAlias = Annotated[float | None, typer.Option(metavar="DECIMAL", help="What a unit of stake pays back.")]
Push: TypeAlias = Annotated[float, typer.Option(metavar="P", help="Chance that the stake is returned.")]
Bets: TypeAlias = Annotated[
    Path | None, typer.Option("--bets", metavar="FILE", help="CSV: name, probability, odds[, push].")
]
Exclusive: TypeAlias = Annotated[bool, typer.Option("--exclusive", help="At most one of the bets can win.")]
Fraction: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Share of the Kelly stakes, up to 1.")]
Bankroll: TypeAlias = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Wealth, for stakes in money.")]
Commission: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Of a bet's winnings; not of exclusive.")]
CovarianceName: TypeAlias = Annotated[str, typer.Option("--covariance", metavar="NAME", help="Of assets.")]
Expected: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Expected returns of assets.")]
Rate: TypeAlias = Annotated[float, typer.Option(metavar="RATE", help="Riskless return a year, of assets.")]
MaxWeight: TypeAlias = Annotated[float, typer.Option("--max-weight", metavar="SHARE", help="Largest weight of one.")]
FallTo: TypeAlias = Annotated[
    float | None, typer.Option("--fall-to", metavar="LEVEL", help="Wealth of assets shall hardly ever fall to: 0.7.")
]
Chance: TypeAlias = Annotated[
    float | None, typer.Option("--chance", metavar="P", help="Chance that --fall-to may have at most: 0.1.")
]


def kelly(
    probability: Probability = None,
    odds: Odds = None,
    push: Push = 0.0,
    bets: Bets = None,
    exclusive: Exclusive = False,
    fraction: Fraction = 1.0,
    bankroll: Bankroll = None,
    commission: Commission = 0.0,
    config: ConfigFile = None,
    source: Source = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    set_values: SetValues = None,
    covariance: CovarianceName = "ledoit_wolf",
    expected: Expected = "james_stein",
    rate: Rate = 0.0,
    max_weight: MaxWeight = 1.0,
    fall_to: FallTo = None,
    chance: Chance = None,
    as_json: AsJson = False,
) -> None:
    """Find the stakes and print them."""
    assets = {"data.source": source, "data.symbols": symbols, "data.start": start, "data.end": end}
    mode = _mode(single=probability is not None or odds is not None, slate=bets is not None,
                 market=any(value is not None for value in (source, symbols)))  # fmt: skip
    if not 0.0 < fraction <= 1.0:
        raise BadInputError(f"--fraction {fraction:g} does not lie in (0, 1]. More than Kelly grows less, falls more.")
    if (fall_to is None) != (chance is None):
        raise BadInputError("--fall-to and --chance belong together. Give both, such as --fall-to 0.7 --chance 0.1.")
    if fall_to is not None and (mode != ASSETS or fraction != 1.0 or rate != 0.0):
        raise BadInputError("--fall-to finds the stakes of assets by itself. Leave --fraction, --rate and bets out.")
    if bankroll is not None and amount("--bankroll", bankroll) <= 0:
        raise BadInputError(f"--bankroll {bankroll} is not positive. Give the wealth that stakes are fractions of.")
    if mode == "bet":
        told = _single(probability, odds, push, commission, fraction)
    elif bets is not None:
        told = _slate(bets, exclusive=exclusive, commission=commission, fraction=fraction)
    else:
        told = _market(
            config, overrides_from(assets, set_values), covariance, expected, rate, max_weight, fraction,
            None if fall_to is None or chance is None else (fall_to, chance),
        )  # fmt: skip
    if bankroll is not None:
        wealth = amount("--bankroll", bankroll)
        told["bankroll"] = f"{wealth:f}"
        for row in told["stakes"]:
            row["money"] = round(row["stake"] * float(wealth), 2)
    typer.echo(json.dumps(told)) if as_json else _print(told)


def _mode(*, single: bool, slate: bool, market: bool) -> str:
    chosen = [name for name, given in (("bet", single), ("bets", slate), (ASSETS, market)) if given]
    if len(chosen) != 1:
        said = "nothing to stake on is given" if not chosen else f"{' and '.join(chosen)} are given at once"
        raise BadInputError(f"It takes one task, and {said}. Give --probability and --odds, or --bets, or --symbols.")
    return chosen[0]


def _single(
    probability: float | None, odds: float | None, push: float, commission: float, fraction: float
) -> dict[str, Any]:
    from nt_ray.risk.kelly.bets import win_or_lose
    from nt_ray.risk.kelly.exchange_market import effective_odds
    from nt_ray.risk.kelly.single import at_fraction
    from nt_ray.risk.kelly.summary import SHARES, kelly_summary

    if probability is None or odds is None:
        missing = "--probability" if probability is None else "--odds"
        raise BadInputError(f"{missing} is missing. A bet has both, such as --probability 0.55 --odds 2.0.")
    paid = effective_odds(odds, commission)
    found = kelly_summary(probability, paid, push=push, shares=tuple(sorted({*SHARES, fraction}, reverse=True)))
    full = float(found.shares[0].fractions[0])
    bet = win_or_lose(probability, paid, push=push)
    answer = at_fraction(bet, fraction * full)
    return {
        **_figures("bet", answer, fraction, ["bet"]),
        "method": found.method,
        "effective_odds": paid,
        "edge": bet.edge,
        "shares": [
            {"share": s.share, "stake": float(s.fractions[0]), "growth": s.growth, "halving": s.halving}
            for s in found.shares
        ],
    }


def _slate(path: Path, *, exclusive: bool, commission: float, fraction: float) -> dict[str, Any]:
    from nt_ray.risk.kelly.bets import win_or_lose
    from nt_ray.risk.kelly.exchange_market import effective_odds
    from nt_ray.risk.kelly.exclusive import exclusive_outcomes
    from nt_ray.risk.kelly.simultaneous import simultaneous_bets
    from nt_ray.trader.csv_rows import read_rows

    rows = read_rows(path, ("name", "probability", "odds"), ("push",))
    names = [row.text("name") for row in rows]
    chances, prices = ([float(row.number(column)) for row in rows] for column in ("probability", "odds"))
    if exclusive:
        if commission:
            raise BadInputError(f"--commission {commission:g} is not known of exclusive bets. Lower the odds by it.")
        answer = exclusive_outcomes(chances, prices)
        if fraction < 1.0:
            answer = _scaled(answer, fraction, *_exclusive_outcomes(chances, prices))
        return _figures("exclusive bets", answer, fraction, names)
    slate = []
    for row, win, price in zip(rows, chances, prices, strict=True):
        push = float(row.optional("push") or 0)
        try:
            slate.append(win_or_lose(win, effective_odds(price, commission), push=push, name=row.text("name")))
        except BadInputError as error:
            raise BadInputError(f"{path}, line {row.line}: {error}") from None
    answer = simultaneous_bets(slate)
    if fraction < 1.0:
        answer = _scaled(answer, fraction, *_outcomes(slate))
    return _figures("simultaneous bets", answer, fraction, names)


def _outcomes(slate: "list[Bet]") -> "tuple[FloatArray, FloatArray]":
    """Outcomes over which a slate is judged: all of them, or as many as were drawn to find its stakes."""
    from math import prod

    import numpy as np

    from nt_ray.risk.kelly.simultaneous import DRAWN, MOST_JOINT, drawn_outcomes, joint_outcomes

    if prod(len(bet.gains) for bet in slate) <= MOST_JOINT:
        return joint_outcomes(slate)
    return drawn_outcomes(slate, DRAWN, 0), np.full(DRAWN, 1.0 / DRAWN)


def _scaled(answer: "KellyAnswer", fraction: float, gains: "FloatArray", chances: "FloatArray") -> "KellyAnswer":
    from nt_ray.risk.kelly.scenario import growth_answer

    return growth_answer(
        fraction * answer.fractions, gains, chances, method=answer.method, residual=answer.residual, notes=answer.notes
    )


def _exclusive_outcomes(chances: Sequence[float], prices: Sequence[float]) -> "tuple[FloatArray, FloatArray]":
    """Gains (N + 1, N) and chances (N + 1,): each outcome, and none of them."""
    import numpy as np

    count = len(chances)
    gains = np.vstack([np.diag(prices) - 1.0, np.full((1, count), -1.0)])
    weights = np.append(chances, max(0.0, 1.0 - sum(chances)))
    return gains, weights / weights.sum()


def _market(
    config: Path | None,
    overrides: dict[str, str],
    covariance: str,
    expected: str,
    rate: float,
    max_weight: float,
    fraction: float,
    fall: tuple[float, float] | None,
) -> dict[str, Any]:
    from dataclasses import replace

    from nt_ray.config import load_settings
    from nt_ray.risk.kelly.continuous import constrained_kelly, continuous_stake
    from nt_ray.risk.kelly.drawdown import drawdown_controlled
    from nt_ray.risk.kelly.region import bankroll
    from nt_ray.trader.data import load_bars
    from nt_ray.trader.portfolio_optimizer import PortfolioOptimizer

    made = PortfolioOptimizer(load_bars(load_settings(config, overrides).data), covariance=covariance,
                              expected=expected, rate=rate)  # fmt: skip
    limits = replace(bankroll(len(made.symbols)), upper=max_weight)
    if fall is not None:
        answer = drawdown_controlled(made.returns, level=fall[0], probability=fall[1], constraints=limits)
        answer = replace(answer, notes=(*answer.notes, "expected returns are those of the past bars themselves"))
        return {**_figures(ASSETS, answer, 1.0, made.symbols), "period": "bar"}
    full = constrained_kelly(made.expected, made.covariance, limits, rate=rate)
    answer = continuous_stake(fraction * full.fractions, made.expected, made.covariance, rate=rate)
    answer = replace(answer, method=full.method, residual=full.residual)
    return {**_figures(ASSETS, answer, fraction, made.symbols), "period": "year"}


def _figures(task: str, answer: "KellyAnswer", fraction: float, names: Sequence[str]) -> dict[str, Any]:
    from nt_ray.reports.record import to_plain

    told: dict[str, Any] = to_plain(
        {
            "task": task,
            "stakes": [
                {"name": name, "stake": stake} for name, stake in zip(names, answer.fractions.tolist(), strict=True)
            ],
            "total": answer.total,
            "fraction": fraction,
            "growth": answer.growth,
            "halving": answer.halving,
            "method": answer.method,
            "residual": answer.residual,
            "notes": answer.notes,
        }
    )
    return told


def _print(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"Kelly stakes, {told['fraction']:.4g} of full")
    names = ("name", "stake", *(("money",) if "bankroll" in told else ()))
    for name in names:
        table.add_column(name, justify="left" if name == "name" else "right")
    for row in told["stakes"]:
        table.add_row(row["name"], f"{row['stake']:.4%}", *([f"{row['money']:,.2f}"] if "money" in row else []))
    console.print(table)
    per = told.get("period", "settlement")
    growth = "minus infinity" if told["growth"] is None else f"{told['growth']:.6f}"
    console.print(
        f"in all {told['total']:.4%} of wealth; log growth a {per} {growth}; chance of ever falling to half at most "
        f"{told['halving']:.3g}; {told['method']}",
        soft_wrap=True,
    )
    for share in told.get("shares", ()):
        console.print(
            f"{share['share']:.4g} of Kelly: stake {share['stake']:.4%}, growth {share['growth']:.6f}, "
            f"to half {share['halving']:.3g}"
        )
    for note in told["notes"]:
        console.print(note, soft_wrap=True)
