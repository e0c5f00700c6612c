"""Bars a second through the event simulator, beside a bare compiled loop that makes the same decisions.

One instrument, random-walk minute bars of a fixed seed. The strategy crosses two exponential averages and turns its
position by market orders with all records kept; the floor computes the averages and counts the crossings, and trades
nothing. `brackets` has resting exits almost all of the time, `python` runs the same crossing through `on_bar`. No
figure is printed unless compiled and Python runs filled the same orders.

    python -m benchmarks.event_simulator --bars 1000000 --json event.json
"""

import argparse
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numba import float64, int64, njit

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_orders, simulate_python
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.strategies.order_step import ACCOUNT_OPEN, ORDER_STEP_SIGNATURE, OrderStrategy, bracket, market
from nt_ray.types import FloatArray, IntArray

MINUTE_NS = 60 * 10**9
FAST, SLOW = 2.0 / 201.0, 2.0 / 1001.0
CASH = Decimal(10_000_000)
RULES = Market(terms=Terms(costs=Costs(commission_bps=Decimal(1), slippage_bps=Decimal(0), volume_share=Decimal(1))))


def main() -> None:
    """Measure and print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.bars, options.repeats)
    print(f"{options.bars} bars, one instrument, one core; millions of bars a second, median of {options.repeats}")
    for name, row in result.items():
        print(f"{name:<12}{row['million_bars_per_s']:>10.2f}{row['fills']:>12} fills")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def measure(bars: int, repeats: int) -> dict[str, dict[str, float]]:
    """Run every way over the same bars."""
    panel = random_walk(bars)
    closes = np.ascontiguousarray(panel.values[:, 0, CLOSE])
    crossing, bracketed = strategy("crossing", cross_step), strategy("brackets", bracket_step)
    few = random_walk(min(bars, 100_000))
    compiled = simulate_orders(few, crossing, market=RULES, initial_cash=CASH)
    python = simulate_python(few, PythonCross(), market=RULES, initial_cash=CASH)
    if not np.array_equal(compiled.fills, python.fills):
        raise SystemExit("compiled and Python runs differ: no figure is worth printing")
    return {
        "floor": timed(lambda: int(crossings(closes)), bars, repeats),
        "market": timed(lambda: simulate_orders(panel, crossing, market=RULES, initial_cash=CASH), bars, repeats),
        "brackets": timed(lambda: simulate_orders(panel, bracketed, market=RULES, initial_cash=CASH), bars, repeats),
        "python": timed(
            lambda: simulate_python(few, PythonCross(), market=RULES, initial_cash=CASH), len(few), repeats
        ),
    }


def timed(call: Callable[[], Any], bars: int, repeats: int) -> dict[str, float]:
    """Median of the repeats after one warm-up."""
    out = call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    fills = len(out.fills) if isinstance(out, EventResult) else int(out)
    return {"million_bars_per_s": bars / float(np.median(times)) / 1e6, "fills": fills}


@njit(int64(float64[::1]), cache=True, nogil=True)
def crossings(closes: FloatArray) -> int:
    fast = slow = closes[0]
    above, count = False, 0
    for close in closes:
        fast += FAST * (close - fast)
        slow += SLOW * (close - slow)
        if (fast > slow) != above:
            above = not above
            count += 1
    return count


@njit(ORDER_STEP_SIGNATURE, cache=True, nogil=True)
def cross_step(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    close = bar[0, CLOSE]
    if state[0] == 0.0:
        state[0] = state[1] = close
    state[0] += FAST * (close - state[0])
    state[1] += SLOW * (close - state[1])
    wanted = 100 if state[0] > state[1] else -100
    if wanted * state[2] > 0.0:
        return 0
    state[2] = wanted
    return int(market(requests, 0, 0, wanted - lots[0]))


@njit(ORDER_STEP_SIGNATURE, cache=True, nogil=True)
def bracket_step(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    if lots[0] != 0 or account[ACCOUNT_OPEN] > 0:
        return 0
    close = ticks[0, CLOSE]
    return int(bracket(requests, 0, 0, 100, 0, close + close // 20, close - close // 20))


class PythonCross(PythonStrategy):
    """The crossing in plain Python."""

    name = "python crossing"

    def __init__(self) -> None:
        self.fast = self.slow = 0.0
        self.before = 0

    def on_bar(self, context: Context) -> None:
        """Turn the position where the averages cross."""
        close = context.close("WALK")
        if self.fast == 0.0:
            self.fast = self.slow = close
        self.fast += FAST * (close - self.fast)
        self.slow += SLOW * (close - self.slow)
        wanted = 100 if self.fast > self.slow else -100
        if wanted * self.before <= 0:
            self.before = wanted
            context.order("WALK", wanted - context.position("WALK"))


def strategy(name: str, step: Any) -> OrderStrategy:
    """Order strategy of a step with three floats of state."""
    return OrderStrategy(name, name, (), lambda params: 3, step)


def random_walk(bars: int) -> BarPanel:
    """Minute bars in cents around 100 with a range on both sides."""
    random = np.random.default_rng(7)
    close = np.rint(10_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.0004, bars)))) / 100.0
    opening = np.concatenate(([close[0]], close[:-1]))
    values = np.empty((bars, 1, 5))
    values[:, 0, 0], values[:, 0, CLOSE] = opening, close
    values[:, 0, 1] = np.maximum(opening, close) + random.integers(0, 4, bars) / 100.0
    values[:, 0, 2] = np.minimum(opening, close) - random.integers(0, 4, bars) / 100.0
    values[:, 0, 4] = 1e6
    times = np.arange(1, bars + 1, dtype=np.int64) * MINUTE_NS
    return BarPanel((Instrument("WALK", Decimal("0.01")),), times, values, 252.0 * 390.0)


if __name__ == "__main__":
    main()
