from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from nt_ray.market.source import load_panel
from nt_ray.reports.record import RunRecord

STRATEGIES = ("momentum", "mean-reversion", "pairs")


def edges_of(topology: str, count: int) -> list[tuple[int, int]]:
    if topology == "star":
        return [(0, a) for a in range(1, count)]
    if topology == "hierarchical":
        return [((a - 1) // 3, a) for a in range(1, count)]
    if topology == "ring":
        return [(a, (a + 1) % count) for a in range(count)]
    return [(a, (a + step) % count) for a in range(count) for step in (1, 3, 7)]


def trades_of(times: np.ndarray, symbols: tuple[str, ...], count: int) -> pl.DataFrame:
    rows = np.linspace(0, len(times) - 1, count).astype(int)
    side = ["buy", "sell"]
    return pl.DataFrame(
        {
            "time": pl.Series(times[rows]).cast(pl.Datetime("ns", "UTC")),
            "account": ["alpha" if i % 3 else "beta" for i in range(count)],
            "symbol": [symbols[i % len(symbols)] for i in range(count)],
            "side": [side[i % 2] for i in range(count)],
            "quantity": [Decimal(10 + i % 90) for i in range(count)],
            "price": [Decimal("101.2500") + i for i in range(count)],
            "commission": [Decimal("0.35")] * count,
            "client_order_id": [f"run.{i}" for i in range(count)],
        }
    )


def agents_of(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "agent": range(count),
            "name": [f"{STRATEGIES[i % 3]}-{i}" for i in range(count)],
            "strategy": [STRATEGIES[i % 3] for i in range(count)],
            "symbols": [["AAPL", "MSFT"]] * count,
            "contribution": [0.08 * np.sin(i * 1.7) for i in range(count)],
            "mean_weight": [1.0 / count] * count,
            "silent_rounds": [i % 2 for i in range(count)],
        },
        schema_overrides={"contribution": pl.Float64, "mean_weight": pl.Float64},
    )


@pytest.fixture(scope="session")
def make_record() -> Callable[..., RunRecord]:
    panel = load_panel("sp500", start=datetime(2013, 1, 2, tzinfo=UTC))
    closes = panel.closes[:, [0, 4, 9]]
    equity = 1e5 * np.mean(closes / closes[0], axis=1)
    benchmark = 1e5 * np.mean(panel.closes / panel.closes[0], axis=1)
    bars = np.arange(len(panel))

    def make(agents: Any = 12, topology: str = "mesh", trades: Any = 450, **changes: Any) -> RunRecord:
        crew = agents_of(agents) if isinstance(agents, int) else agents
        fills = trades_of(panel.timestamps, panel.symbols, trades) if isinstance(trades, int) else trades
        count = crew.height
        values: dict[str, Any] = {
            "name": "three stocks",
            "settings": {
                "data": {"source": "sp500"},
                "accounts": [{"name": "alpha"}, {"name": "beta"}],
                "seed": 7,
            },
            "times": panel.timestamps,
            "equity": equity,
            "initial_cash": 1e5,
            "benchmark": benchmark,
            "benchmark_name": "20 stocks, equal money",
            "gross": 0.9 + 0.1 * np.sin(bars / 60),
            "net": 0.4 * np.sin(bars / 90),
            "costs": 0.35 * bars,
            "turnover": 3.25,
            "trades": fills,
            "agents": crew,
            "edges": edges_of(topology, count),
            "topology": topology,
            "orders": 470,
            "fills": fills.height,
            "denials": {"max_gross": 15, "price_collar": 5},
            "latency_ms": {"p50": 0.41, "p99": 1.9},
            "bars_per_second": 2150.0,
            "swarm": [
                {"topology": t, "rule": "mean", "agents": count, "hosts": 2, "messages": m, "rounds": r}
                | {"disagreement": 0.2134, "silent": 0}
                for t, m, r in (("star", 11, 1), ("hierarchical", 11, 3), ("ring", 12, 12), ("mesh", 468, 13))
            ],
            "periods_per_year": 252.0,
        }
        return RunRecord(**{**values, **changes})

    return make
