"""What forecasts earn after costs: out-of-sample forecasts as a field of the bars, traded by `neural_forecast`.

The account and every cost are the simulator's. A forecast of bar t is traded on bar t + 1, as any decision is. Beside
it stands equal money in every instrument, bought once at the first forecast. It does not know how forecasts were
made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.measures.catalogue import measure_all
from nt_ray.backtest.measures.evidence import Evidence, evidence_of_backtest
from nt_ray.backtest.simulator import backtest, cash_quanta
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.naive import filled_forward
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find
from nt_ray.types import QUANTA_PER_UNIT, FloatArray

Unit = Literal["close", "log", "return", "simple"]
"""What was forecast: closes, their logarithms, log returns of bars, simple returns of bars."""

WARM_ROWS = 252
"""Bars before the first forecast that the strategy sees, for its volatility."""
FIELD = "forecast"
FIGURES = ("total_return", "cagr", "volatility", "sharpe", "sharpe_adjusted", "max_drawdown")


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """An account that trades forecasts, beside buy and hold over the same bars."""

    evidence: Evidence
    held: Evidence
    turnover: float
    """Value traded over mean equity and year, both sides counted."""
    costs: float
    """Commissions in money; slippage is in the prices."""

    def report(self) -> dict[str, Any]:
        """Figures of both accounts as plain data; None is undefined."""
        own, held = measure_all(self.evidence), measure_all(self.held)
        return {
            "forecast": {name: own.get(name) for name in FIGURES},
            "buy_and_hold": {name: held.get(name) for name in FIGURES},
            "turnover": self.turnover,
            "commissions": self.costs,
            "bars": len(self.evidence.times),
        }


def expected_returns(bars: BarPanel, made: Forecasts, unit: Unit) -> FloatArray:
    """Expected simple return over the whole horizon, (T, N), NaN on bars without a forecast.

    Series and rows of the forecasts are the instruments and bars of the panel.
    """
    if made.mean.shape[0] != len(bars.instruments) or (len(made.origins) and made.origins.max() >= len(bars)):
        raise NeuralError(
            f"Forecasts of {made.mean.shape[0]} series do not fit {len(bars.instruments)} instruments of {len(bars)} "
            "bars. Forecast the series of the panel that is traded."
        )
    last = filled_forward(bars.closes.T)[:, made.origins]
    result = np.full(bars.closes.shape, np.nan)
    result[made.origins] = _moves(made.mean, last, unit).T
    return result


def _moves(mean: FloatArray, last: FloatArray, unit: Unit) -> FloatArray:
    """Simple returns over the horizon, (S, O), of forecasts (S, O, H) made at these last closes (S, O)."""
    moved: FloatArray
    if unit == "return":
        moved = np.expm1(mean.sum(axis=2))
    elif unit == "simple":
        moved = np.prod(1.0 + mean, axis=2) - 1.0
    else:
        end = mean[:, :, -1]
        moved = (np.exp(end) if unit == "log" else end) / last - 1.0
    return moved


def trade(
    bars: BarPanel,
    made: Forecasts,
    *,
    unit: Unit,
    sizing: SizingParams | None = None,
    costs: Costs | None = None,
    cash: Decimal = Decimal(1_000_000),
    parameters: Mapping[str, float] | None = None,
) -> Traded:
    """Trade forecasts on the bars they were made for.

    Parameters
    ----------
    bars
        T bars; trading begins on the bar after the first origin.
    made
        Forecasts whose rows are bars of the panel.
    parameters
        Of the strategy `neural_forecast`; its horizon is that of the forecasts.
    """
    costs, sizing = costs or Costs(), sizing or SizingParams()
    field = expected_returns(bars, made, unit)
    known = np.flatnonzero(np.isfinite(field).any(axis=1))
    if not len(known) or int(known[0]) + 2 >= len(bars):
        raise NeuralError("There is no forecast that could be traded. Forecast from bars before the last two.")
    strategy = find("neural_forecast")
    horizon = made.mean.shape[2]
    params = strategy.vector({"horizon": horizon, **(parameters or {})})
    first = int(known[0])
    start = max(first - WARM_ROWS, 0)
    warm = _from(bars.with_field(FIELD, field), start)
    result = backtest(warm, strategy, params, sizing=sizing, costs=costs, initial_cash=cash)
    opening = cash_quanta(cash)
    whole = evidence_of_backtest(result, opening, costs)
    skipped = first - start
    # Nothing is traded before the first forecast, so the account is judged from there.
    own = Evidence(whole.times[skipped:], whole.equity[skipped:], bars.periods_per_year)
    held = buy_and_hold(_from(bars, first), costs, cash) / QUANTA_PER_UNIT
    beside = Evidence(bars.timestamps[first:], np.concatenate(([float(cash)], held)), bars.periods_per_year)
    trades = whole.trades
    traded, paid = (0.0, 0.0) if trades is None else (trades.traded, trades.commission)
    years = len(own.times) / bars.periods_per_year
    return Traded(own, beside, traded / float(np.mean(own.equity)) / years, paid)


def _from(bars: BarPanel, row: int) -> BarPanel:
    """Bars from a row on."""
    return replace(bars, timestamps=bars.timestamps[row:], values=np.ascontiguousarray(bars.values[row:]))
