"""The order path of a live account: gate, durable journal, simulated exchange and ledger in one hop.

Prints, measured in turn in the same run,
  * medians and 99th percentiles of a bare call of an actor that does nothing, with the same argument and a like answer,
    and of one without either; of one order through `LiveHandle`, as every caller of an account sends it; and of the
    same account in this process: what the work itself costs;
  * durable orders a second through the actor, in batches, and one by one from four agents that are actors themselves;
  * the floor: the disk's own time for one small durable write over a file that has its length, that of the least
    durable transaction of SQLite, and what the ratio would be without that.

Journals are written until their write-ahead logs have their full length before anything is timed: while it grows, a
commit also waits for the file system to note the new length.

Limits are the defaults but for the message rate, position sizes and turnover, which a benchmark would reach.

    python -m benchmarks.order_path [--orders 2000] [--folder PATH] [--json]
"""

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ray

from actors.cluster import connect, disconnect
from actors.live_account import start, stop
from actors.live_handle import LiveHandle
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.risk.gate import RiskLimits
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import ExchangePlan
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side

ROW = 5000
"""A row of the embedded panel at which every symbol has a price."""

PAGE = 4096
TURN = 100
"""Calls between two changes of side in turn, so that drifts of the machine hit all alike."""

WARM_UP = 10
"""Turns before the first that counts: what fills the thousand pages at which SQLite begins its log anew."""

BATCH = 100
AGENTS = 4
CAPITAL = Decimal(10**9)
LIMITS = RiskLimits(max_messages=9_999, max_strategy_messages=9_999, max_position_notional=CAPITAL)


@ray.remote(num_cpus=0)
class Bare:
    """An actor that does nothing."""

    def call(self, argument: object) -> object:
        """Return the argument."""
        return argument

    def nothing(self) -> None:
        """Take nothing and return nothing."""


@ray.remote(num_cpus=0)
class Agent:
    """Sends orders one by one."""

    def __init__(self, account: LiveHandle, name: str, symbols: list[str]) -> None:
        self._account, self._name, self._symbols = account, name, symbols

    def ready(self) -> None:
        """Answer once this actor lives."""

    def trade(self, orders: int) -> int:
        """Send orders, each after the answer to the one before; count those that were accepted."""
        found = 0
        for number in range(orders):
            request = order(self._name, number, self._symbols)
            found += self._account.call("submit", [request])[0].status == OrderStatus.ACCEPTED
        return found


def order(name: str, number: int, symbols: list[str]) -> OrderRequest:
    """Buy one share of each symbol in turn."""
    return OrderRequest(f"{name}.{number}", symbols[number % len(symbols)], Side.BUY, Decimal(1), name)


def timed(calls: int, call: Callable[[int], Any]) -> list[float]:
    """Milliseconds of each of `calls` calls."""
    result = []
    for i in range(calls):
        started = time.perf_counter()
        call(i)
        result.append((time.perf_counter() - started) * 1e3)
    return result


