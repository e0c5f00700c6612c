"""The crossover tasks of `benchmarks/sweep_peers.py` on raptorbt.

.venv-peers/raptorbt/bin/python benchmarks/peers/raptorbt_sweep.py DATA.npz
"""

import sys
from typing import Any

import numpy as np
import raptorbt
from service import serve

DATA = dict(np.load(sys.argv[1]))
CASH, PAIRS = float(DATA["cash"]), DATA["pairs"]
CLOSE_A = np.ascontiguousarray(DATA["closes_a"])
FAST_A, SLOW_A = (int(n) for n in DATA["pair_a"])
MINUTE_NS, DAY_NS = 60 * 10**9, 86_400 * 10**9


def config(fees: float) -> raptorbt.BacktestConfig:
    """Fills at the close of the signal's own bar, nothing slips."""
    return raptorbt.BacktestConfig(initial_capital=CASH, fees=fees, slippage=0.0, upon_bar_close=True)


def bars(close: np.ndarray, step: int) -> tuple[np.ndarray, ...]:
    """Timestamps, open, high, low, close, volume."""
    times = np.arange(1, len(close) + 1, dtype=np.int64) * step
    return times, close, close, close, close, np.full(len(close), 1e12)


BARS_A = bars(CLOSE_A, MINUTE_NS)


def a_ordinary() -> dict[str, Any]:
    """Indicators, signals, simulation with all of its metrics."""
    fast, slow = (raptorbt.sma(CLOSE_A, n) for n in (FAST_A, SLOW_A))
    made = raptorbt.run_single_backtest(*BARS_A, fast > slow, fast < slow, config=config(float(DATA["fees_a"])))
    metrics = made.metrics
    return {"finals": [metrics.end_value], "orders": 2 * metrics.total_closed_trades + metrics.total_open_trades}


def b_batch() -> dict[str, Any]:
    """All pairs of a symbol in one batch, which uses every processor."""
    found, orders = [], 0
    settings = config(float(DATA["fees_b"]))
    for column in range(DATA["closes_b"].shape[1]):
        close = np.ascontiguousarray(DATA["closes_b"][:, column])
        means = {n: raptorbt.sma(close, n) for n in np.unique(PAIRS).tolist()}
        items = [
            raptorbt.BatchSingleItem(str(i), means[fast] > means[slow], means[fast] < means[slow])
            for i, (fast, slow) in enumerate(PAIRS.tolist())
        ]
        for _, made in raptorbt.batch_single_backtest(*bars(close, DAY_NS), items, settings):
            metrics = made.metrics
            found.append(metrics.end_value)
            orders += 2 * metrics.total_closed_trades + metrics.total_open_trades
    return {"finals": found, "orders": orders}


if __name__ == "__main__":
    serve({"a_ordinary": a_ordinary, "b_batch": b_batch})
