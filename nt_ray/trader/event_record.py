"""From a run of the event simulator to its books, its evidence and the record that reports are made of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.runnable import Runnable
from nt_ray.backtest.event.trades import Trade
from nt_ray.backtest.measures.evidence import Evidence, Trades
from nt_ray.backtest.round_trips import RoundTrips, excursions
from nt_ray.backtest.simulator import Tape as Prices
from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.money import converted
from nt_ray.brokers.simulated.tables import FX_ONE, Tape
from nt_ray.config import Settings
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.reports.record import AGENT_COLUMNS, RunRecord
from nt_ray.strategies.loader import label
from nt_ray.trader.forecasting import forecast_details
from nt_ray.types import MONEY_DECIMALS, QUANTA_PER_UNIT, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Setup:
    """What is run: a strategy over bars, under a market written down, with sizing for targets and costs beneath it."""

    strategy: Runnable
    panel: BarPanel
    market: Mapping[str, Any]
    sizing: SizingParams
    costs: Costs
    cash: Decimal
    forecast: str = ""
    """Where the forecast comes from that the strategy trades; empty where it trades none."""
    horizon: int = 0
    """Bars that the forecast looks ahead."""


def identity(result: EventResult) -> dict[str, Decimal]:
    """What the change of equity is made of, to the last quantum; `unexplained` is what is left, zero in true books."""
    return {
        "realised": result.realised,
        "unrealised": result.unrealised,
        "dividends": result.dividends,
        "funding": result.funding,
        "fees": -result.fees,
        "borrowing": -result.borrowing,
        "change": result.final_equity - Decimal(result.initial_quanta).scaleb(-MONEY_DECIMALS),
        "unexplained": result.unexplained,
    }


def endings(result: EventResult) -> dict[str, int]:
    """Orders by how they ended, with the reason where there is one; `working` and `held` are open at the end."""
    table = result.order_table()
    whole = [f"{status} ({reason})" if reason else status for status, reason in table["status", "reason"].iter_rows()]
    return dict(Counter(whole).most_common())


def costs_by_kind(result: EventResult, tape: Tape) -> dict[str, Decimal]:
    """What trading and holding cost; slippage lies in the prices of the fills, the rest beside them."""
    moved = 0
    for fill in result.fills.tolist():
        away = (fill[tables.FILL_TICKS] - fill[tables.FILL_RAW]) * fill[tables.FILL_SIDE] * fill[tables.FILL_LOTS]
        column = fill[tables.FILL_COLUMN]
        moved += converted(tape, fill[tables.FILL_ROW], column, away * int(tape.terms[column, tables.UNIT]))
    return {
        "fees": result.fees,
        "slippage, in the prices": Decimal(moved).scaleb(-MONEY_DECIMALS),
        "borrowing": result.borrowing,
        "funding": -result.funding,
    }


def record_of(
    settings: Settings,
    setup: Setup,
    result: EventResult,
    tape: Tape,
    market: Market,
    fills: pl.DataFrame,
    books: Mapping[str, Decimal],
    seconds: float,
    forecast: Mapping[str, Any],
) -> RunRecord:
    """Record of a run; it has no agents, and its further tables tell endings, costs and books."""
    panel = result.panel
    equity = result.equity_quanta / QUANTA_PER_UNIT
    values = result.positions * _unit_values(panel, tape)
    paid = np.zeros(len(panel))
    np.add.at(paid, result.fills[:, tables.FILL_ROW], result.fills[:, tables.FILL_FEE] / QUANTA_PER_UNIT)
    mean, years = float(equity.mean()), len(panel) / panel.periods_per_year
    traded = float(result.ledger[tables.TRADED]) / QUANTA_PER_UNIT
    over = np.where(equity > 0.0, equity, np.nan)
    name, benchmark = _benchmark(panel, tape, market, setup)
    shown = {"realised": "Realised P&L", "unrealised": "Unrealised P&L", "change": "Change of equity"}
    return RunRecord(
        name=label(setup.strategy.name),
        settings={
            "strategy": {"name": setup.strategy.name, **setup.strategy.parameters},
            "market": dict(setup.market),
            **settings.resolved(),
        },
        times=panel.timestamps,
        equity=equity,
        initial_cash=float(setup.cash),
        benchmark=benchmark,
        benchmark_name=name,
        gross=np.abs(values).sum(axis=1) / over,
        net=values.sum(axis=1) / over,
        costs=np.cumsum(paid),
        turnover=traded / 2.0 / mean / years if mean > 0 else 0.0,
        trades=fills,
        agents=pl.DataFrame(schema=dict.fromkeys(AGENT_COLUMNS, pl.String)),
        edges=(),
        topology="",
        orders=len(result.orders),
        fills=len(result.fills),
        denials={},
        latency_ms={},
        bars_per_second=len(panel) * len(panel.symbols) / seconds if seconds > 0 else 0.0,
        swarm=(),
        details={
            "Orders by ending": endings(result),
            "Costs by kind": costs_by_kind(result, tape),
            "Books": {shown.get(k, k.capitalize()): v for k, v in books.items()},
            **(forecast_details(forecast) if forecast else {}),
        },
        periods_per_year=panel.periods_per_year,
    )


def _unit_values(panel: BarPanel, tape: Tape) -> FloatArray:
    """Value of one lot at the last known close, in the account's currency, (T, N); 0 before the first."""
    marks = np.maximum(Prices.of(panel, Costs()).marks(), 0)
    values: FloatArray = marks * tape.terms[:, tables.UNIT] / QUANTA_PER_UNIT
    return values if len(tape.fx) == 0 else values * tape.fx[:, tape.terms[:, tables.CURRENCY]] / FX_ONE


