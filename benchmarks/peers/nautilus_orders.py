"""The order task of `benchmarks/event_peers.py` on NautilusTrader 1.

Reads ticks, prints fills, orders and seconds as JSON. Logging, the risk engine, the analysis after the run and the
logging of events are off. The strategy keeps its own order and position: asking the cache for all orders of an
instrument takes half of a run over 100,000 bars.

.venv-peers/nautilus/bin/python benchmarks/peers/nautilus_orders.py TICKS.npy EVERY BELOW STOP REPEATS
"""

import json
import sys
import time
from decimal import Decimal

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

TICK = 0.01
MINUTE_NS = 60 * 10**9
VENUE = Venue("XSIM")
INSTRUMENT = Equity(
    InstrumentId(Symbol("AAA"), VENUE),
    Symbol("AAA"),
    USD,
    2,
    Price.from_str("0.01"),
    Quantity.from_int(1),
    0,
    0,
    maker_fee=Decimal(0),
    taker_fee=Decimal(0),
)
BARS = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")


class OrdersConfig(StrategyConfig, frozen=True):
    """Numbers of the task."""

    every: int
    below: int
    stop: int


class Orders(Strategy):
    """Works one limit or stop order at a time."""

    def __init__(self, config: OrdersConfig) -> None:
        super().__init__(config)
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
        if self.row % self.config.every:
            return
        if self.working is not None:
            self.cancel_order(self.working)
        close = round(bar.close.as_double() / TICK)
        size = Quantity.from_int(10)
        if self.long:
            price = Price((close - self.config.stop) * TICK, 2)
            order = self.order_factory.stop_market(INSTRUMENT.id, OrderSide.SELL, size, price)
        else:
            price = Price((close - self.config.below) * TICK, 2)
            order = self.order_factory.limit(INSTRUMENT.id, OrderSide.BUY, size, price, TimeInForce.GTC)
        self.working = order
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


def main() -> None:
    """Run the task and print the result."""
    path, *numbers = sys.argv[1:]
    every, below, stop, repeats = (int(n) for n in numbers)
    data = bars_of(np.load(path))
    seconds = []
    for _ in range(repeats):
        config = BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True), run_analysis=False
        )
        engine = BacktestEngine(config=config)
        engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000_000, USD)], base_currency=USD)
        engine.add_instrument(INSTRUMENT)
        engine.add_data(data)
        strategy = Orders(OrdersConfig(every=every, below=below, stop=stop, log_events=False, log_commands=False))
        engine.add_strategy(strategy)
        began = time.perf_counter()
        engine.run()
        seconds.append(time.perf_counter() - began)
        fills, orders = strategy.fills, engine.cache.orders_total_count()
        engine.dispose()
    print(json.dumps({"seconds": seconds, "orders": orders, "fills": sorted(fills)}))


if __name__ == "__main__":
    main()
