import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.simulate import simulate_orders
from nt_ray.backtest.practice import practice_panel
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.market_making_quotes import ORDER_STRATEGY
from nt_ray.strategies.order_step import ENTRY_ROW, LIMIT_ORDER, SIDE, TYPE
from nt_ray.types import FloatArray

VALUES = {
    "fair": 10, "window": 20, "gamma": 2.0, "kappa": 400.0, "horizon": 5.0, "inventory": 3, "size": 50, "spread": 0.01,
}  # fmt: skip


def vector(**values: float) -> FloatArray:
    return np.array([p.check({**VALUES, **values}.get(p.name, p.default)) for p in ORDER_STRATEGY.parameters])


def run(panel: BarPanel, **values: float) -> Any:
    params = vector(**values)
    return simulate_orders(panel, ORDER_STRATEGY, params, market=Market(), initial_cash=Decimal(1_000_000))


@pytest.mark.parametrize("model", [0, 1])
@pytest.mark.parametrize("short", [0, 1])
def test_fills_are_those_of_the_quotes_of_the_bar_before(short: int, model: int) -> None:
    panel = practice_panel(1, 500)
    panel = replace(panel, values=np.round(panel.values, 4))
    result = run(panel, short=short, model=model)
    ticks = panel.ticks()[:, 0]
    logs = np.log(panel.values[:, 0, 3])
    held, fair, expected, positions = 0, logs[:10].mean(), [], []
    quotes: list[tuple[int, int]] = []
    for t in range(500):
        for side, limit in quotes:
            reached = ticks[t, 2] <= limit if side > 0 else ticks[t, 1] >= limit
            if reached:
                price = min(ticks[t, 0], limit) if side > 0 else max(ticks[t, 0], limit)
                held += side * 50
                expected.append((t, side, 50, price))
        positions.append(held)
        if t >= 10:
            fair += 2.0 / 11.0 * (logs[t] - fair)
        quotes = []
        if t >= 20:
            risk = 2.0 * np.diff(logs)[t - 20 : t].var() * 5.0
            half = risk / 2.0 + math.log(1.0 + 2.0 / 400.0) / 2.0
            middle = fair - held / 50.0 * risk
            if model == 1:
                half, middle = 0.005, fair - 0.5 * 0.005 * held / 150.0
            if held + 50 <= 150:
                quotes.append((1, min(math.floor(math.exp(middle - half) * 1e4), ticks[t, 3])))
            if held - 50 >= (-150 if short else 0):
                quotes.append((-1, max(math.ceil(math.exp(middle + half) * 1e4), ticks[t, 3])))
    found = [tuple(row) for row in result.fills[:, [0, 2, 3, 4]].tolist()]
    assert sorted(found) == sorted((t, s, n, int(p)) for t, s, n, p in expected)
    assert result.positions[:, 0].tolist() == positions
    assert max(positions) == 150
    assert min(positions) == (-150 if short else 0)


def test_both_sides_stand_at_once_and_nothing_stands_after_a_bar_without_a_close() -> None:
    panel = practice_panel(1, 200)
    values = panel.values.copy()
    values[100, :, :4] = np.nan
    orders = run(replace(panel, values=values)).orders
    entered = orders[:, ENTRY_ROW]
    assert sorted(orders[entered == 60][:, SIDE].tolist()) == [-1, 1]
    assert not (entered == 100).any()
    assert (orders[:, TYPE] == LIMIT_ORDER).all()


def test_prices_that_are_none_are_not_quoted() -> None:
    # So much risk that the reservation price of any inventory lies beyond all prices.
    result = run(practice_panel(1, 300), gamma=1000.0, horizon=2520.0, kappa=1e6)
    assert len(result.fills) == 0
    assert len(result.orders) == 0