def _benchmark(panel: BarPanel, tape: Tape, market: Market, setup: Setup) -> tuple[str, FloatArray]:
    """Equal money in each instrument from the start: traded at its costs, or by value where that takes more."""
    if len(tape.fx) == len(tape.splits) == len(tape.dividends) == 0:
        costs = market.terms.costs if isinstance(market.terms, Terms) else setup.costs
        return f"buy and hold of {panel.name}", buy_and_hold(panel, costs, setup.cash) / QUANTA_PER_UNIT
    units: FloatArray = np.ones(panel.closes.shape)
    if len(tape.splits):
        units = np.asarray(np.cumprod(tape.splits[:, :, 0] / tape.splits[:, :, 1], axis=0), dtype=np.float64)
    lot = _unit_values(panel, tape)
    worth = units * lot
    if len(tape.dividends):
        before = np.vstack([np.ones(units.shape[1]), units[:-1]])
        rate = 1.0 if len(tape.fx) == 0 else tape.fx[:, tape.terms[:, tables.CURRENCY]] / FX_ONE
        worth = worth + np.cumsum(before * tape.dividends / QUANTA_PER_UNIT * rate, axis=0)
    first: IntArray = np.argmax(lot > 0.0, axis=0)
    start = np.array([worth[row, c] for c, row in enumerate(first.tolist())])
    held = np.arange(len(worth))[:, None] >= first
    # Each instrument grows from its first close on; its money waits until then.
    growth = np.where(held & (start > 0.0), worth / np.where(start > 0.0, start, 1.0), 1.0)
    return f"{panel.name}, equal money, no costs", float(setup.cash) * growth.mean(axis=1)


def evidence(record: RunRecord, found: list[Trade], result: EventResult, tape: Tape) -> Evidence:
    """Evidence for every measure; excursions only where no split changes what a price means."""
    closed = [t for t in found if t.exit_row >= 0]
    profits = np.array([(t.profit - t.fees) / QUANTA_PER_UNIT for t in closed])
    worths = np.array([t.worth / QUANTA_PER_UNIT for t in closed])
    excursion = np.full((2, len(closed)), np.nan)
    if len(tape.splits) == 0 and closed:
        excursion = np.array(excursions(_round_trips(closed, tape), result.panel))
    traded = Trades(
        profits=profits,
        returns=np.divide(profits, worths, out=np.zeros(len(closed)), where=worths > 0.0),
        holding=np.array([float(t.exit_row - t.entry_row) for t in closed]),
        adverse=excursion[0],
        favourable=excursion[1],
        traded=float(result.ledger[tables.TRADED]) / QUANTA_PER_UNIT,
        commission=float(result.fees),
        gross=np.nan_to_num(record.gross),
    )
    return Evidence(
        record.times, record.equity_curve, record.periods_per_year, record.risk_free, record.benchmark_curve, traded
    )


def _round_trips(closed: list[Trade], tape: Tape) -> RoundTrips:
    table = np.array(
        [(t.column, t.side, t.lots, t.entry_row, t.exit_row, t.entry_ticks, t.exit_ticks, t.fees) for t in closed],
        dtype=np.int64,
    )
    c = [np.ascontiguousarray(values) for values in table.T]
    return RoundTrips(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], tape.terms[c[0], tables.UNIT])
