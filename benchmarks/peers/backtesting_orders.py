"""The order task of `benchmarks/event_peers.py` on backtesting.py.

Reads ticks, prints fills, orders and seconds as JSON.

.venv-peers/backtesting/bin/python benchmarks/peers/backtesting_orders.py TICKS.npy EVERY BELOW STOP REPEATS
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

TICK = 0.01


def main() -> None:
    """Run the task and print the result."""
    path, *numbers = sys.argv[1:]
    every, below, stop, repeats = (int(n) for n in numbers)
    ticks = np.load(path)
    prices = np.round(ticks * TICK, 2)
    index = pd.date_range("2020-01-01", periods=len(ticks), freq="min")
    frame = pd.DataFrame(prices, columns=["Open", "High", "Low", "Close"], index=index)
    frame["Volume"] = 1e6

    class Orders(Strategy):
        def init(self) -> None:
            self.sent = 0

        def next(self) -> None:
            row = len(self.data) - 1
            if row % every:
                return
            for order in list(self.orders):
                order.cancel()
            self.sent += 1
            close = round(self.data.Close[-1] / TICK)
            if self.position.size == 0:
                self.buy(size=10, limit=round((close - below) * TICK, 2))
            else:
                self.sell(size=10, stop=round((close - stop) * TICK, 2))

    warnings.simplefilter("ignore")
    seconds = []
    for _ in range(repeats):
        engine = Backtest(frame, Orders, cash=1e9, commission=0.0, trade_on_close=False, finalize_trades=False)
        began = time.perf_counter()
        result = engine.run()
        seconds.append(time.perf_counter() - began)
    fills = []
    for trade in result["_trades"].itertuples():
        fills.append([int(trade.EntryBar), 1, round(trade.EntryPrice / TICK)])
        fills.append([int(trade.ExitBar), -1, round(trade.ExitPrice / TICK)])
    still_open = result["_strategy"].trades
    fills += [[int(trade.entry_bar), 1, round(trade.entry_price / TICK)] for trade in still_open]
    print(json.dumps({"seconds": seconds, "orders": result["_strategy"].sent, "fills": sorted(fills)}))


if __name__ == "__main__":
    main()
