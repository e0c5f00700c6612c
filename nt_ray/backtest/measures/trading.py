"""Measures of round trips (first in, first out, after commissions) and of what was held; None without trades."""

import math
from collections.abc import Callable

import numpy as np

from nt_ray.backtest.measures.base import BARS, COUNT, FRACTION, MONEY, RATIO, Measure, measured
from nt_ray.backtest.measures.evidence import Evidence, Trades
from nt_ray.types import FloatArray

SQN_CAP = 100


def _of(e: Evidence, figure: Callable[[Trades], float]) -> float | None:
    """Figure of the round trips; None where there is none."""
    return figure(e.trades) if e.trades is not None and len(e.trades.profits) else None


def _mean(values: FloatArray) -> float | None:
    return float(np.mean(values)) if len(values) else None


@measured("Round trips", COUNT)
def round_trip_count(e: Evidence) -> float | None:
    """Closed round trips: pairs of an entry and the exit, or part of one, that closed it."""
    return None if e.trades is None else float(len(e.trades.profits))


@measured("Win rate", FRACTION)
def win_rate(e: Evidence) -> float | None:
    """Round trips with a profit among those with a profit or a loss; those at exactly zero do not count."""
    if e.trades is None:
        return None
    decided = e.trades.profits[e.trades.profits != 0.0]
    return _mean((decided > 0.0).astype(np.float64))


@measured("Profit factor", RATIO)
def profit_factor(e: Evidence) -> float | None:
    """Sum of profits over the size of the sum of losses, per round trip; None without a loss."""
    if e.trades is None:
        return None
    lost = float(-np.sum(np.minimum(e.trades.profits, 0.0)))
    return float(np.sum(np.maximum(e.trades.profits, 0.0))) / lost if lost > 0.0 else None


@measured("Average win", MONEY)
def average_win(e: Evidence) -> float | None:
    """Mean profit of winning round trips."""
    return None if e.trades is None else _mean(e.trades.profits[e.trades.profits > 0.0])


@measured("Average loss", MONEY)
def average_loss(e: Evidence) -> float | None:
    """Mean result of losing round trips, negative."""
    return None if e.trades is None else _mean(e.trades.profits[e.trades.profits < 0.0])


@measured("Payoff", RATIO)
def payoff(e: Evidence) -> float | None:
    """Average win over the size of the average loss."""
    win, loss = average_win(e), average_loss(e)
    return win / -loss if win is not None and loss is not None else None


@measured("Largest win", MONEY)
def largest_win(e: Evidence) -> float | None:
    """Largest result of a round trip."""
    return _of(e, lambda t: float(np.max(t.profits)))


@measured("Largest loss", MONEY)
def largest_loss(e: Evidence) -> float | None:
    """Smallest result of a round trip."""
    return _of(e, lambda t: float(np.min(t.profits)))


@measured("Expectancy", MONEY)
def expectancy(e: Evidence) -> float | None:
    """Mean result of a round trip."""
    return _of(e, lambda t: float(np.mean(t.profits)))


@measured("Expectancy, share of notional", FRACTION)
def expectancy_return(e: Evidence) -> float | None:
    """Mean over round trips of the result over the notional at entry."""
    return _of(e, lambda t: float(np.mean(t.returns)))


@measured("System quality number", RATIO, "Tharp (2008)")
def system_quality(e: Evidence) -> float | None:
    """sqrt(min(n, 100)) times mean over standard deviation (ddof 1) of round-trip returns."""
    if e.trades is None or len(e.trades.returns) < 2:
        return None
    deviation = float(np.std(e.trades.returns, ddof=1))
    count = min(len(e.trades.returns), SQN_CAP)
    return math.sqrt(count) * float(np.mean(e.trades.returns)) / deviation if deviation > 1e-12 else None


@measured("Longest losing streak", COUNT)
def losing_streak(e: Evidence) -> float | None:
    """Most losing round trips in a row, in order of exits."""

    def longest(t: Trades) -> float:
        kept = np.concatenate(([-1], np.flatnonzero(t.profits >= 0.0), [len(t.profits)]))
        return float(np.max(np.diff(kept))) - 1.0

    return _of(e, longest)


@measured("Average holding", BARS)
def average_holding(e: Evidence) -> float | None:
    """Mean number of bars from entry to exit of closed round trips."""
    return _of(e, lambda t: float(np.mean(t.holding)))


@measured("Average adverse excursion", FRACTION, "Sweeney (1997)")
def adverse_excursion(e: Evidence) -> float | None:
    """Mean over round trips of the largest fall against the position from its entry price, zero or more."""
    return _of(e, lambda t: float(np.mean(t.adverse)))


@measured("Average favourable excursion", FRACTION, "Sweeney (1997)")
def favourable_excursion(e: Evidence) -> float | None:
    """Mean over round trips of the largest move in favour of the position from its entry price, zero or more."""
    return _of(e, lambda t: float(np.mean(t.favourable)))


@measured("Edge ratio", RATIO)
def edge_ratio(e: Evidence) -> float | None:
    """Average favourable over average adverse excursion; None where the latter is zero."""
    bad, good = adverse_excursion(e), favourable_excursion(e)
    return good / bad if bad and good is not None else None


@measured("Exposure time", FRACTION)
def exposure_time(e: Evidence) -> float | None:
    """Share of bars after which some position is held."""
    return None if e.trades is None else float(np.mean(e.trades.gross > 0.0))


@measured("Average gross exposure", FRACTION)
def average_gross(e: Evidence) -> float | None:
    """Mean over all bars of the sum of position sizes over equity."""
    return None if e.trades is None else float(np.mean(e.trades.gross))


@measured("Turnover a year", RATIO)
def turnover(e: Evidence) -> float | None:
    """One-way: half of all traded notional over mean equity, a year of q bars."""
    if e.trades is None:
        return None
    mean = float(np.mean(e.equity[1:]))
    return e.trades.traded / 2.0 / mean * e.periods_per_year / len(e.times) if mean > 0.0 else None


@measured("Commissions", MONEY)
def commissions(e: Evidence) -> float | None:
    """Sum of all commissions; slippage lies in the prices."""
    return None if e.trades is None else e.trades.commission


MEASURES: tuple[Measure, ...] = (
    round_trip_count, win_rate, profit_factor, average_win, average_loss, payoff, largest_win, largest_loss,
    expectancy, expectancy_return, system_quality, losing_streak, average_holding, adverse_excursion,
    favourable_excursion, edge_ratio, exposure_time, average_gross, turnover, commissions,
)  # fmt: skip
