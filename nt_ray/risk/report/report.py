"""The risk report of a portfolio: value at risk by every method, its parts, tests of the model, stress and structure.

Figures are fractions of equity, money beside them where a reader wants it. Each equals what the function behind it
answers for the same weights and returns; what cannot be said carries its reason in place of a number.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.moments.covariance import dense, estimate
from nt_ray.risk.report.components import Components, components
from nt_ray.risk.report.history import History, history_of
from nt_ray.risk.report.holdings import Holdings
from nt_ray.risk.report.model_tests import ModelTest, model_tests
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.refusal import attempt
from nt_ray.risk.report.stresses import Stresses, stresses
from nt_ray.risk.report.structure import Structure, structure
from nt_ray.risk.report.surroundings import Dependence, Regime, dependence, regime
from nt_ray.risk.report.tails import TailRow, tail_rows
from nt_ray.risk.stress.analysis import Outlook
from nt_ray.risk.stress.book import Book, book_of
from nt_ray.types import FloatArray

SCHEMA = 1
"""Grows when a name in the JSON of a report changes its meaning or goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """One position of the report; money as exact text."""

    symbol: str
    quantity: str
    price: str
    value: str
    weight: float
    asset_class: str
    sector: str
    stops: tuple[str, ...]
    """Prices of the known stop orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What today's weights, restored every period, would have made of 1 over the history."""

    times: tuple[str, ...]
    returns: tuple[float, ...]
    drawdown: tuple[float, ...]
    """Zero or negative; the start counts as a peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """Everything of one portfolio."""

    schema: int
    source: str
    data: str
    time: str
    """End of the last period seen."""
    equity: str
    periods: int
    periods_per_year: float
    volatility: float
    """A year, from the covariance of the plan."""
    positions: tuple[HeldRow, ...]
    tails: tuple[TailRow, ...]
    components: tuple[Components, ...]
    model_tests: tuple[ModelTest, ...]
    stress: Stresses
    structure: Structure
    dependence: Dependence | None
    dependence_refused: str
    regime: Regime | None
    regime_refused: str
    path: Path

    def as_data(self) -> dict[str, Any]:
        """Return the report as mappings, sequences, numbers and text."""
        return asdict(self)


def risk_report(holdings: Holdings, panel: BarPanel, plan: ReportPlan | None = None) -> RiskReport:
    """Report on holdings whose symbols are all in a panel of bars."""
    wanted = plan or ReportPlan()
    past = history_of(panel, holdings.symbols, wanted.history)
    covariance = dense(estimate(wanted.covariance, past.returns, assets=past.symbols))
    book = book_for(holdings, covariance)
    weights, equity = holdings.weights, float(holdings.equity)
    portfolio = past.returns @ weights
    moves, moves_refused = attempt(lambda: dependence(past.symbols, past.returns))
    state, state_refused = attempt(lambda: regime(portfolio, past.periods_per_year, wanted.seed))
    return RiskReport(
        schema=SCHEMA,
        source=holdings.source,
        data=panel.name,
        time=past.stamps[-1],
        equity=f"{holdings.equity:f}",
        periods=len(past.returns),
        periods_per_year=past.periods_per_year,
        volatility=float(np.sqrt(max(float(weights @ covariance @ weights), 0.0) * past.periods_per_year)),
        positions=_held(holdings, book),
        tails=tail_rows(past.returns, weights, equity, wanted),
        components=components(past.symbols, weights, past.returns, covariance, wanted.highest),
        model_tests=model_tests(portfolio, past.stamps, wanted),
        stress=stresses(
            book,
            panel,
            wanted.applied,
            equity=equity,
            outlook=Outlook(horizon=wanted.follow, confidence=wanted.highest, floor=wanted.floor),
            reverse_loss=wanted.reverse_loss,
            horizons=wanted.horizons,
        ),
        structure=structure(holdings, book.classes, covariance),
        dependence=moves,
        dependence_refused=moves_refused,
        regime=state,
        regime_refused=state_refused,
        path=_path(past, portfolio),
    )


def book_for(holdings: Holdings, covariance: FloatArray | None = None) -> Book:
    """Return holdings as the book that stress works on; classes that are not given are guessed, and told."""
    return book_of(
        dict(zip(holdings.symbols, holdings.weights.tolist(), strict=True)),
        classes={p.symbol: p.asset_class for p in holdings.positions if p.asset_class},
        covariance=covariance,
    )


def _held(holdings: Holdings, book: Book) -> tuple[HeldRow, ...]:
    return tuple(
        HeldRow(
            symbol=position.symbol,
            quantity=f"{position.quantity:f}",
            price=f"{position.price:f}",
            value=f"{position.value:f}",
            weight=weight,
            asset_class=kind,
            sector=position.sector,
            stops=tuple(f"{stop.price:f}" for stop in position.stops),
        )
        for position, weight, kind in zip(holdings.positions, holdings.weights.tolist(), book.classes, strict=True)
    )


def _path(past: History, portfolio: FloatArray) -> Path:
    # A loss of everything ends the path at nothing.
    wealth = np.concatenate([[1.0], np.cumprod(np.maximum(1.0 + portfolio, 0.0))])
    fallen = wealth / np.maximum.accumulate(wealth) - 1.0
    return Path(times=past.stamps, returns=tuple(portfolio.tolist()), drawdown=tuple(fallen[1:].tolist()))
