"""From ticks to features to signals: one pass over 100,000 ticks through the streaming updates of `nt_ray/features`.

Two passes, each of ten signals a tick. *Recursive* features remember a few numbers: three exponential averages, RSI.
*Windows* adds features whose rolling sums are kept in two floats each, so that they stay exact to the last bit after
millions of ticks: two simple averages and a z-score, beside two exponential averages, RSI and the rate of change. The
floor reads the same ticks and writes as many signals, without any feature. All are compiled, warmed up and measured
in turn in the same run. Before any time is printed, streamed features are compared with vectorised ones, bit for bit.

    python -m benchmarks.features_latency [--ticks 100000] [--passes 51] [--json]
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float64, int8, njit, void

from nt_ray.features import ema, roc, rsi, sma, zscore
from nt_ray.features.base import Feature
from nt_ray.types import FloatArray

MOST_MS = 3.0
LENGTHS = (20, 50, 12, 26, 14, 20, 10)
RECURSIVE: tuple[tuple[Feature, int], ...] = ((ema.EMA, 12), (ema.EMA, 26), (ema.EMA, 50), (rsi.RSI, 14))
FEATURES: tuple[Feature, ...] = (sma.SMA, sma.SMA, ema.EMA, ema.EMA, rsi.RSI, zscore.ZSCORE, roc.ROC)
SIGNALS = 10


@njit(
    void(
        float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1],
        int8[:, ::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def signals(
    ticks: FloatArray,
    fast: FloatArray,
    slow: FloatArray,
    quick: FloatArray,
    late: FloatArray,
    strength: FloatArray,
    score: FloatArray,
    change: FloatArray,
    out: Any,
) -> None:
    """Stream the ticks through the features and write ten signals for each; the states are moved on."""
    for t in range(ticks.shape[0]):
        price = ticks[t]
        short = sma.update(fast, price, 20)
        long = sma.update(slow, price, 50)
        swift = ema.update(quick, price, 12)
        calm = ema.update(late, price, 26)
        rising = rsi.update(strength, price, 14)
        z = zscore.update(score, price, 20)
        moved = roc.update(change, price, 10)
        out[t, 0] = price > short
        out[t, 1] = price > long
        out[t, 2] = short > long
        out[t, 3] = swift > calm
        out[t, 4] = rising > 70.0
        out[t, 5] = rising < 30.0
        out[t, 6] = z > 2.0
        out[t, 7] = z < -2.0
        out[t, 8] = moved > 0.0
        out[t, 9] = short > long and swift > calm and moved > 0.0


@njit(void(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], int8[:, ::1]), cache=True, nogil=True)
def recursive_signals(
    ticks: FloatArray, quick: FloatArray, late: FloatArray, slow: FloatArray, strength: FloatArray, out: Any
) -> None:
    """Stream the ticks through the recursive features and write ten signals for each; the states are moved on."""
    for t in range(ticks.shape[0]):
        price = ticks[t]
        swift = ema.update(quick, price, 12)
        calm = ema.update(late, price, 26)
        long = ema.update(slow, price, 50)
        rising = rsi.update(strength, price, 14)
        out[t, 0] = price > swift
        out[t, 1] = price > calm
        out[t, 2] = price > long
        out[t, 3] = swift > calm
        out[t, 4] = calm > long
        out[t, 5] = rising > 70.0
        out[t, 6] = rising < 30.0
        out[t, 7] = rising > 50.0
        out[t, 8] = swift > calm and calm > long
        out[t, 9] = swift > calm and rising > 50.0


@njit(void(float64[::1], int8[:, ::1]), cache=True, nogil=True)
def floor(ticks: FloatArray, out: Any) -> None:
    """Write ten comparisons of the price for each tick."""
    for t in range(ticks.shape[0]):
        price = ticks[t]
        for k in range(out.shape[1]):
            out[t, k] = price > 100.0 + k


def random_ticks(count: int) -> FloatArray:
    """A random walk in hundredths with a fixed seed."""
    random = np.random.default_rng(7)
    walk: FloatArray = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 2e-4, count))), 2)
    return walk


def states() -> list[FloatArray]:
    """Fresh states of the features."""
    return [np.zeros(int(f.state_size(length))) for f, length in zip(FEATURES, LENGTHS, strict=True)]


def recursive_states() -> list[FloatArray]:
    """Fresh states of the recursive features."""
    return [np.zeros(int(f.state_size(length))) for f, length in RECURSIVE]


def recursive_expected(ticks: FloatArray) -> Any:
    """Signals of the vectorised recursive features."""
    swift, calm, long, rising = (f(ticks, length=length) for f, length in RECURSIVE)
    up = swift > calm
    columns = (
        ticks > swift, ticks > calm, ticks > long, up, calm > long, rising > 70.0, rising < 30.0, rising > 50.0,
        up & (calm > long), up & (rising > 50.0),
    )  # fmt: skip
    return np.column_stack(columns).astype(np.int8)


def expected(ticks: FloatArray) -> Any:
    """Signals of the vectorised features."""
    short, long, swift, calm, rising, z, moved = (
        f(ticks, length=length) for f, length in zip(FEATURES, LENGTHS, strict=True)
    )
    columns = (
        ticks > short, ticks > long, short > long, swift > calm, rising > 70.0, rising < 30.0, z > 2.0, z < -2.0,
        moved > 0.0, (short > long) & (swift > calm) & (moved > 0.0),
    )  # fmt: skip
    return np.column_stack(columns).astype(np.int8)


def measure(count: int, passes: int) -> dict[str, Any]:
    """Check, warm up, measure in turn."""
    ticks = random_ticks(count)
    out = np.zeros((count, SIGNALS), dtype=np.int8)
    recursive_signals(ticks, *recursive_states(), out)
    same = np.array_equal(out, recursive_expected(ticks))
    signals(ticks, *states(), out)
    if not same or not np.array_equal(out, expected(ticks)):
        message = "streamed and vectorised features differ, so no time is printed"
        raise SystemExit(message)
    share = out.mean(axis=0)
    times: dict[str, list[float]] = {"recursive": [], "windows": [], "floor": []}
    for _ in range(passes + 5):
        few, many = recursive_states(), states()
        times["recursive"].append(_timed(lambda s=few: recursive_signals(ticks, *s, out)))
        times["windows"].append(_timed(lambda s=many: signals(ticks, *s, out)))
        times["floor"].append(_timed(lambda: floor(ticks, out)))
    result: dict[str, Any] = {}
    for name, taken in times.items():
        kept = np.array(taken[5:])
        low, middle, high = np.quantile(kept, (0.25, 0.5, 0.75))
        result[name] = {
            "median_ms": round(float(middle), 4),
            "least_ms": round(float(kept.min()), 4),
            "spread": round(float((high - low) / middle), 3),
        }
    return {
        "ticks": count,
        "passes": passes,
        **result,
        "share_of_ticks_with_signal": [round(float(s), 4) for s in share],
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _timed(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=100_000)
    parser.add_argument("--passes", type=int, default=51)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.ticks, arguments.passes)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['ticks']:,} ticks, {SIGNALS} signals each, {result['passes']} passes   median, least")
    labels = {
        "recursive": f"{len(RECURSIVE)} recursive features",
        "windows": f"{len(FEATURES)} features, exact windows",
    }
    for name, label in {**labels, "floor": "bare loop"}.items():
        row = result[name]
        note = "   spread above 15 %: the machine was busy" if row["spread"] > 0.15 else ""
        print(f"  {label:<28}{row['median_ms']:>9.3f} ms{row['least_ms']:>9.3f} ms{note}")
    print(f"  target for a pass of 100,000: a median below {MOST_MS:g} ms")


if __name__ == "__main__":
    main()
