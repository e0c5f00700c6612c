import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.simulate import simulate_orders
from nt_ray.backtest.practice import practice_panel
from nt_ray.strategies.market_making_quotes import ORDER_STRATEGY

PARAMS = np.array([10.0, 20.0, 2.0, 400.0, 5.0, 3.0, 1.0, 50.0])


@pytest.mark.parametrize("short", [0.0, 1.0])
def test_fills_are_those_of_the_quotes_of_the_bar_before(short: float) -> None:
    panel = practice_panel(1, 500)
    panel = replace(panel, values=np.round(panel.values, 4))
    params = PARAMS.copy()
    params[6] = short
    result = simulate_orders(panel, ORDER_STRATEGY, params, market=Market(), initial_cash=Decimal(1_000_000))
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
            if held + 50 <= 150:
                quotes.append((1, min(math.floor(math.exp(middle - half) * 1e4), ticks[t, 3])))
            if held - 50 >= (-150 if short else 0):
                quotes.append((-1, max(math.ceil(math.exp(middle + half) * 1e4), ticks[t, 3])))
    found = [tuple(row) for row in result.fills[:, [0, 2, 3, 4]].tolist()]
    assert sorted(found) == sorted((t, s, n, int(p)) for t, s, n, p in expected)
    assert result.positions[:, 0].tolist() == positions
    assert max(positions) == 150
    assert min(positions) == (-150 if short else 0)
