"""The Kelly stake of one bet: closed form where it wins, is returned or loses; else the root of its slope.

Kelly (1956), A new interpretation of information rate. A stake is never negative: a bet without edge gets none.
"""

import numpy as np
from scipy.optimize import brentq

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.bets import Bet, win_or_lose
from nt_ray.risk.kelly.ruin import fall_bound
from nt_ray.types import FloatArray


def kelly_fraction(probability: float, odds: float, *, push: float = 0.0) -> float:
    """Fraction of wealth to stake at decimal odds: max(0, (b p - q) / (b (p + q))), b the odds less one.

    Without a push p + q = 1 and this is Kelly's (b p - q) / b; a push returns the stake.
    """
    bet = win_or_lose(probability, odds, push=push)
    win, lose = bet.probabilities[0], bet.probabilities[-1]
    gain = odds - 1.0
    return 0.0 if win + lose == 0.0 else max(0.0, (gain * win - lose) / (gain * (win + lose)))


def single_bet(probability: float, odds: float, *, push: float = 0.0) -> KellyAnswer:
    """Kelly stake of a bet at decimal odds, with its growth and its risk of halving."""
    bet = win_or_lose(probability, odds, push=push)
    return _answer(bet, kelly_fraction(probability, odds, push=push), "closed_form", 0.0)


def best_stake(bet: Bet) -> KellyAnswer:
    """Kelly stake of a bet with any outcomes, at most the whole wealth: the root of E[x / (1 + f x)] = 0 in f."""
    gains, chances = _likely(bet)
    if bet.edge <= 0.0:
        return _answer(bet, 0.0, "closed_form", 0.0)
    if gains.min() >= 0.0:
        return _answer(bet, 1.0, "closed_form", 0.0, ("the bet cannot lose: the whole wealth is staked",))

    def slope(fraction: float) -> float:
        return float(chances @ (gains / (1.0 + fraction * gains)))

    # Short of the stake that could ruin the slope falls without bound, unless only part of the stake can be lost.
    top = min(1.0, (1.0 - 1e-15) / -gains.min())
    if slope(top) >= 0.0:
        return _answer(bet, top, "bracketed_root", 0.0, ("the whole wealth is staked",))
    fraction = float(brentq(slope, 0.0, top, xtol=1e-16, rtol=1e-14))
    return _answer(bet, fraction, "bracketed_root", abs(slope(fraction)) / float(chances @ np.abs(gains)))


def at_fraction(bet: Bet, fraction: float) -> KellyAnswer:
    """Growth and risk of halving of a bet staked at a fraction of one's own choice."""
    if not 0.0 <= fraction <= 1.0:
        raise RiskError(f"Stake {fraction} does not lie between 0 and 1. Give a fraction of wealth.")
    return _answer(bet, fraction, "given", float("nan"))


def _likely(bet: Bet) -> tuple[FloatArray, FloatArray]:
    gains, chances = np.array(bet.gains), np.array(bet.probabilities)
    return gains[chances > 0.0], chances[chances > 0.0]


def _answer(bet: Bet, fraction: float, method: str, residual: float, notes: tuple[str, ...] = ()) -> KellyAnswer:
    gains, chances = _likely(bet)
    wealth = 1.0 + fraction * gains
    ruined = bool((wealth <= 0.0).any())
    return KellyAnswer(
        fractions=np.array([fraction]),
        growth=-np.inf if ruined else float(chances @ np.log(wealth)),
        halving=1.0 if ruined else fall_bound(wealth, chances),
        method=method,
        residual=residual,
        notes=notes,
    )
