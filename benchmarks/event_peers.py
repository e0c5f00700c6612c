"""Limit and stop orders through the event simulator, beside NautilusTrader and backtesting.py on the same bars.

Every ten bars the strategy cancels what works and enters one order: flat, a limit to buy 5 ticks below the close;
long, a stop to sell 8 ticks below it. Bars open where the one before closed, so no price is jumped over and every
engine has to fill at the very same ticks. Each engine's fills are compared before any time is printed: where one
differs, nothing is. Timed is the run alone, with bars in memory in each engine's own form, each engine in its fastest
configuration: no logs, no risk checks, no analysis after the run, and a strategy that keeps its own order and position
where asking the engine costs more. The peers run in environments of their own (`sh benchmarks/event_peers.sh` makes
them); one that is not there is left out and named. NautilusTrader 2 needs Python 3.12; without it version 1 runs.

    python -m benchmarks.event_peers [--bars 100000] [--repeats 5] [--peers .venv-peers] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_orders, simulate_python
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.tables import FILL_ROW, FILL_SIDE, FILL_TICKS
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.strategies.order_step import (
    ACCOUNT_OPEN,
    ACCOUNT_ROW,
    GTC,
    ID,
    ORDER_STEP_SIGNATURE,
    OrderStrategy,
    cancel,
    limit_order,
    stop_order,
)
from nt_ray.types import FloatArray, IntArray

EVERY, BELOW, STOP, LOTS = 10, 5, 8, 10
MINUTE_NS = 60 * 10**9
TICK = Decimal("0.01")
CASH = Decimal(1_000_000_000)
NO_COSTS = Costs(commission_bps=Decimal(0), slippage_bps=Decimal(0), volume_share=Decimal(1))
RULES = Market(terms=Terms(costs=NO_COSTS))
COMPILED, PYTHON = "compiled step", "Python on_bar"
NAUTILUS = ("NautilusTrader 2.0.0rc6", "NautilusTrader 1.221.0")
PEERS = {NAUTILUS[0]: "nautilus2", NAUTILUS[1]: "nautilus", "backtesting.py 0.6.6": "backtesting"}
LEAST = {COMPILED: 30.0, PYTHON: 1.2}
"""Targets: how many times NautilusTrader's bars a second."""
PROGRAMS = Path(__file__).parent / "peers"

Fills = list[list[int]]


@dataclass(frozen=True, slots=True)
class PeerRun:
    """Seconds, fills and number of orders of a peer's run."""

    seconds: float
    fills: Fills
    orders: int


