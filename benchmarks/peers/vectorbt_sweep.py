"""The crossover tasks of `benchmarks/sweep_peers.py` on vectorbt's Rust engine.

.venv-peers/vectorbt/bin/python benchmarks/peers/vectorbt_sweep.py DATA.npz
"""

import multiprocessing
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from service import serve
from vectorbt_rust.generic import rolling_mean_1d_rs
from vectorbt_rust.portfolio import simulate_from_signals_rs

COLUMNS = 20
"""Pairs to a call of the low-level simulator: more overflow the cache, fewer cost more calls."""

ORDINARY_PAIRS = 40
"""Pairs to a call of the ordinary API, which holds every array of every run at once."""

DATA = dict(np.load(sys.argv[1]))
CASH, PAIRS = float(DATA["cash"]), DATA["pairs"]


def simulate(closes: np.ndarray, entries: np.ndarray, exits: np.ndarray, fees: float) -> np.ndarray:
    """Order records of (T, K) signals on one (T, 1) close: everything into the position, everything out."""
    shape = entries.shape
    false, nan, infinite = np.asarray(False), np.asarray(np.nan), np.asarray(np.inf)
    zero, whole = np.asarray(0.0), np.asarray(0)
    orders, _ = simulate_from_signals_rs(
        shape, np.ones(shape[1], dtype=np.int64), np.full(shape[1], CASH), np.zeros(shape, dtype=np.int64),
        entries, exits, whole, false, false, false, false, infinite, infinite, whole, np.asarray(fees), zero, zero,
        np.asarray(1e-8), infinite, nan, zero, false, np.asarray(True), false, false, whole, whole, whole, whole,
        np.asarray(4), infinite, nan, nan, nan, closes, nan, false, nan, np.asarray(3), whole, whole, np.asarray(1),
        use_stops=False, auto_call_seq=False, ffill_val_price=True, update_value=False, max_orders=entries.size // 4,
        max_logs=1, init_temp_records=False, seed=None, flex_2d=True,
    )  # fmt: skip
    return orders


def finals(orders: np.ndarray, last: float, columns: int) -> np.ndarray:
    """Last equity of each column."""
    signed = np.where(orders["side"] == 0, orders["size"], -orders["size"])
    spent = signed * orders["price"] + orders["fees"]
    cash = CASH - np.bincount(orders["col"], spent, columns)
    return cash + np.bincount(orders["col"], signed, columns) * last


CLOSE_A = np.ascontiguousarray(DATA["closes_a"])
SERIES_A = pd.Series(CLOSE_A)
FAST_A, SLOW_A = (int(n) for n in DATA["pair_a"])
FEES_A, FEES_B = float(DATA["fees_a"]), float(DATA["fees_b"])


def a_ordinary() -> dict[str, Any]:
    """Indicators, signals, simulation and final equity by the ordinary API."""
    fast, slow = (vbt.MA.run(SERIES_A, n, engine="rust").ma for n in (FAST_A, SLOW_A))
    made = vbt.Portfolio.from_signals(
        SERIES_A, fast > slow, fast < slow, fees=FEES_A, init_cash=CASH, engine="rust", freq="1min"
    )
    return {"finals": [float(made.final_value())], "orders": len(made.orders.records)}


def a_signals() -> tuple[np.ndarray, np.ndarray]:
    """Entries and exits."""
    fast, slow = (rolling_mean_1d_rs(CLOSE_A, n) for n in (FAST_A, SLOW_A))
    return (fast > slow)[:, None], (fast < slow)[:, None]


def a_arrays() -> dict[str, Any]:
    """The same by the low-level functions alone."""
    orders = simulate(CLOSE_A[:, None], *a_signals(), FEES_A)
    return {"finals": finals(orders, CLOSE_A[-1], 1).tolist(), "orders": len(orders)}


SIGNALS_A = a_signals()


def a_simulator() -> dict[str, Any]:
    """The simulator alone, its signals prepared."""
    began = time.perf_counter()
    orders = simulate(CLOSE_A[:, None], *SIGNALS_A, FEES_A)
    seconds = time.perf_counter() - began
    return {"finals": finals(orders, CLOSE_A[-1], 1).tolist(), "orders": len(orders), "seconds": seconds}


def expert(column: int) -> tuple[list[float], int]:
    """All pairs on one symbol, each mean computed once."""
    close = np.ascontiguousarray(DATA["closes_b"][:, column])
    means = {n: rolling_mean_1d_rs(close, n) for n in np.unique(PAIRS).tolist()}
    found, count = [], 0
    for first in range(0, len(PAIRS), COLUMNS):
        pairs = PAIRS[first : first + COLUMNS].tolist()
        fast, slow = (np.stack([means[pair[i]] for pair in pairs], axis=1) for i in (0, 1))
        orders = simulate(close[:, None], fast > slow, fast < slow, FEES_B)
        found += finals(orders, close[-1], len(pairs)).tolist()
        count += len(orders)
    return found, count


def b_expert() -> dict[str, Any]:
    """All pairs on all symbols, in two processes that are there already."""
    parts = POOL.map(expert, range(DATA["closes_b"].shape[1]), 1)
    return {"finals": [value for part, _ in parts for value in part], "orders": sum(count for _, count in parts)}


def b_ordinary() -> dict[str, Any]:
    """The first pairs on all symbols in one call of the ordinary API."""
    pairs = PAIRS[:ORDINARY_PAIRS]
    frame = pd.DataFrame(DATA["closes_b"])
    fast, slow = (vbt.MA.run(frame, pairs[:, i].tolist(), engine="rust") for i in (0, 1))
    above, below = fast.ma_above(slow), fast.ma_below(slow)
    made = vbt.Portfolio.from_signals(
        frame, above, below, fees=FEES_B, init_cash=CASH, engine="rust", freq="1D", cash_sharing=False
    )
    values = made.final_value().to_numpy().reshape(len(pairs), -1).T.ravel()
    return {"finals": values.tolist(), "orders": len(made.orders.records), "pairs": len(pairs)}


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as POOL:
        serve(
            {
                "a_ordinary": a_ordinary,
                "a_arrays": a_arrays,
                "a_simulator": a_simulator,
                "b_expert": b_expert,
                "b_ordinary": b_ordinary,
            }
        )
