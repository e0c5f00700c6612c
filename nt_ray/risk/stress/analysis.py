"""Stress of a book: what a shock costs, by asset and class, and what may follow it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_horizon
from nt_ray.risk.stress.aftermath import Aftermath, normal_aftermath, recoloured, scenario_aftermath
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.covariance import RaiseMethod, shocked_covariance
from nt_ray.risk.stress.shocks import Shock
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How a book is followed after its shock."""

    horizon: int = 10
    """Days that the shocked book is held."""
    confidence: float = 0.95
    floor: float = 0.0
    """Fraction of equity before the shock, below which the book does not survive; 0: everything is lost."""
    correlations: RaiseMethod = "add"
    returns: FloatArray | None = None
    """(T, N) past daily returns; given, the aftermath is also taken from them, recoloured."""

    def __post_init__(self) -> None:
        check_horizon(self.horizon)
        if not 0.0 <= self.floor < 1.0:
            raise RiskError(
                f"Floor {self.floor} does not lie in [0, 1). Give what must be left of equity, such as 0.5."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """What a shock costs. Losses are positive fractions of equity before it."""

    name: str
    loss: float
    by_asset: FloatArray
    """(N,) losses, which sum to the loss."""
    by_class: dict[str, float]
    shocks: FloatArray
    """(N,) returns."""
    normal: Aftermath | None
    """None where the book has no covariance."""
    scenarios: Aftermath | None
    assumptions: tuple[str, ...]
    repairs: tuple[str, ...]
    """What was changed in the shocked covariance to keep it valid."""


def stress(book: Book, shock: Shock, outlook: Outlook | None = None) -> StressResult:
    """Apply a shock to a book and follow the book after it."""
    view = outlook or Outlook()
    returns = shock.returns(book)
    losses = -book.weights * returns
    normal, scenarios, extra, repairs = _follow(book, shock, view, float(losses.sum()), returns)
    return StressResult(
        name=shock.name,
        loss=float(losses.sum()),
        by_asset=losses,
        by_class=book.by_class(losses),
        shocks=returns,
        normal=normal,
        scenarios=scenarios,
        assumptions=(*book.notes, *shock.assumptions, *extra),
        repairs=repairs,
    )


def stress_all(book: Book, shocks: Sequence[Shock], outlook: Outlook | None = None) -> tuple[StressResult, ...]:
    """Apply every shock to a book, each from the same start."""
    if not shocks:
        raise RiskError("There are 0 shocks. Give at least one.")
    return tuple(stress(book, shock, outlook) for shock in shocks)


def worst_case(results: Sequence[StressResult]) -> StressResult:
    """Return the result with the largest loss."""
    if not results:
        raise RiskError("There are 0 results, so none is the worst. Run at least one shock.")
    return max(results, key=lambda result: result.loss)


def _follow(
    book: Book, shock: Shock, view: Outlook, loss: float, returns: FloatArray
) -> tuple[Aftermath | None, Aftermath | None, tuple[str, ...], tuple[str, ...]]:
    if book.covariance is None:
        return None, None, ("no covariance: nothing is said of what follows",), ()
    after = shocked_covariance(
        book.covariance, volatility=shock.volatility, correlation=shock.correlation, method=view.correlations
    )
    positions = book.weights * (1.0 + returns)
    deviation = math.sqrt(max(float(view.horizon * positions @ after.covariance @ positions), 0.0))
    normal = normal_aftermath(loss, deviation, floor=view.floor, confidence=view.confidence)
    scenarios = None
    if view.returns is not None:
        drawn = recoloured(view.returns, after.covariance, view.horizon)
        scenarios = scenario_aftermath(loss, positions, drawn, floor=view.floor, confidence=view.confidence)
    held = (*after.assumptions, f"shocked positions held for {view.horizon} days, variance growing with time")
    return normal, scenarios, held, after.repairs
