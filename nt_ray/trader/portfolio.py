"""The portfolio over all accounts, and the historical risk of holding it.

Value at risk and expected shortfall revalue today's positions over the panel's past one-bar returns (historical
simulation); the conventions are those of `nt_ray.risk.historical`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.market.bars import BarPanel
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.trader.account import AccountState


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All accounts together. `positions` are signed quantities by symbol, zero ones left out."""

    cash: Decimal
    equity: Decimal
    positions: Mapping[str, Decimal]
    accounts: Mapping[str, AccountState]


@dataclass(frozen=True, slots=True)
class RiskSummary:
    """One-bar historical risk of a portfolio, in currency, and its exposures as fractions of equity."""

    confidence: float
    scenarios: int
    value_at_risk: float
    expected_shortfall: float
    gross_exposure: float
    net_exposure: float
    largest_position: float


def combine(states: Mapping[str, AccountState]) -> Portfolio:
    """Add up accounts."""
    positions: dict[str, Decimal] = {}
    for state in states.values():
        for symbol, quantity in state.positions.items():
            positions[symbol] = positions.get(symbol, Decimal(0)) + quantity
    return Portfolio(
        cash=sum((s.cash for s in states.values()), Decimal(0)),
        equity=sum((s.equity for s in states.values()), Decimal(0)),
        positions={symbol: q for symbol, q in sorted(positions.items()) if q},
        accounts=dict(states),
    )


def analyze(portfolio: Portfolio, panel: BarPanel, row: int, confidence: float) -> RiskSummary:
    """Risk of holding `portfolio` from the close of `row` for one bar, from the returns up to that row.

    A position without a price at `row`, or too few returns for the confidence, is a `RiskError`.
    """
    columns = [panel.symbols.index(symbol) for symbol in portfolio.positions]
    prices = panel.closes[row, columns]
    if np.isnan(prices).any():
        missing = panel.symbols[columns[int(np.isnan(prices).argmax())]]
        raise RiskError(f"{missing} has no price at {panel.time(row)}. Analyse at a bar with a price for it.")
    values = prices * np.array([float(q) for q in portfolio.positions.values()])
    past = panel.closes[: row + 1][:, columns]
    returns = past[1:] / past[:-1] - 1.0
    profits = returns[~np.isnan(returns).any(axis=1)] @ values
    if len(profits) * (1.0 - confidence) < 1.0:
        raise RiskError(
            f"{len(profits)} past returns are too few for confidence {confidence}. "
            f"Use at least {int(np.ceil(1.0 / (1.0 - confidence)))}, or a lower confidence."
        )
    equity = float(portfolio.equity)
    weights = values / equity if equity > 0 else np.zeros(len(values))
    return RiskSummary(
        confidence=confidence,
        scenarios=len(profits),
        value_at_risk=historical_var(profits, confidence),
        expected_shortfall=historical_es(profits, confidence),
        gross_exposure=float(np.abs(weights).sum()),
        net_exposure=float(weights.sum()),
        largest_position=float(np.abs(weights).max(initial=0.0)),
    )
