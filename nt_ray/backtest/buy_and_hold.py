"""Buy and hold: the benchmark that puts equal money into every instrument once and then does nothing.

Owns no rules of its own: it trades by the matching rules and costs of the simulated exchange.
"""

from decimal import Decimal

import numpy as np

from nt_ray.backtest.simulator import Tape, cash_quanta, match_bar
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.types import IntArray


def buy_and_hold(panel: BarPanel, costs: Costs, initial_cash: Decimal) -> IntArray:
    """Equity in money quanta of equal money in each instrument, bought once, shape (T,).

    Parameters
    ----------
    panel
        T bars of N instruments. Those with a close on the first row that has any are bought on the row after
        it; what does not trade there, or not in full, stays in cash.
    costs
        What trading costs. Costs and the next bar's price come on top of the money set aside, so cash can end
        slightly below zero.
    initial_cash
        Units of currency, divided evenly and spent in whole lots.
    """
    cash = np.array([cash_quanta(initial_cash)], dtype=np.int64)
    tape = Tape.of(panel, costs)
    closes = tape.ticks[:, :, CLOSE]
    priced = np.flatnonzero((closes != UNKNOWN_PRICE).any(axis=1))
    if len(priced) == 0:
        raise MarketDataError(f"Panel {panel.name!r} has no close at all. Give bars with prices.")
    first = int(priced[0])
    equity = np.full(len(panel), cash[0], dtype=np.int64)
    if first + 1 >= len(panel):
        return equity
    chosen = closes[first] > 0
    lots = np.zeros(len(tape.units), dtype=np.int64)
    orders = lots.copy()
    orders[chosen] = cash[0] // int(chosen.sum()) // (closes[first] * tape.units)[chosen]
    executions = np.zeros((len(lots), 6), dtype=np.int64)
    match_bar(
        first + 1, tape.ticks, tape.volumes, tape.close_only, tape.units, tape.lot_sizes, tape.costs,
        orders, lots, cash, executions,
    )  # fmt: skip
    # A position has a mark; where nothing is held, an unknown mark counts nothing.
    equity[first + 1 :] = cash[0] + (tape.marks()[first + 1 :] * (lots * tape.units)).sum(axis=1)
    return equity
