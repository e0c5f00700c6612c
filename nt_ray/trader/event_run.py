"""A backtest in the event simulator, from settings to a run's folder.

Runs any strategy under any market, checks that the books add up, and writes what `NeuralTrader` writes of a session:
settings, market, fills, orders, trades, equity, summary, tear sheet and picture. Needs no Ray.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nt_ray.backtest.event.market_table import market_of
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.runnable import OnRow
from nt_ray.backtest.event.trades import trade_table, trades
from nt_ray.backtest.measures.catalogue import measure_all
from nt_ray.config import Settings
from nt_ray.config.toml_text import toml_text
from nt_ray.errors import TradingError
from nt_ray.reports.record import RunRecord, to_plain
from nt_ray.strategies.loader import label
from nt_ray.trader import files
from nt_ray.trader.event_record import Setup, costs_by_kind, endings, evidence, identity, record_of
from nt_ray.trader.forecasting import judge, write_forecast
from nt_ray.trader.recording import digest
from nt_ray.trader.run_folder import create_run_folder, finish, write_table

KIND = "backtest"
"""What the summary of such a run calls itself."""


@dataclass(frozen=True, slots=True, eq=False)
class EventRun:
    """What a finished run leaves."""

    result: EventResult
    trades: pl.DataFrame
    record: RunRecord
    summary: Mapping[str, Any]
    folder: Path


def run_events(settings: Settings, setup: Setup, on_row: OnRow | None = None) -> EventRun:
    """Run, check and write."""
    panel, market = market_of(setup.market, setup.panel, setup.costs)
    tape = market.tape(panel)
    started = time.perf_counter()
    result = setup.strategy.run(
        panel, sizing=setup.sizing, market=market, initial_cash=setup.cash, on_row=on_row
    )  # fmt: skip
    seconds = time.perf_counter() - started
    books = identity(result)
    if books["unexplained"]:
        raise TradingError(
            f"The books of {setup.strategy.name} do not add up: {books['unexplained']} of the change of equity has no "
            "cause. Nothing was written; report this run."
        )
    found = trades(result, tape)
    fills = _fills(result, label(setup.strategy.name))
    forecast = judge(setup.panel, setup.horizon, setup.forecast) if setup.forecast else {}
    record = record_of(settings, setup, result, tape, market, fills, books, seconds, forecast)
    folder = create_run_folder(Path(settings.runs), f"{KIND}-{label(setup.strategy.name)}", settings.seed)
    table = trade_table(result, found)
    write_table(table, folder / files.TRADES, folder / files.TRADES_CSV)
    write_table(fills, folder / files.FILLS, folder / files.FILLS_CSV)
    result.order_table().write_parquet(folder / files.ORDERS)
    (folder / files.MARKET).write_text(toml_text(setup.market), encoding="utf-8")
    if forecast:
        write_forecast(folder, setup.panel, forecast)
    extra = {
        "kind": KIND,
        **({"forecast": forecast} if forecast else {}),
        "strategy_name": setup.strategy.name,
        "parameters": setup.strategy.parameters,
        "symbols": list(panel.symbols),
        "endings": endings(result),
        "costs_by_kind": {name: f"{value:f}" for name, value in costs_by_kind(result, tape).items()},
        "books": {name: f"{value:f}" for name, value in books.items()},
        "trades": int((~table["open"]).sum()),
        "measures": measure_all(evidence(record, found, result, tape)),
        "digest": digest(fills, result.equity_quanta.tolist()),
        "seconds": round(seconds, 3),
    }
    return EventRun(result, table, record, finish(folder, record, settings, to_plain(extra)), folder)


def _fills(result: EventResult, account: str) -> pl.DataFrame:
    """Fills with the columns that every record has, then the simulator's own."""
    return result.fill_table().select(
        "time",
        pl.lit(account).alias("account"),
        "symbol",
        "side",
        "quantity",
        "price",
        "commission",
        pl.col("order").cast(pl.String).alias("client_order_id"),
        "maker",
        "slippage_ticks",
        "realised",
    )
