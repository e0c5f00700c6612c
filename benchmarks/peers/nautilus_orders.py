"""The order task of `benchmarks/event_peers.py` on NautilusTrader. Reads ticks, prints fills and seconds as JSON.

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
        self.fills: list[list[int]] = []

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        """Renew the order."""
        self.row += 1
        if self.row % self.config.every:
            return
        self.cancel_all_orders(INSTRUMENT.id)
        close = round(bar.close.as_double() / TICK)
        size = Quantity.from_int(10)
        if self.portfolio.is_flat(INSTRUMENT.id):
            order = self.order_factory.limit(
                INSTRUMENT.id, OrderSide.BUY, size, Price((close - self.config.below) * TICK, 2), TimeInForce.GTC
            )
        else:
            order = self.order_factory.stop_market(
                INSTRUMENT.id, OrderSide.SELL, size, Price((close - self.config.stop) * TICK, 2)
            )
        self.submit_order(order)

    def on_order_filled(self, event: object) -> None:
        """Note the fill; the bar that fills is matched before the strategy sees it."""
        side = 1 if event.order_side == OrderSide.BUY else -1
        self.fills.append([self.row + 1, side, round(event.last_px.as_double() / TICK)])


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
        strategy = Orders(OrdersConfig(every=every, below=below, stop=stop))
        engine.add_strategy(strategy)
        began = time.perf_counter()
        engine.run()
        seconds.append(time.perf_counter() - began)
        fills = strategy.fills
        engine.dispose()
    print(json.dumps({"seconds": seconds, "fills": sorted(fills)}))


if __name__ == "__main__":
    main()
