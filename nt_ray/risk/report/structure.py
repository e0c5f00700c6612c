"""How a portfolio is spread: concentration, exposure by class and sector, and heat where stops are known."""

from dataclasses import dataclass
from decimal import Decimal

from nt_ray.risk.concentration import (
    Concentration,
    Exposure,
    concentration,
    diversification_ratio,
    effective_bets,
    exposures,
)
from nt_ray.risk.heat import at_risk
from nt_ray.risk.report.holdings import Holdings
from nt_ray.risk.report.refusal import attempt
from nt_ray.types import FloatArray

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """What is lost where every known stop is met at its price, as fractions of equity."""

    by_symbol: dict[str, float]
    total: float
    """Of the positions with a stop."""
    unprotected: tuple[str, ...]
    """Positions without a known stop; the whole of them is at risk, and not in the total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Spread of a portfolio."""

    concentration: Concentration
    diversification_ratio: float | None
    effective_bets: float | None
    by_class: dict[str, Exposure]
    by_sector: dict[str, Exposure]
    """Empty where no sector is known."""
    heat: Heat | None
    """None where no stop is known."""


def structure(holdings: Holdings, classes: tuple[str, ...], covariance: FloatArray) -> Structure:
    """Describe holdings whose assets have these classes (N,) and this covariance (N, N)."""
    weights = holdings.weights
    ratio, _ = attempt(lambda: diversification_ratio(weights, covariance))
    bets, _ = attempt(lambda: effective_bets(weights, covariance))
    sectors = [position.sector or UNKNOWN for position in holdings.positions]
    known = any(position.sector for position in holdings.positions)
    return Structure(
        concentration=concentration(weights),
        diversification_ratio=ratio,
        effective_bets=bets,
        by_class=exposures(weights, classes),
        by_sector=exposures(weights, sectors) if known else {},
        heat=heat_of(holdings),
    )


def heat_of(holdings: Holdings) -> Heat | None:
    """Heat of the positions with a stop; None where there is none. What stops leave over is at risk as a whole."""
    losses = {p.symbol: at_risk(p.quantity, p.price, p.stops) for p in holdings.positions if p.stops}
    if not losses:
        return None
    return Heat(
        by_symbol={symbol: float(loss / holdings.equity) for symbol, loss in losses.items()},
        total=float(sum(losses.values(), Decimal(0)) / holdings.equity),
        unprotected=tuple(p.symbol for p in holdings.positions if not p.stops),
    )
