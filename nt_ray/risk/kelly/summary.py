"""Kelly at a glance: full, half and quarter stakes side by side, with the growth and the falls each brings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_series
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.bets import win_or_lose
from nt_ray.risk.kelly.scenario import growth_answer, scenarios
from nt_ray.risk.kelly.single import at_fraction, kelly_fraction, single_bet
from nt_ray.types import FloatArray

SHARES = (1.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a share of the Kelly stakes brings."""

    share: float
    fractions: FloatArray
    growth: float
    halving: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KellySummary:
    """Stakes at several shares of Kelly."""

    shares: tuple[Share, ...]
    edge: float
    """Expected gain of the full stakes, as a fraction of wealth."""
    method: str
    residual: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """What past trades say of the stake, by the classic formula W - (1 - W) / (average win / average loss)."""

    trades: int
    win_rate: float
    average_win: float
    average_loss: float
    fraction: float
    """Share of wealth to lose when an average loss comes; never negative."""


def kelly_summary(
    probability: float, odds: float, *, push: float = 0.0, shares: Sequence[float] = SHARES
) -> KellySummary:
    """Full, half and quarter Kelly of one bet at decimal odds."""
    bet = win_or_lose(probability, odds, push=push)
    full = single_bet(probability, odds, push=push)
    rows = [(share, at_fraction(bet, share * full.fraction)) for share in _checked(shares)]
    return _summary(rows, full, full.fraction * bet.edge)


def scenario_summary(
    full: KellyAnswer,
    returns: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    *,
    rate: float = 0.0,
    shares: Sequence[float] = SHARES,
) -> KellySummary:
    """Shares of an answer about many bets or assets, judged over the scenarios (S, N) it was made from."""
    gains, chances = scenarios(returns, probabilities)
    if gains.shape[1] != full.fractions.size:
        raise RiskError(
            f"{full.fractions.size} fractions do not fit scenarios {gains.shape}. Give their own scenarios."
        )
    rows = [
        (share, growth_answer(share * full.fractions, gains, chances, rate=rate, method="given", residual=np.nan))
        for share in _checked(shares)
    ]
    return _summary(rows, full, float(chances @ gains @ full.fractions))


def from_trades(returns: npt.ArrayLike) -> TradeRecord:
    """Classic Kelly fraction of past trades (n,) of their returns; trades that broke even are left out.

    Needs at least one win and one loss: without either, past trades do not say how much can be staked.
    """
    values = check_series(returns, least=2, what="Trade returns")
    wins, losses = values[values > 0.0], values[values < 0.0]
    if not wins.size or not losses.size:
        raise RiskError(
            f"{values.size} trades hold {wins.size} wins and {losses.size} losses. Give at least one of each."
        )
    rate = wins.size / (wins.size + losses.size)
    win, loss = float(wins.mean()), float(-losses.mean())
    return TradeRecord(
        trades=values.size,
        win_rate=rate,
        average_win=win,
        average_loss=loss,
        fraction=kelly_fraction(rate, 1.0 + win / loss),
    )


def _checked(shares: Sequence[float]) -> tuple[float, ...]:
    for share in shares:
        if not 0.0 < share <= 1.0:
            raise RiskError(
                f"Share {share} of Kelly does not lie in (0, 1]. More than Kelly grows less and falls more."
            )
    return tuple(shares)


def _summary(rows: list[tuple[float, KellyAnswer]], full: KellyAnswer, edge: float) -> KellySummary:
    parts = [Share(share=share, fractions=row.fractions, growth=row.growth, halving=row.halving) for share, row in rows]
    return KellySummary(shares=tuple(parts), edge=edge, method=full.method, residual=full.residual, notes=full.notes)
