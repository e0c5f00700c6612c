"""The order path against a bare actor call: gate, durable journal, simulated venue and ledger in one hop.

Prints medians and 99th percentiles of, measured in turn in the same run,
  * a bare call of an actor that does nothing, with the same argument and a like answer;
  * `AccountActor.submit` of one order;
  * the same account without Ray, in this process: what the work itself costs.

    python -m benchmarks.order_path [--orders 2000] [--json]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ray

from actors.account import AccountActor
from actors.cluster import connect, disconnect
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.risk.gate import RiskLimits
from nt_ray.trader.account import OrderReport
from nt_ray.trader.replay_account import AccountPlan, ReplayAccount
from nt_ray.trading.orders import OrderRequest, Side

ROW = 5000
"""A row of the embedded panel at which every symbol has a price."""

BATCH = 100
"""Orders between two changes of side in turn, so that drifts of the machine hit both alike."""


@ray.remote(num_cpus=0)
class Bare:
    """An actor that does nothing."""

    def call(self, argument: object) -> object:
        """Return the argument."""
        return argument


def order(number: int) -> OrderRequest:
    """Buy and sell one share in turn, so that positions stay small."""
    side = Side.BUY if number % 2 == 0 else Side.SELL
    return OrderRequest(f"bench.{number}", "KO", side, Decimal(1), "benchmark")


def timed(calls: int, call: Callable[[int], Any]) -> list[float]:
    """Milliseconds of each of `calls` calls."""
    result = []
    for i in range(calls):
        started = time.perf_counter()
        call(i)
        result.append((time.perf_counter() - started) * 1e3)
    return result


def quantiles(samples: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "p50_ms": round(statistics.median(samples), 4),
        "p99_ms": round(statistics.quantiles(samples, n=100)[98], 4),
    }


def measure(orders: int) -> dict[str, Any]:
    """Run the benchmark; return the figures."""
    panel = load_panel("sp500")
    limits = RiskLimits()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = ReplayAccount(AccountPlan("local", folder, Decimal(100_000), Costs(), limits), panel)
        here.advance(ROW)
        connect(None, num_cpus=2, object_store_mb=150)
        bare = Bare.remote()
        plan = AccountPlan("actor", folder, Decimal(100_000), Costs(), limits)
        save_panel(panel, plan.bars_path)
        account = AccountActor.remote(plan)
        ray.get(account.advance.remote(ROW))
        samples: dict[str, list[float]] = {"bare": [], "account": [], "in_process": []}
        reports: list[OrderReport] = []
        for first in range(-BATCH, orders, BATCH):
            numbers = range(first, first + BATCH)
            batch = [[order(n + BATCH)] for n in numbers]
            turn = {
                "bare": timed(BATCH, lambda i, b=batch: ray.get(bare.call.remote(b[i]))),
                "account": timed(BATCH, lambda i, b=batch: reports.extend(ray.get(account.submit.remote(b[i])))),
                "in_process": timed(BATCH, lambda i, b=batch: here.submit(b[i])),
            }
            if first >= 0:
                for key, values in turn.items():
                    samples[key].extend(values)
        refused = [r for r in reports if r.status.is_final]
        if refused:
            message = f"{len(refused)} orders were not accepted; the first: {refused[0]}"
            raise SystemExit(message)
        ray.get(account.close.remote())
        here.close()
        disconnect()
    result: dict[str, Any] = {key: quantiles(values) for key, values in samples.items()}
    result["orders"] = orders
    result["ratio_p50"] = round(result["account"]["p50_ms"] / result["bare"]["p50_ms"], 3)
    return result


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.orders)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"order path, {result['orders']} orders        p50 ms    p99 ms")
    for key, label in (
        ("bare", "bare actor call"),
        ("account", "AccountActor.submit"),
        ("in_process", "the same in process"),
    ):
        print(f"  {label:<28}{result[key]['p50_ms']:>10.4f}{result[key]['p99_ms']:>10.4f}")
    print(f"  submit / bare, medians      {result['ratio_p50']:>10.3f}   (target: at most 2)")


if __name__ == "__main__":
    main()
