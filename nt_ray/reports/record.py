"""The record of one run: the single input of every report, and its summary as plain data.

It guarantees that arrays fit each other and that tables have their columns. It does not know where a run came
from: a backtest, a replayed swarm and a paper session leave the same record.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from nt_ray.backtest.metrics import Metrics, measure
from nt_ray.errors import ReportError
from nt_ray.types import FloatArray, IntArray

TRADE_COLUMNS = ("time", "account", "symbol", "side", "quantity", "price", "commission", "client_order_id")
AGENT_COLUMNS = ("agent", "name", "strategy", "symbols", "contribution", "mean_weight", "silent_rounds")


SPREAD = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class RunRecord:
    """What one run left behind. Row t holds what is true after bar t."""

    name: str
    settings: Mapping[str, Any]
    """Settings of the run, as JSON could hold them."""
    times: IntArray
    """int64 (T,): nanoseconds since the epoch, UTC, increasing."""
    equity: FloatArray
    """(T,) account equity, finite."""
    initial_cash: float
    """Equity before the first bar, above zero."""
    benchmark: FloatArray
    """(T,) value of a benchmark account that starts with the same cash, finite."""
    benchmark_name: str
    gross: FloatArray
    """(T,) sum of position sizes over equity; NaN where unknown."""
    net: FloatArray
    """(T,) sum of signed positions over equity; NaN where unknown."""
    costs: FloatArray
    """(T,) cumulative costs in money."""
    turnover: float
    """Annualised one-way turnover, as a multiple of equity."""
    trades: pl.DataFrame
    """One row a fill, oldest first; columns `TRADE_COLUMNS`."""
    agents: pl.DataFrame
    """One row an agent; columns `AGENT_COLUMNS`. `contribution` is the return of its own paper account."""
    edges: Sequence[tuple[int, int]]
    """Pairs of agents between which messages pass in a round; in a tree the parent comes first."""
    topology: str
    orders: int
    fills: int
    denials: Mapping[str, int]
    """Denied orders by rule of the risk gate."""
    latency_ms: Mapping[str, float]
    """Time from decision to acknowledgement: "p50" and "p99", in milliseconds."""
    bars_per_second: float
    swarm: Sequence[Mapping[str, Any]]
    """One row a topology: topology, rule, agents, hosts, messages, rounds, disagreement, silent."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further tables of names and figures, by title."""
    periods_per_year: float = 252.0
    risk_free: float = 0.0
    """Annual rate."""

    def __post_init__(self) -> None:
        bars = len(self.times)
        if bars == 0:
            raise ReportError(f"Run {self.name!r} has no bars. Report on a run that has traded at least one.")
        for name in ("equity", "benchmark", "gross", "net", "costs"):
            shape = np.shape(getattr(self, name))
            if shape != (bars,):
                raise ReportError(f"{name} has shape {shape} beside {bars} times. Give one for each time.")
        for name in ("equity", "benchmark", "costs"):
            if not np.isfinite(getattr(self, name)).all():
                raise ReportError(f"{name} holds values that are not finite. Give a number for each time.")
        if not (math.isfinite(self.initial_cash) and self.initial_cash > 0.0):
            raise ReportError(f"initial_cash = {self.initial_cash} is not positive. Give the starting equity.")
        for table, columns in (("trades", TRADE_COLUMNS), ("agents", AGENT_COLUMNS)):
            missing = [c for c in columns if c not in getattr(self, table).columns]
            if missing:
                listed = ", ".join(columns)
                raise ReportError(f"Table {table} lacks column {missing[0]!r}. It needs {listed}.")

    @property
    def equity_curve(self) -> FloatArray:
        """Equity with the initial cash first, (T+1,)."""
        return np.concatenate(([self.initial_cash], self.equity))

    @property
    def benchmark_curve(self) -> FloatArray:
        """Benchmark with the initial cash first, (T+1,)."""
        return np.concatenate(([self.initial_cash], self.benchmark))

    @property
    def spreads(self) -> bool:
        """Whether curves, positive throughout, lie further apart than five to one: a log axis shows them better."""
        lowest, highest = (f(f(self.equity), f(self.benchmark)) for f in (min, max))
        return bool(lowest > 0.0 and highest > SPREAD * lowest)

    def metrics(self) -> Metrics:
        """Measure the strategy against the benchmark."""
        return measure(
            self.equity_curve,
            self.periods_per_year,
            risk_free=self.risk_free,
            benchmark=self.benchmark_curve,
        )

    def benchmark_metrics(self) -> Metrics:
        """Measure the benchmark alone."""
        return measure(self.benchmark_curve, self.periods_per_year, risk_free=self.risk_free)

    @property
    def ranked_agents(self) -> pl.DataFrame:
        """Agents, best contribution first; those without one last."""
        known = pl.col("contribution").cast(pl.Float64).fill_nan(None)
        return self.agents.with_columns(known).sort("contribution", descending=True, nulls_last=True)

    def time(self, row: int) -> datetime:
        """UTC time of a row."""
        return datetime.fromtimestamp(int(self.times[row]) // 1_000_000_000, tz=UTC)


def summary(record: RunRecord) -> dict[str, Any]:
    """Summarise a run as data that JSON can hold: strategy and benchmark side by side; None is undefined."""
    result = {
        "name": record.name,
        "start": record.time(0).isoformat(),
        "end": record.time(-1).isoformat(),
        "bars": len(record.times),
        "initial_cash": record.initial_cash,
        "final_equity": record.equity[-1],
        "strategy": dataclasses.asdict(record.metrics()),
        "benchmark": {"name": record.benchmark_name, **dataclasses.asdict(record.benchmark_metrics())},
        "costs": record.costs[-1],
        "turnover": record.turnover,
        "orders": record.orders,
        "fills": record.fills,
        "denials": record.denials,
        "latency_ms": record.latency_ms,
        "bars_per_second": record.bars_per_second,
        "topology": record.topology,
        "agents": record.agents.height,
        "swarm": record.swarm,
    }
    plain: dict[str, Any] = to_plain(result)
    return plain


def to_plain(value: Any) -> Any:
    """Turn numpy numbers, mappings and sequences into what JSON holds; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(v) for v in value]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
