"""The pre-trade gate: CPU time of one check, with the default limits and with every rule on.

The books are those of an account of twenty symbols with a long or short position and a resting order in each. Every
order passes, so every rule is asked; the median of `--rounds` rounds is printed, in microseconds of this thread's CPU.

    python -m benchmarks.gate [--orders 20000] [--rounds 5] [--json]
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from nt_ray.market.bars import Instrument
from nt_ray.risk.gate import RiskGate, RiskLimits
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.trader.books import Books
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, OrderRequest, OrderType, Side

NOW = datetime(2026, 1, 2, 15, tzinfo=UTC)
INSTRUMENTS = [Instrument(f"S{number}", Decimal("0.01"), Decimal(1)) for number in range(20)]
PRICE = Decimal(50)
ALL_RULES = RiskLimits(
    max_order_quantity=Decimal(1_000_000),
    max_volume_share=0.1,
    max_reference_age_s=10,
    duplicate_window_s=1,
    max_heat=1,
    max_var=1,
    restricted=frozenset({"X"}),
)


def books() -> Books:
    """Books of an account that has traded."""
    found = Books()
    found.apply(e.Deposited(NOW, "initial", Decimal(10_000_000)))
    found.apply(e.Marked(NOW, {i.symbol: PRICE for i in INSTRUMENTS}))
    for number, instrument in enumerate(INSTRUMENTS):
        side = Side.BUY if number % 2 else Side.SELL
        for name, kind, filled in ((f"held.{number}", {}, True), (f"rests.{number}", _resting(side), False)):
            request = OrderRequest(name, instrument.symbol, side, Decimal(100), "momentum", **kind)
            found.apply(e.OrderInitialized(NOW, request))
            found.apply(e.OrderSubmitted(NOW, name))
            found.apply(e.OrderAccepted(NOW, name, f"v-{name}"))
            if filled:
                fill = Fill(name, name, request.symbol, side, Decimal(100), PRICE, Decimal(0), NOW)
                found.apply(e.OrderFilled(NOW, fill))
    found.now = NOW + timedelta(seconds=5)
    found.references.saw(dict.fromkeys((i.symbol for i in INSTRUMENTS), found.now), found.now)
    found.references.trade({i.symbol: Decimal(10_000_000) for i in INSTRUMENTS})
    symbols = [i.symbol for i in INSTRUMENTS]
    returns = np.random.default_rng(7).standard_normal((500, len(symbols))) * 0.02
    found.references.scenarios = ScenarioTable(symbols, returns, 0.95)
    return found


def _resting(side: Side) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": PRICE - side.sign}


def requests(orders: int) -> list[OrderRequest]:
    """Orders of both sides, of market and limit type, over all symbols."""
    found = []
    for number in range(orders):
        # Market orders are of the side of what rests in their symbol: against it none passes.
        side = Side.BUY if number % 2 else Side.SELL
        kind = _resting(side) if number % 4 < 2 else {}
        symbol = INSTRUMENTS[number % len(INSTRUMENTS)].symbol
        found.append(OrderRequest(f"new.{number}", symbol, side, Decimal(10), "momentum", **kind))
    return found


def measure(orders: int, rounds: int) -> dict[str, Any]:
    """Microseconds of CPU for one order, with the default limits and with every rule on."""
    view, asked = books(), requests(orders)
    result: dict[str, Any] = {"orders": orders}
    for name, limits in (("default_us", RiskLimits()), ("all_rules_us", ALL_RULES)):
        gate = RiskGate(limits, INSTRUMENTS)
        denied = [found for request in asked if (found := gate.check(request, view)) is not None]
        if denied:
            message = f"{len(denied)} orders were denied; the first: {denied[0]}"
            raise SystemExit(message)
        result[name] = round(statistics.median(_round(gate, asked, view) for _ in range(rounds)), 3)
    return result


def _round(gate: RiskGate, asked: list[OrderRequest], view: Books) -> float:
    check = gate.check
    started = time.thread_time()
    for request in asked:
        check(request, view)
    return (time.thread_time() - started) / len(asked) * 1e6


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.orders, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"gate, {result['orders']} orders, CPU of one check")
    print(f"  default limits   {result['default_us']:>8.3f} us")
    print(f"  every rule on    {result['all_rules_us']:>8.3f} us   (target: at most 5)")


if __name__ == "__main__":
    main()
