"""`PortfolioOptimizer`: from bars to weights, and to the risk of weights, in two calls.

    best = PortfolioOptimizer(panel, covariance="ledoit_wolf").optimize("max_sharpe", Constraints(upper=0.2))
    print(dict(zip(best.symbols, best.weights)), best.sharpe, best.solution.residual)

Moments are estimated once, from the bars that all symbols have, and are annual: expected returns and covariance of one
bar times the bars in a year. It solves nothing itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.market.bars import BarPanel, known_closes
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.moments.black_litterman import View, black_litterman
from nt_ray.portfolio.moments.covariance import dense, estimate
from nt_ray.portfolio.moments.expected import EXPECTATIONS, implied
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.frontier import frontier
from nt_ray.portfolio.optimise.objectives import Task, optimise
from nt_ray.portfolio.optimise.solution import Solution
from nt_ray.risk.report.history import history_of
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import RiskReport, risk_report
from nt_ray.types import FloatArray

BLACK_LITTERMAN = "black_litterman"
IMPLIED = "implied"
"""Expected returns at which the market's weights are the best portfolio."""
_LONG_ONLY = Constraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """Views, what they are set against, and how far the prior is trusted."""

    views: tuple[View, ...]
    market: FloatArray | None = None
    """(N,) weights of the equilibrium; equal ones where None."""
    tau: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """A portfolio with its annual figures."""

    symbols: tuple[str, ...]
    weights: FloatArray
    """(N,)"""
    expected: float
    volatility: float
    sharpe: float | None
    """Expected return above the rate over volatility; None without volatility."""
    solution: Solution


class PortfolioOptimizer:
    """Moments of the symbols of a panel, and every optimiser on them."""

    def __init__(
        self,
        panel: BarPanel,
        *,
        covariance: str = "ledoit_wolf",
        expected: str | npt.ArrayLike = "mean",
        opinion: Opinion | None = None,
        risk_aversion: float = 4.0,
        rate: float = 0.0,
    ) -> None:
        """Estimate moments.

        `expected` is an estimator of `EXPECTATIONS`, "implied", or (N,) annual returns; an opinion moves it. `rate` is
        annual.
        """
        self._panel = panel
        past = history_of(panel, panel.symbols, len(panel))
        self.symbols = past.symbols
        self.bars_a_year = past.periods_per_year
        self.returns = past.returns
        self.risk_aversion, self.rate = risk_aversion, rate
        self._opinion = opinion
        self.covariance = dense(estimate(covariance, past.returns, assets=past.symbols)) * self.bars_a_year
        self.expected = self._expected(expected)
        if opinion is not None:
            self.expected, self.covariance = self._moved(self.expected, opinion)

    def optimize(
        self,
        objective: str,
        constraints: Constraints = _LONG_ONLY,
        *,
        target: float | None = None,
        confidence: float = 0.95,
    ) -> Optimum:
        """Optimise by an objective of `nt_ray.portfolio.optimise.objectives`, or by "black_litterman".

        The latter is mean-variance on the returns that views make of those implied by the market's weights. `target`
        is annual.
        """
        task = Task(
            covariance=self.covariance,
            expected=self.expected,
            scenarios=self.returns,
            bars=self.bars_a_year,
            constraints=constraints,
            risk_aversion=self.risk_aversion,
            rate=self.rate,
            target=target,
            confidence=confidence,
        )
        if objective == BLACK_LITTERMAN:
            if self._opinion is None:
                raise RiskError("black_litterman has no views. Give an opinion, or use mean_variance.")
            objective = "mean_variance"
        return self._judged(optimise(objective, task))

    def frontier(self, points: int = 20, constraints: Constraints = _LONG_ONLY) -> tuple[Optimum, ...]:
        """Return efficient portfolios from the calmest to the boldest."""
        found = frontier(self.expected, self.covariance, points, constraints)
        return tuple(self._judged(solution) for solution in found)

    def risk(
        self, weights: npt.ArrayLike, *, capital: Decimal = Decimal(100_000), plan: ReportPlan | None = None
    ) -> RiskReport:
        """Report the risk of weights (N,) of a capital at the last closes, in exact fractions of a unit."""
        prices = self.prices()
        positions = [
            Position(
                symbol=symbol, quantity=(capital * Decimal(repr(weight)) / price).quantize(Decimal("1e-8")), price=price
            )
            for symbol, weight, price in zip(
                self.symbols, check_weights(weights, len(self.symbols)).tolist(), prices, strict=True
            )
        ]
        return risk_report(holdings_of(positions, capital, "weights"), self._panel, plan)

    def prices(self) -> tuple[Decimal, ...]:
        """Last close of each symbol, in whole price increments."""
        closes = known_closes(self._panel.closes)[-1]
        return tuple(
            instrument.price(int(np.rint(close / float(instrument.price_increment))))
            for instrument, close in zip(self._panel.instruments, closes.tolist(), strict=True)
        )

    def _expected(self, expected: str | npt.ArrayLike) -> FloatArray:
        if not isinstance(expected, str):
            return check_weights(expected, len(self.symbols))
        if expected == IMPLIED:
            market = self._opinion.market if self._opinion is not None else None
            equal = np.full(len(self.symbols), 1.0 / len(self.symbols))
            held = equal if market is None else market
            return implied(self.covariance, held, risk_aversion=self.risk_aversion, rate=self.rate)
        known = [name for name in EXPECTATIONS if name != "capm"]
        if expected not in known:
            raise RiskError(
                f"There is no expected return {expected!r}. Known: {', '.join((*known, IMPLIED))}; or give numbers."
            )
        return EXPECTATIONS[expected](self.returns) * self.bars_a_year

    def _moved(self, prior: FloatArray, opinion: Opinion) -> tuple[FloatArray, FloatArray]:
        found = black_litterman(self.covariance, prior, opinion.views, self.symbols, tau=opinion.tau)
        return found.expected, found.covariance

    def _judged(self, solution: Solution) -> Optimum:
        weights = solution.weights
        expected = float(weights @ self.expected)
        volatility = math.sqrt(max(float(weights @ self.covariance @ weights), 0.0))
        excess = expected - self.rate * float(weights.sum())
        return Optimum(
            symbols=self.symbols,
            weights=weights,
            expected=expected,
            volatility=volatility,
            sharpe=excess / volatility if volatility > 0.0 else None,
            solution=solution,
        )


def symbols_and_weights(optimum: Optimum, least: float = 1e-9) -> Sequence[tuple[str, float]]:
    """Return the symbols that are held with their weights, largest first."""
    pairs = zip(optimum.symbols, optimum.weights.tolist(), strict=True)
    return sorted(((s, w) for s, w in pairs if abs(w) > least), key=lambda pair: -abs(pair[1]))
