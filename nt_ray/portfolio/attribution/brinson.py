"""Brinson-Fachler attribution: which part of the active return came from which decision, by segment and period.

In one period, with weights w of the portfolio and b of the benchmark, and returns r and s of a segment:

    allocation = (w - b) (s - S)    selection = b (r - s)    interaction = (w - b) (r - s)

S being the benchmark's return. Over periods the effects are linked, since returns compound and effects add; linked
effects and costs sum exactly to the active return. A segment that one side does not hold has, where its return is NaN,
the return of the other side, so its whole effect is one of allocation.

Sources: Brinson and Fachler (1985), Measuring non-US equity portfolio performance, Journal of Portfolio Management
11(3); Carino (1999), Combining attribution effects over time, Journal of Performance Measurement 3(4); Menchero (2000),
An optimized approach to linking attribution effects over time, Journal of Performance Measurement 5(1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.attribution.linking import Linking, active_factors, compound
from nt_ray.portfolio.inputs import check_returns, check_series
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Brinson:
    """Effects that sum to the active return: allocation + selection + interaction + costs, over all segments."""

    segments: tuple[str, ...]
    allocation: FloatArray
    """(S,) linked over all periods."""
    selection: FloatArray
    """(S,)"""
    interaction: FloatArray
    """(S,)"""
    costs: float
    """Zero or less."""
    portfolio_return: float
    """Compounded, after costs."""
    benchmark_return: float
    by_period: FloatArray
    """(T, S, 3) allocation, selection, interaction of each period alone, not linked."""

    @property
    def active_return(self) -> float:
        """Return of the portfolio less that of the benchmark, both compounded."""
        return self.portfolio_return - self.benchmark_return

    @property
    def residual(self) -> float:
        """What the effects leave of the active return: rounding."""
        effects = float(self.allocation.sum() + self.selection.sum() + self.interaction.sum())
        return self.active_return - effects - self.costs


def brinson(
    weights: npt.ArrayLike,
    benchmark_weights: npt.ArrayLike,
    returns: npt.ArrayLike,
    benchmark_returns: npt.ArrayLike,
    *,
    segments: Sequence[str] | None = None,
    costs: npt.ArrayLike | None = None,
    linking: Linking = "carino",
) -> Brinson:
    """Attribute the active return of one or more periods.

    Parameters
    ----------
    weights, benchmark_weights
        (T, S) weights of the segments at the start of each period; both sum to the same in each, cash being a segment.
    returns, benchmark_returns
        (T, S) simple returns of the segments; NaN only where that side's weight is zero.
    segments
        (S,) names; their numbers where none are given.
    costs
        (T,) costs of each period as a fraction of equity, zero or more.
    linking
        carino or menchero; with one period both are the plain effects.
    """
    held = check_returns(weights, least=1, what="Weights")
    base = check_returns(benchmark_weights, least=1, what="Benchmark weights")
    own, other = _filled(held, base, returns, benchmark_returns)
    paid = np.zeros(held.shape[0]) if costs is None else check_series(costs, what="Costs")
    _check(held, base, paid)
    names = tuple(str(at) for at in range(held.shape[1])) if segments is None else tuple(segments)
    if len(names) != held.shape[1]:
        raise RiskError(f"{len(names)} segment names for {held.shape[1]} segments. Give one a segment.")
    benchmark = np.einsum("ts,ts->t", base, other)
    portfolio = np.einsum("ts,ts->t", held, own) - paid
    # The benchmark's return counts against a whole portfolio, whatever the weights sum to.
    level = benchmark / base.sum(axis=1)
    effects = np.stack(
        [(held - base) * (other - level[:, None]), base * (own - other), (held - base) * (own - other)], 2
    )
    factors = active_factors(portfolio, benchmark, linking)
    linked = np.einsum("t,tse->es", factors, effects)
    return Brinson(
        segments=names, allocation=linked[0], selection=linked[1], interaction=linked[2],
        costs=-float(factors @ paid), portfolio_return=compound(portfolio), benchmark_return=compound(benchmark),
        by_period=effects,
    )  # fmt: skip


def _filled(
    held: FloatArray, base: FloatArray, returns: npt.ArrayLike, benchmark_returns: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Returns of both sides, each taking the other's where it holds nothing and knows none."""
    own = np.array(returns, dtype=np.float64)
    other = np.array(benchmark_returns, dtype=np.float64)
    for name, values in (("Benchmark weights", base), ("Returns", own), ("Benchmark returns", other)):
        if values.shape != held.shape:
            raise RiskError(f"{name} have shape {values.shape}, weights {held.shape}. Give all in one shape.")
    free_own, free_other = np.isnan(own) & (held == 0.0), np.isnan(other) & (base == 0.0)
    own, other = np.where(free_own, other, own), np.where(free_other, own, other)
    neither = free_own & free_other
    own[neither] = other[neither] = 0.0
    return check_returns(own, least=1), check_returns(other, least=1, what="Benchmark returns")


def _check(held: FloatArray, base: FloatArray, paid: FloatArray) -> None:
    apart = np.abs(held.sum(axis=1) - base.sum(axis=1))
    at = int(np.argmax(apart))
    if apart[at] > 1e-9:
        raise RiskError(
            f"In period {at} the weights sum to {held[at].sum():.9g} and the benchmark's to {base[at].sum():.9g}. "
            "Make cash a segment, so that both sum to the same."
        )
    if (np.abs(base.sum(axis=1)) < 1e-9).any():
        raise RiskError("The benchmark's weights sum to zero in some period. Give a benchmark that is invested.")
    if paid.shape != held.shape[:1]:
        raise RiskError(f"{paid.size} costs for {held.shape[0]} periods. Give one a period.")
    if (paid < 0.0).any():
        raise RiskError(f"The cost of period {int(np.argmin(paid))} is {paid.min():g}. Give zero or more.")
