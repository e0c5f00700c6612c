"""The stress table: history's crises, shocks, the shock that costs a given loss, and correlations that go to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.risk.report.refusal import attempt
from nt_ray.risk.stress.analysis import Outlook, StressResult, stress
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.reverse import reverse_stress
from nt_ray.risk.stress.sensitivity import CorrelationStress, correlation_stress
from nt_ray.risk.stress.shocks import Shock
from nt_ray.risk.stress.windows import WINDOWS, WindowResult, replay
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRow:
    """One crisis or shock. Losses are fractions of equity; without figures where it cannot be applied."""

    name: str
    kind: str
    """window (history replayed) or shock."""
    loss: float | None
    loss_money: float | None
    worst_loss: float | None
    """Of a window, at its worst close."""
    var: float | None
    es: float | None
    """After a shock, with its own loss, while the shocked positions are held; normal."""
    survival: float | None
    """Chance that equity never falls below the floor meanwhile."""
    by_asset: dict[str, float]
    assumptions: tuple[str, ...]
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseRow:
    """The most plausible shock that costs a loss, over some periods."""

    loss: float
    horizon: int
    distance: float
    """In standard deviations from the mean."""
    probability: float
    """Normal probability of losing so much or more."""
    shock: dict[str, float]
    by_asset: dict[str, float]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stresses:
    """Every stress of a report."""

    rows: tuple[StressRow, ...]
    reverse: tuple[ReverseRow, ...]
    reverse_refused: str
    correlations: tuple[CorrelationStress, ...]
    horizon: int
    """Periods that a shocked portfolio is followed for, at this confidence, above this floor of equity."""
    confidence: float
    floor: float
    notes: tuple[str, ...]


def window_rows(book: Book, panel: BarPanel, equity: float) -> tuple[StressRow, ...]:
    """Replay history's crises on a book, as far as the bars of its assets reach."""
    closes = panel.select(book.names).closes
    returns = np.ascontiguousarray(closes[1:] / closes[:-1] - 1.0)
    found = replay(returns, panel.timestamps[1:], book.weights, names=book.names, windows=WINDOWS, since=panel.time(0))
    return tuple(_of_window(result, book, equity) for result in found)


def shock_rows(book: Book, shocks: Sequence[Shock], equity: float, outlook: Outlook) -> tuple[StressRow, ...]:
    """Apply shocks to a book, each from the same start."""
    rows = []
    for shock in shocks:
        found, refused = attempt(partial(stress, book, shock, outlook))
        rows.append(_of_shock(shock, found, refused, book, equity))
    return tuple(rows)


def reverse_rows(book: Book, loss: float, horizons: Sequence[int]) -> tuple[ReverseRow, ...]:
    """Find the shock nearest to the mean that costs a loss, over each horizon."""
    covariance = np.zeros((0, 0)) if book.covariance is None else book.covariance
    rows = []
    for horizon in horizons:
        found = reverse_stress(book.weights, covariance, loss, horizon=horizon)
        rows.append(
            ReverseRow(
                loss=found.loss,
                horizon=horizon,
                distance=found.distance,
                probability=found.probability,
                shock=_named(book, found.shock),
                by_asset=_named(book, found.by_asset),
                assumptions=found.assumptions,
            )
        )
    return tuple(rows)


def stresses(
    book: Book,
    panel: BarPanel,
    shocks: Sequence[Shock],
    *,
    equity: float,
    outlook: Outlook,
    reverse_loss: float,
    horizons: Sequence[int],
) -> Stresses:
    """Stress a book in every way."""
    reverse, refused = attempt(lambda: reverse_rows(book, reverse_loss, horizons))
    moved, _ = attempt(lambda: correlation_stress(book, confidence=outlook.confidence))
    return Stresses(
        rows=(*window_rows(book, panel, equity), *shock_rows(book, shocks, equity, outlook)),
        reverse=reverse or (),
        reverse_refused=refused,
        correlations=moved or (),
        horizon=outlook.horizon,
        confidence=outlook.confidence,
        floor=outlook.floor,
        notes=book.notes,
    )


def _of_window(found: WindowResult, book: Book, equity: float) -> StressRow:
    return StressRow(
        name=found.name,
        kind="window",
        loss=found.loss,
        loss_money=None if found.loss is None else found.loss * equity,
        worst_loss=found.worst_loss,
        var=None,
        es=None,
        survival=None,
        by_asset={} if found.by_asset is None else _named(book, found.by_asset),
        assumptions=(f"{found.start} to {found.end}", *found.assumptions),
        refused=found.reason,
    )


def _of_shock(shock: Shock, found: StressResult | None, refused: str, book: Book, equity: float) -> StressRow:
    after = None if found is None else found.normal
    return StressRow(
        name=shock.name,
        kind="shock",
        loss=None if found is None else found.loss,
        loss_money=None if found is None else found.loss * equity,
        worst_loss=None,
        var=None if after is None else after.var,
        es=None if after is None else after.es,
        survival=None if after is None else after.survival,
        by_asset={} if found is None else _named(book, found.by_asset),
        # What the book assumes is said once, for all of them.
        assumptions=shock.assumptions if found is None else (*found.assumptions[len(book.notes) :], *found.repairs),
        refused=refused,
    )


def _named(book: Book, values: FloatArray) -> dict[str, float]:
    return dict(zip(book.names, values.tolist(), strict=True))