@njit(ORDER_STEP_SIGNATURE, cache=True, nogil=True)
def step(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Renew the order."""
    if account[ACCOUNT_ROW] % EVERY != 0:
        return 0
    count = 0
    for i in range(account[ACCOUNT_OPEN]):
        count = cancel(requests, count, orders[i, ID])
    close = ticks[0, CLOSE]
    if lots[0] == 0:
        return int(limit_order(requests, count, 0, LOTS, close - BELOW, GTC))
    return int(stop_order(requests, count, 0, -LOTS, close - STOP, GTC))


class Orders(PythonStrategy):
    """The same in plain Python."""

    name = "orders"

    def on_bar(self, context: Context) -> None:
        """Renew the order."""
        if context.row % EVERY:
            return
        for order in list(context.orders()):
            context.cancel(order.id)
        close = round(context.close("AAA") * 100)
        if context.position("AAA") == 0:
            context.buy("AAA", LOTS, limit=TICK * (close - BELOW), tif="gtc")
        else:
            context.sell("AAA", LOTS, stop=TICK * (close - STOP), tif="gtc")


def walk(bars: int) -> IntArray:
    """Open, high, low and close in ticks, (T, 4): a random walk with a fixed seed, each open at the last close."""
    random = np.random.default_rng(7)
    close = 1_000_000 + np.cumsum(random.integers(-6, 7, bars))
    opening = np.concatenate(([1_000_000], close[:-1]))
    high = np.maximum(opening, close) + random.integers(0, 5, bars)
    low = np.minimum(opening, close) - random.integers(0, 5, bars)
    return np.column_stack([opening, high, low, close]).astype(np.int64)


def panel_of(ticks: IntArray) -> BarPanel:
    """The same bars as a panel."""
    values = np.full((len(ticks), 1, 5), 1e6)
    values[:, 0, :4] = np.round(ticks * 0.01, 2)
    times = np.arange(1, len(ticks) + 1, dtype=np.int64) * MINUTE_NS
    return BarPanel((Instrument("AAA", TICK),), times, values, 252.0 * 390.0)


def fills_of(result: EventResult) -> Fills:
    """Row, side and price of each fill."""
    return sorted(result.fills[:, [FILL_ROW, FILL_SIDE, FILL_TICKS]].tolist())


def ours(panel: BarPanel) -> dict[str, Callable[[], EventResult]]:
    """Both ways through the event simulator."""
    compiled = OrderStrategy("orders", "Limit in, stop out.", (), lambda _: 1, step)
    return {
        COMPILED: lambda: simulate_orders(panel, compiled, market=RULES, initial_cash=CASH),
        PYTHON: lambda: simulate_python(panel, Orders(), market=RULES, initial_cash=CASH),
    }


def installed(folder: Path) -> dict[str, str]:
    """Peers that are there, by label; of NautilusTrader the newest."""
    found = {label: name for label, name in PEERS.items() if (folder / name / "bin" / "python").exists()}
    if all(label in found for label in NAUTILUS):
        del found[NAUTILUS[1]]
    return found


def peer(name: str, folder: Path, path: Path) -> PeerRun:
    """One run of a peer in a process of its own; the first there warms up and is not timed."""
    numbers = [str(n) for n in (EVERY, BELOW, STOP, 2)]
    command = [str(folder / name / "bin" / "python"), str(PROGRAMS / f"{name}_orders.py"), str(path), *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"{name} failed: {done.stderr.strip()[-2000:]}"
        raise SystemExit(message)
    answer = json.loads(done.stdout.splitlines()[-1])
    return PeerRun(float(answer["seconds"][-1]), answer["fills"], int(answer["orders"]))


def measure(bars: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Run all of them in turn; check the fills; return the figures."""
    ticks = walk(bars)
    panel = panel_of(ticks)
    calls, peers = ours(panel), installed(folder)
    first = {name: call() for name, call in calls.items()}
    fills = {name: fills_of(result) for name, result in first.items()}
    orders = {name: len(result.orders) for name, result in first.items()}
    seconds: dict[str, list[float]] = {name: [] for name in (*calls, *peers)}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "ticks.npy"
        np.save(path, ticks)
        for _ in range(repeats):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - began)
            for label, name in peers.items():
                run = peer(name, folder, path)
                seconds[label].append(run.seconds)
                fills[label], orders[label] = run.fills, run.orders
    _check(fills)
    rows = {name: _row(taken, bars, orders[name]) for name, taken in seconds.items()}
    return {
        "bars": bars,
        "fills": len(fills[COMPILED]),
        "repeats": repeats,
        "engines": rows,
        "times_nautilus": _ratios(rows),
        "not_installed": _missing(rows),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _missing(rows: dict[str, dict[str, float]]) -> list[str]:
    """Peers that did not run; one NautilusTrader is enough."""
    satisfied = NAUTILUS if any(label in rows for label in NAUTILUS) else ()
    return [label for label in PEERS if label not in rows and label not in satisfied]


def _ratios(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times NautilusTrader's bars a second; nothing where it is not installed."""
    against = next((rows[label]["seconds"] for label in NAUTILUS if label in rows), None)
    return {} if against is None else {name: round(against / rows[name]["seconds"], 2) for name in LEAST}


def _check(fills: dict[str, Fills]) -> None:
    reference = fills[COMPILED]
    for name, found in fills.items():
        if found != reference:
            at = next((i for i, (a, b) in enumerate(zip(found, reference, strict=False)) if a != b), None)
            where = f"{len(found)} against {len(reference)} fills" if at is None else f"{found[at]}, {reference[at]}"
            message = f"{name} fills otherwise ({where}), so no time is printed"
            raise SystemExit(message)


def _row(seconds: list[float], bars: int, orders: int) -> dict[str, float]:
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    return {
        "seconds": round(float(middle), 4),
        "bars_per_s": round(bars / float(middle)),
        "orders_per_bar": round(orders / bars, 4),
        "spread": round(float((high - low) / middle), 3),
    }


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.bars, options.repeats, options.peers)
    print(f"{result['bars']:,} bars, {result['fills']:,} fills, the same in all; median of {result['repeats']} runs")
    for name, row in result["engines"].items():
        note = "   spread above 15 %: the machine was busy" if row["spread"] > 0.15 else ""
        print(
            f"  {name:<24}{row['seconds']:>10.4f} s{row['bars_per_s']:>14,} bars/s"
            f"{row['orders_per_bar']:>9.3f} orders/bar{note}"
        )
    for name, ratio in result["times_nautilus"].items():
        print(f"  {name:<24}{ratio:>10.2f} times NautilusTrader, target {LEAST[name]:g}")
    for name in result["not_installed"]:
        print(f"  {name:<24} is not installed: sh benchmarks/event_peers.sh")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
