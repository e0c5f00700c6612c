"""Crossings of moving averages on vectorbt, filled at the close that makes them; writes orders and equity as JSON.

    .venv-peers/vectorbt/bin/python benchmarks/peers/vectorbt_crossover.py BARS.csv

`tests/backtest/peers/` runs the same rules on the event simulator and compares. The second set of bars is a walk
of whole cents at a low price, on which fast and slow means are often exactly equal.
"""

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

CASH, UNITS = 10_000, 10
FAST, SLOW = 10, 20
ENGINES = ("numba", "rust")
RUNS: dict[str, dict[str, Any]] = {
    "fixed units, free": {"size": UNITS},
    "fixed units": {"size": UNITS, "fees": 0.002},
    "all in": {"size": np.inf, "size_granularity": 1, "fees": 0.002},
    "all in, both ways": {"size": np.inf, "size_granularity": 1, "direction": "both"},
}


CORNERS = [
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (100, 106, 94, 100),
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (107, 108, 94, 100),
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (93, 106, 92, 100),
    (100, 101, 99, 100),
]
"""Bars that reach both exits: from between them, from above the profit, from below the loss."""


def walk(bars: int = 3000) -> pd.Series:
    """Closes of a walk in whole cents around 5.00."""
    steps = np.random.default_rng(5).integers(-2, 3, bars)
    return pd.Series((500 + np.cumsum(steps)) / 100)


def orders_of(portfolio: Any) -> list[list[float]]:
    """Row, signed size, price and fee of each order."""
    return [
        [int(o.idx), float(o.size) * (-1 if o.side else 1), round(float(o.price), 6), round(float(o.fees), 6)]
        for o in portfolio.orders.records.itertuples()
    ]


def equity_of(portfolio: Any) -> list[float]:
    """Equity after each bar."""
    return [round(float(v), 6) for v in portfolio.value()]


def run(closes: pd.Series, engine: str, options: dict[str, Any]) -> dict[str, Any]:
    """One run, as it is recorded: rows of the signals, orders, equity."""
    vbt.settings["engine"] = engine
    fast, slow = vbt.MA.run(closes, FAST), vbt.MA.run(closes, SLOW)
    above, below = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    portfolio = vbt.Portfolio.from_signals(closes, above, below, init_cash=CASH, engine=engine, **options)
    return {
        "above": np.flatnonzero(above.to_numpy()).tolist(),
        "below": np.flatnonzero(below.to_numpy()).tolist(),
        "orders": orders_of(portfolio),
        "equity": equity_of(portfolio),
    }


def corners() -> dict[str, Any]:
    """Stop-loss and take-profit 5 % from an entry at the close of every third bar; orders as in `run`."""
    bars = pd.DataFrame(CORNERS, columns=["open", "high", "low", "close"], dtype=float)
    entries = pd.Series(np.arange(len(bars)) % 3 == 1)
    portfolio = vbt.Portfolio.from_signals(
        bars["close"], entries, False, open=bars["open"], high=bars["high"], low=bars["low"],
        sl_stop=0.05, tp_stop=0.05, size=UNITS, init_cash=CASH,
    )  # fmt: skip
    return {"bars": CORNERS, "orders": orders_of(portfolio), "equity": equity_of(portfolio)}


def by_engines(name: str, closes: pd.Series, options: dict[str, Any]) -> dict[str, Any]:
    """Run both engines: one record where they agree, one each where they do not."""
    first, second = (run(closes, engine, options) for engine in ENGINES)
    if first == second:
        return {name: first}
    return {f"{name}, {engine}": record for engine, record in zip(ENGINES, (first, second), strict=True)}


def main() -> None:
    """Run everything and print it."""
    bars = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
    ties = walk()
    runs: dict[str, Any] = {}
    for name, options in RUNS.items():
        runs |= by_engines(name, bars["Close"], options)
    runs |= by_engines("ties", ties, RUNS["fixed units, free"])
    runs["corners"] = corners()
    closes = np.rint(ties.to_numpy() * 100).astype(int).tolist()
    print(json.dumps({"peer": "vectorbt", "version": version("vectorbt"), "ties": closes, "runs": runs}))


if __name__ == "__main__":
    main()
