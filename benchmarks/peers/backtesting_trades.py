"""Runs written for backtesting.py on daily bars; writes its trades and equity as JSON.

    .venv-peers/backtesting/bin/python benchmarks/peers/backtesting_trades.py BARS.csv

`tests/backtest/peers/` runs the same rules on the event simulator and compares. Indicators that decide are whole
numbers of cents, so that no decision hangs on the last bit of a float; the crossing runs take pandas' means as they
come. Commissions are 0.2 %, each rounded to the cent, but for the run that says otherwise.
"""

import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

CASH, MORE_CASH = 10_000, 100_000
RATE = 0.002
FAST, SLOW = 10, 20
WINDOW, LOW, HIGH = 14, 30, 70
EVERY, UNITS, LOSS, PROFIT, BELOW = 20, 20, 4, 6, 1
RANGES, TIMES = 14, 3
TRAIL_PPM = 50_000


def to_the_cent(size: float, price: float) -> float:
    """Commission of 0.2 %, in whole cents, half a cent up; of a share of the account, as it comes."""
    if abs(size) < 1:
        return abs(size) * price * RATE
    return (2 * round(abs(size) * price * 100) + 500) // 1000 / 100


def cents(values: Any) -> np.ndarray:
    """Prices in whole cents."""
    return np.rint(np.asarray(values) * 100).astype(np.int64)


def mean(values: Any, bars: int) -> pd.Series:
    """Moving average."""
    return pd.Series(values).rolling(bars).mean()


def strength(closes: Any) -> np.ndarray:
    """Relative strength with plain sums: 100 x gains / (gains + losses) over `WINDOW` changes."""
    moves = np.diff(cents(closes), prepend=cents(closes)[0])
    gains = np.convolve(np.maximum(moves, 0), np.ones(WINDOW, dtype=np.int64))[: len(moves)]
    losses = np.convolve(np.maximum(-moves, 0), np.ones(WINDOW, dtype=np.int64))[: len(moves)]
    with np.errstate(invalid="ignore"):
        value = 100 * gains / (gains + losses)
    value[:WINDOW] = np.nan
    return value


def ranges(high: Any, low: Any, close: Any) -> np.ndarray:
    """Sum of `RANGES` true ranges in cents; NaN before there are as many."""
    high, low, close = cents(high), cents(low), cents(close)
    before = np.concatenate((close[:1], close[:-1]))
    true = np.maximum(high, before) - np.minimum(low, before)
    total = np.convolve(true, np.ones(RANGES, dtype=np.int64))[: len(true)].astype(float)
    total[: RANGES - 1] = np.nan
    return total


class Crossing(Strategy):
    """Long where the fast mean crosses above the slow one, short where below, with all that the account has."""

    def init(self) -> None:
        """Two means."""
        self.fast = self.I(mean, self.data.Close, FAST)
        self.slow = self.I(mean, self.data.Close, SLOW)

    def next(self) -> None:
        """Turn on a crossing."""
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()
            self.sell()


class Strength(Strategy):
    """Buy weakness with all the whole units that the close would pay for; sell strength."""

    def init(self) -> None:
        """The indicator."""
        self.value = self.I(strength, self.data.Close)

    def next(self) -> None:
        """Enter or leave."""
        if self.position.size == 0 and self.value[-1] < LOW:
            units = round(self.equity * 100) // round(self.data.Close[-1] * 100)
            self.buy(size=units)
        elif self.position.size and self.value[-1] > HIGH:
            self.position.close()


