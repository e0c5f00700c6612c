"""The order task of `benchmarks/event_peers.py` on NautilusTrader 2, whose core is compiled.

Reads ticks, prints fills, orders and seconds as JSON. Logging, the risk engine, the analysis after the run and the
logging of events are off; fees are none; the strategy keeps its own order and position.

.venv-peers/nautilus2/bin/python benchmarks/peers/nautilus2_orders.py TICKS.npy EVERY BELOW STOP REPEATS
"""

import json
import sys
import time
from dataclasses import dataclass

import numpy as np
from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import FixedFeeModel
from nautilus_trader.model import (
    AccountType,
    Bar,
    BarType,
    Currency,
    Equity,
    InstrumentId,
    Money,
    OmsType,
    OrderSide,
    Price,
    Quantity,
    Symbol,
    TimeInForce,
    Venue,
)
from nautilus_trader.risk import RiskEngineConfig
from nautilus_trader.trading import Strategy, StrategyConfig

TICK = 0.01
MINUTE_NS = 60 * 10**9
USD = Currency.from_str("USD")
VENUE = Venue("XSIM")
INSTRUMENT = Equity(InstrumentId.from_str("AAA.XSIM"), Symbol("AAA"), USD, 2, Price.from_str("0.01"), 0, 0)
BARS = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")
SIZE = Quantity.from_int(10)


@dataclass(frozen=True)
class Task:
    """Numbers of the task."""

    every: int
    below: int
    stop: int


class Orders(Strategy):
    """Works one limit or stop order at a time."""

    def prepare(self, task: Task) -> None:
        """Begin without order and position; the base class takes no arguments of ours."""
        self.task = task
        self.row = -1
        self.working = None
        self.long = False
        self.fills: list[list[int]] = []

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        """Renew the order."""
        self.row += 1
        if self.row % self.task.every:
            return
        if self.working is not None:
            self.cancel_order(self.working)
        close = round(bar.close.as_double() / TICK)
        if self.long:
            price = Price((close - self.task.stop) * TICK, 2)
            order = self.order_factory.stop_market(INSTRUMENT.id, OrderSide.SELL, SIZE, price)
        else:
            price = Price((close - self.task.below) * TICK, 2)
            order = self.order_factory.limit(INSTRUMENT.id, OrderSide.BUY, SIZE, price, TimeInForce.GTC)
        self.working = order.client_order_id
        self.submit_order(order)

    def on_order_filled(self, event: object) -> None:
        """Note the fill; the bar that fills is matched before the strategy sees it."""
        self.long = event.order_side == OrderSide.BUY
        self.working = None
        self.fills.append([self.row + 1, 1 if self.long else -1, round(event.last_px.as_double() / TICK)])


def bars_of(ticks: np.ndarray) -> list[Bar]:
    """Bars of a table of ticks."""
    volume = Quantity.from_int(1_000_000)
    rows = []
    for i, row in enumerate(ticks.tolist()):
        moment = (i + 1) * MINUTE_NS
        rows.append(Bar(BARS, *(Price(value * TICK, 2) for value in row), volume, moment, moment))
    return rows


def engine_of(data: list[Bar]) -> BacktestEngine:
    """An engine with the bars in it and nothing that the task does not need."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            bypass_logging=True,
            logging=LoggerConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    cash, none = Money(1e9, USD), FixedFeeModel(Money(0.0, USD))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [cash], base_currency=USD, fee_model=none)
    engine.add_instrument(INSTRUMENT)
    engine.add_data(data)
    return engine


def main() -> None:
    """Run the task and print the result."""
    path, *numbers = sys.argv[1:]
    *task, repeats = (int(n) for n in numbers)
    data = bars_of(np.load(path))
    seconds = []
    for _ in range(repeats):
        engine = engine_of(data)
        strategy = Orders(StrategyConfig(log_events=False, log_commands=False))
        strategy.prepare(Task(*task))
        engine.add_strategy(strategy)
        began = time.perf_counter()
        engine.run()
        seconds.append(time.perf_counter() - began)
        fills, orders = strategy.fills, engine.get_result().total_orders
        engine.dispose()
    print(json.dumps({"seconds": seconds, "orders": orders, "fills": sorted(fills)}))


if __name__ == "__main__":
    main()
