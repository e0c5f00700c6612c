"""From a finished session to the record that reports are made of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from nt_ray.market.bars import BarPanel
from nt_ray.swarm.swarm import Swarm
from nt_ray.trading.orders import Fill
from nt_ray.types import FloatArray

FILL_SCHEMA: Mapping[str, Any] = {
    "time": pl.Datetime("ns", "UTC"),
    "account": pl.String,
    "symbol": pl.String,
    "side": pl.String,
    "quantity": pl.Decimal(38, 8),
    "price": pl.Decimal(38, 8),
    "commission": pl.Decimal(38, 8),
    "client_order_id": pl.String,
}


@dataclass(frozen=True, slots=True)
class Flows:
    """What trading moved: cumulative commissions by row, and annualised one-way turnover of mean equity."""

    costs: FloatArray
    turnover: float


def trades_frame(fills: Mapping[str, Sequence[Fill]]) -> pl.DataFrame:
    """All executions, ordered by time, account and client order id; exact decimals."""
    rows = [
        (f.time, account, f.symbol, str(f.side), f.quantity, f.price, f.commission, f.client_order_id)
        for account, account_fills in fills.items()
        for f in account_fills
    ]
    frame = pl.DataFrame(rows, schema=dict(FILL_SCHEMA), orient="row")
    return frame.sort("time", "account", "client_order_id", maintain_order=True)


def agents_frame(swarm: Swarm) -> pl.DataFrame:
    """One row an agent: who it is, and what its own paper account earned."""
    report = swarm.report()
    silent = swarm.stats.silent_rounds
    return pl.DataFrame(
        {
            "agent": [s.agent for s in swarm.specs],
            "name": [s.name for s in swarm.specs],
            "strategy": [s.strategy for s in swarm.specs],
            "symbols": [len(s.symbols) for s in swarm.specs],
            "contribution": report.contributions,
            "mean_weight": report.confidences,
            "silent_rounds": silent,
        }
    )


def by_strategy(agents: pl.DataFrame) -> list[dict[str, Any]]:
    """What each strategy's agents earned by themselves: a row a strategy, in the order of the roster."""
    own = pl.col("contribution")
    table = agents.group_by("strategy", maintain_order=True).agg(
        pl.len().alias("agents"), own.mean().alias("mean"), own.min().alias("worst"), own.max().alias("best")
    )
    return table.to_dicts()


def flows(trades: pl.DataFrame, panel: BarPanel, equity: FloatArray) -> Flows:
    """Costs and turnover from executions."""
    by_row = np.zeros(len(panel))
    rows = np.searchsorted(panel.timestamps, trades["time"].cast(pl.Int64).to_numpy())
    np.add.at(by_row, rows, trades["commission"].cast(pl.Float64).to_numpy())
    traded = float((trades["quantity"].cast(pl.Float64) * trades["price"].cast(pl.Float64)).sum())
    years = len(panel) / panel.periods_per_year
    mean = float(equity.mean())
    return Flows(np.cumsum(by_row), traded / 2.0 / mean / years if mean > 0 else 0.0)


def digest(trades: pl.DataFrame, equity_quanta: Sequence[int]) -> str:
    """SHA-256 over every execution and every bar's equity: equal digests are equal runs, to the last quantum."""
    sha = hashlib.sha256()
    for row in trades.iter_rows():
        sha.update("|".join(_text(v) for v in row).encode())
    sha.update(",".join(str(int(q)) for q in equity_quanta).encode())
    return sha.hexdigest()


def _text(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