class Bracket(Strategy):
    """On a timetable: an entry with stop-loss and take-profit, out after 18 bars; sides by turns."""

    below = 0

    def init(self) -> None:
        """Nothing is needed beforehand."""

    def next(self) -> None:
        """Enter, let an entry lapse, or leave."""
        row = len(self.data) - 1
        if row % EVERY == 0:
            side = 1 if row // EVERY % 2 == 0 else -1
            close = round(self.data.Close[-1] * 100)
            entry = close - side * (close * self.below // 100)
            loss, profit = entry - side * (entry * LOSS // 100), entry + side * (entry * PROFIT // 100)
            enter = self.buy if side > 0 else self.sell
            limit = entry / 100 if self.below else None
            enter(size=UNITS, limit=limit, sl=loss / 100, tp=profit / 100)
        else:
            for order in list(self.orders):
                if not order.is_contingent:
                    order.cancel()
            if row % EVERY == EVERY - 2:
                self.position.close()


class LimitBracket(Bracket):
    """The same, entered by a limit that works for one bar."""

    below = BELOW


class TrailFromCloses(Strategy):
    """Long whenever flat; the stop stands three mean true ranges below the highest such level of any close."""

    def init(self) -> None:
        """The ranges."""
        self.total = self.I(ranges, self.data.High, self.data.Low, self.data.Close)

    def next(self) -> None:
        """Enter, and move the stop up."""
        if not self.trades:
            self.buy(size=UNITS)
        close = round(self.data.Close[-1] * 100)
        level = close - int(self.total[-1]) * TIMES // RANGES
        for trade in self.trades:
            trade.sl = max(trade.sl or 0.0, level / 100)


class TrailFromHighs(Strategy):
    """On the timetable: long, out after 18 bars; the stop trails the highest price since the entry by 5 %."""

    def init(self) -> None:
        """Nothing is needed beforehand."""

    def next(self) -> None:
        """Enter, move the stop up, or leave."""
        row = len(self.data) - 1
        if row % EVERY == 0:
            self.buy(size=UNITS)
        elif row % EVERY == EVERY - 2:
            self.position.close()
        else:
            for trade in self.trades:
                entry = round(trade.entry_price * 100)
                top = max(entry, int(cents(self.data.High[trade.entry_bar :]).max()))
                trade.sl = (top - top * TRAIL_PPM // 1_000_000) / 100


class Corners(Strategy):
    """A bracket on every third bar, five below and above a close of 100."""

    def init(self) -> None:
        """Nothing is needed beforehand."""

    def next(self) -> None:
        """Enter."""
        if (len(self.data) - 1) % 3 == 1:
            self.buy(size=UNITS, sl=95, tp=105)


CORNERS = [
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (100, 106, 94, 100),
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (107, 108, 94, 100),
    (100, 101, 99, 100),
    (100, 101, 99, 100),
    (93, 106, 92, 100),
    (100, 101, 99, 100),
]
"""Bars that reach both exits: from between them, from above the profit, from below the loss."""


RUNS: dict[str, tuple[type[Strategy], int, dict[str, Any]]] = {
    "crossing": (Crossing, CASH, {}),
    "crossing, fees not rounded": (Crossing, CASH, {"commission": RATE}),
    "crossing, closed at the end": (Crossing, CASH, {"finalize_trades": True}),
    "strength": (Strength, MORE_CASH, {}),
    "bracket": (Bracket, MORE_CASH, {}),
    "bracket, short of cash": (Bracket, CASH, {}),
    "limit bracket": (LimitBracket, MORE_CASH, {}),
    "trail from closes": (TrailFromCloses, MORE_CASH, {}),
    "trail from highs": (TrailFromHighs, MORE_CASH, {}),
}


def trades(result: Any) -> list[list[float]]:
    """Entry bar, exit bar, size, prices, profit after costs, costs; exit bar -1 where a trade is open."""
    rows = [
        [int(t.EntryBar), int(t.ExitBar), int(t.Size), *(round(float(v), 6) for v in (t.EntryPrice, t.ExitPrice)),
         *(round(float(v), 6) for v in (t.PnL, t.Commission))]
        for t in result["_trades"].itertuples()
    ]  # fmt: skip
    still = [[int(t.entry_bar), -1, int(t.size), round(float(t.entry_price), 6)] for t in result["_strategy"].trades]
    return sorted(rows) + sorted(still)


def run(frame: pd.DataFrame, strategy: type[Strategy], cash: int, options: dict[str, Any]) -> dict[str, Any]:
    """One run, as it is recorded."""
    result = Backtest(frame, strategy, cash=cash, **{"commission": to_the_cent} | options).run()
    equity = result["_equity_curve"]["Equity"].to_numpy()
    return {"trades": trades(result), "equity": [round(float(v), 6) for v in equity]}


def main() -> None:
    """Run everything and print it."""
    frame = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
    warnings.simplefilter("ignore")
    runs = {name: run(frame, *terms) for name, terms in RUNS.items()}
    days = pd.date_range("2020-01-01", periods=len(CORNERS))
    corners = pd.DataFrame(CORNERS, columns=["Open", "High", "Low", "Close"], index=days, dtype=float)
    runs["corners"] = run(corners, Corners, CASH, {}) | {"bars": CORNERS}
    print(json.dumps({"peer": "backtesting.py", "version": version("backtesting"), "runs": runs}))


if __name__ == "__main__":
    main()
