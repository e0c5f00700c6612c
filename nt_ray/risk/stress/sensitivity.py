"""Sensitivities: how loss and tail move with a shock, class by class, and with volatility and correlation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.risk.stress.analysis import Outlook, StressResult, stress
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.covariance import shocked_covariance
from nt_ray.risk.stress.shocks import Shock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Change of the loss, and of the normal VaR after it, for a change of one unit of a parameter."""

    parameter: str
    loss: float
    var: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationStress:
    """The book's own risk when correlations go some way to one."""

    share: float
    volatility: float
    """Standard deviation over the horizon, as a fraction of equity."""
    var: float
    es: float


def sensitivities(
    book: Book, shock: Shock, outlook: Outlook | None = None, *, bump: float = 1e-4
) -> tuple[Sensitivity, ...]:
    """Central differences around a shock: each class's return, the volatility factor, the correlation added."""
    if not 0.0 < bump < 0.1:
        raise RiskError(f"Bump {bump} is not small and positive. Give, say, 1e-4.")
    rows = [_slope(book, outlook, f"{kind} return", _bumped(shock, kind, bump), 2.0 * bump) for kind in shock.by_class]
    rows.append(
        _slope(
            book,
            outlook,
            "volatility factor",
            (
                replace(shock, volatility=shock.volatility + bump),
                replace(shock, volatility=max(shock.volatility - bump, bump)),
            ),
            shock.volatility + bump - max(shock.volatility - bump, bump),
        )
    )
    high, low = min(shock.correlation + bump, 1.0), max(shock.correlation - bump, 0.0)
    pair = replace(shock, correlation=high), replace(shock, correlation=low)
    rows.append(_slope(book, outlook, "correlation added", pair, high - low))
    return tuple(rows)


def ladder(
    book: Book, shock_of: Callable[[float], Shock], sizes: Sequence[float], outlook: Outlook | None = None
) -> tuple[StressResult, ...]:
    """Apply a shock at several sizes, such as `severe_market_crash` at 0.2, 0.4 and 0.6."""
    if not sizes:
        raise RiskError("There are 0 sizes. Give at least one.")
    return tuple(stress(book, shock_of(size), outlook) for size in sizes)


def correlation_stress(
    book: Book, shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0), *, horizon: int = 1, confidence: float = 0.95
) -> tuple[CorrelationStress, ...]:
    """Normal risk of a book with every correlation some share of the way to one; volatilities stay."""
    check_horizon(horizon)
    check_confidence(confidence)
    if book.covariance is None:
        raise RiskError("The book has no covariance, so no correlations to stress. Give it one.")
    quantile, shortfall = normal_tail(confidence)
    rows = []
    for share in shares:
        after = shocked_covariance(book.covariance, correlation=share, method="toward_one").covariance
        deviation = math.sqrt(max(float(horizon * book.weights @ after @ book.weights), 0.0))
        rows.append(
            CorrelationStress(share=share, volatility=deviation, var=quantile * deviation, es=shortfall * deviation)
        )
    return tuple(rows)


def _bumped(shock: Shock, kind: str, bump: float) -> tuple[Shock, Shock]:
    value = shock.by_class[kind]
    return (
        replace(shock, by_class={**shock.by_class, kind: value + bump}),
        replace(shock, by_class={**shock.by_class, kind: value - bump}),
    )


def _slope(book: Book, outlook: Outlook | None, parameter: str, pair: tuple[Shock, Shock], width: float) -> Sensitivity:
    high, low = (stress(book, shock, outlook) for shock in pair)
    var = None
    if high.normal is not None and low.normal is not None:
        var = (high.normal.var - low.normal.var) / width
    return Sensitivity(parameter=parameter, loss=(high.loss - low.loss) / width, var=var)