class Floor:
    """The least that a durable write costs in a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY)
        os.write(self._file, bytes(PAGE * TURN))
        os.fsync(self._file)
        self._database = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE floor (x INTEGER PRIMARY KEY, y TEXT)",
        ):
            self._database.execute(statement)

    def write(self, number: int) -> None:
        """Write a page to the disk."""
        os.pwrite(self._file, bytes(PAGE), PAGE * (number % TURN))
        os.fdatasync(self._file)

    def commit(self, _: int) -> None:
        """Commit a row."""
        self._database.execute("INSERT INTO floor (y) VALUES ('a row that is about as long as an event')")

    def close(self) -> None:
        """Close the files."""
        self._database.close()
        os.close(self._file)


def quantiles(samples: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "p50_ms": round(statistics.median(samples), 4),
        "p99_ms": round(statistics.quantiles(samples, n=100)[98], 4),
    }


def check(reports: list[OrderReport]) -> None:
    """Stop where an order was not accepted: it would have cost less."""
    refused = [r for r in reports if r.status is not OrderStatus.ACCEPTED]
    if refused:
        message = f"{len(refused)} orders were not accepted; the first: {refused[0]}"
        raise SystemExit(message)


def latencies(account: LiveHandle, here: LiveAccount, orders: int, symbols: list[str], folder: Path) -> dict[str, Any]:
    """Time of one order, beside a bare call and beside the same work in this process."""
    bare, floor = Bare.remote(), Floor(folder)
    samples: dict[str, list[float]] = {key: [] for key in ("fsync", "sqlite", "empty", "bare", "account", "in_process")}
    reports: list[OrderReport] = []
    for first in range(-TURN * WARM_UP, orders, TURN):
        batch = [[order("one", n, symbols)] for n in range(TURN * WARM_UP + first, TURN * WARM_UP + first + TURN)]
        turn = {
            "fsync": timed(TURN, floor.write),
            "sqlite": timed(TURN, floor.commit),
            "empty": timed(TURN, lambda _: ray.get(bare.nothing.remote())),
            "bare": timed(TURN, lambda i, b=batch: ray.get(bare.call.remote(b[i]))),
            "account": timed(TURN, lambda i, b=batch: reports.extend(account.call("submit", b[i]))),
            "in_process": timed(TURN, lambda i, b=batch: reports.extend(here.submit(b[i]))),
        }
        if first >= 0:
            for key, values in turn.items():
                samples[key].extend(values)
    check(reports)
    floor.close()
    ray.kill(bare)
    return {key: quantiles(values) for key, values in samples.items()}


def batches_per_s(account: LiveHandle, orders: int, symbols: list[str]) -> float:
    """Durable orders a second, a hundred to a call."""
    batches = [[order("many", first + n, symbols) for n in range(BATCH)] for first in range(0, orders, BATCH)]
    reports: list[OrderReport] = []
    started = time.perf_counter()
    for batch in batches:
        reports.extend(account.call("submit", batch))
    took = time.perf_counter() - started
    check(reports)
    return len(reports) / took


def agents_per_s(account: LiveHandle, orders: int, symbols: list[str]) -> float:
    """Durable orders a second, one by one from each of four agents."""
    agents = [Agent.remote(account, f"agent-{number}", symbols) for number in range(AGENTS)]
    ray.get([agent.ready.remote() for agent in agents])
    started = time.perf_counter()
    accepted = sum(ray.get([agent.trade.remote(orders // AGENTS) for agent in agents]))
    took = time.perf_counter() - started
    for agent in agents:
        ray.kill(agent)
    if accepted != orders // AGENTS * AGENTS:
        message = f"{orders - accepted} orders of agents were not accepted"
        raise SystemExit(message)
    return accepted / took


def measure(orders: int, where: Path | None = None) -> dict[str, Any]:
    """Run the benchmark; return the figures."""
    panel = load_panel("sp500")
    symbols = [instrument.symbol for instrument in panel.instruments]
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        save_panel(panel, folder / "bars")
        plans = [ExchangePlan(n, folder, folder / "bars", ROW, CAPITAL, limits=LIMITS) for n in ("here", "actor")]
        here = LiveAccount(plans[0])
        connect(None, num_cpus=2, object_store_mb=150)
        start(plans[1])
        account = LiveHandle("actor")
        result = latencies(account, here, orders, symbols, folder)
        here.close()
        result["batches_per_s"] = round(batches_per_s(account, orders, symbols))
        result["agents_per_s"] = round(agents_per_s(account, orders, symbols))
        stop("actor")
        disconnect()
    ours, bare, floor = (result[key]["p50_ms"] for key in ("account", "bare", "sqlite"))
    result["orders"] = orders
    result["ratio_p50"] = round(ours / bare, 3)
    result["ratio_p50_without_write"] = round((ours - floor) / bare, 3)
    return result


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="where the journals lie; the machine's folder for such things")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.orders, arguments.folder)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"order path, {result['orders']} orders        p50 ms    p99 ms")
    for key, label in (
        ("fsync", "durable write of 4 KiB"),
        ("sqlite", "durable row of SQLite"),
        ("empty", "bare call of no argument"),
        ("bare", "bare call of an order"),
        ("account", "submit of an order"),
        ("in_process", "the same in process"),
    ):
        print(f"  {label:<28}{result[key]['p50_ms']:>10.4f}{result[key]['p99_ms']:>10.4f}")
    print(f"  submit / bare, medians      {result['ratio_p50']:>10.3f}   (target: at most 1.5)")
    print(f"  the same without the write  {result['ratio_p50_without_write']:>10.3f}")
    print(f"  orders/s, batches of {BATCH}    {result['batches_per_s']:>10,}   (target: at least 5,000)")
    print(f"  orders/s, {AGENTS} agents          {result['agents_per_s']:>10,}   (target: at least 1,000)")


if __name__ == "__main__":
    main()
