import math
from typing import Any

import numpy as np
import pytest

from nt_ray.strategies.market_making import STRATEGY, quotes, quotes_of

VALUES = {"fair": 10, "window": 20, "gamma": 2.0, "kappa": 400.0, "horizon": 5.0, "inventory": 4}


def test_quotes_are_avellaneda_and_stoikovs() -> None:
    # Table of the paper's section 3.3: gamma 0.1, sigma 2, kappa 1.5, one unit of time left, mid price 100.
    bid, ask = quotes(100.0, 0.0, 2.0, 0.1, 1.5, 1.0)
    spread = 0.1 * 4.0 + 2.0 / 0.1 * math.log(1.0 + 0.1 / 1.5)
    assert ask - bid == pytest.approx(spread)
    assert (ask + bid) / 2.0 == pytest.approx(100.0)
    long_bid, long_ask = quotes(100.0, 3.0, 2.0, 0.1, 1.5, 1.0)
    assert (long_ask + long_bid) / 2.0 == pytest.approx(100.0 - 3.0 * 0.1 * 4.0)
    assert long_ask - long_bid == pytest.approx(spread)


@pytest.mark.parametrize(("gamma", "published"), [(0.1, 1.49), (0.01, 1.35)])
def test_the_mean_spread_of_a_session_is_the_papers(gamma: float, published: float) -> None:
    # Section 3.3, tables 1 and 2: sigma 2, kappa 1.5, the time left runs from 1 to 0 in steps of 0.005.
    spreads = [np.subtract(*quotes(100.0, 0.0, 2.0, gamma, 1.5, t)[::-1]) for t in np.arange(1.0, 0.0, -0.005)]
    assert round(float(np.mean(spreads)), 2) == published


def test_a_fixed_spread_is_moved_by_the_share_of_the_inventory_that_is_held() -> None:
    params = STRATEGY.vector({"model": 1, "spread_target": 0.004, "skew_factor": 0.5, "inventory": 8})
    bid, ask = quotes_of(4.0, 0.0, 0.01, params)
    assert (bid, ask) == pytest.approx((3.998, 4.002), abs=1e-12)
    # Half of the inventory moves both down by a quarter of the half spread; deviation means nothing.
    assert quotes_of(4.0, 4.0, 0.5, params) == pytest.approx((3.9975, 4.0015), abs=1e-12)
    assert quotes_of(4.0, -8.0, 0.01, params) == pytest.approx((3.999, 4.003), abs=1e-12)


@pytest.mark.parametrize("short", [0, 1])
def test_inventory_follows_the_quotes_of_the_bar_before(drive: Any, short: int) -> None:
    logs = 4.0 + np.random.default_rng(2).normal(0.0, 0.01, 600).cumsum()
    targets, confidence = drive(STRATEGY, np.exp(logs), VALUES | {"short": short})
    fair, quantity, expected, sure = logs[:10].mean(), 0, [], []
    bid = ask = None
    for t, price in enumerate(logs):
        if t >= 10:
            fair += 2.0 / 11.0 * (price - fair)
        if bid is not None and ask is not None:
            if price <= bid:
                quantity = min(quantity + 1, 4)
            elif price >= ask:
                quantity = max(quantity - 1, -4 if short else 0)
        if t >= 20:
            risk = 2.0 * np.diff(logs)[t - 20 : t].var() * 5.0
            half = risk / 2.0 + math.log(1.0 + 2.0 / 400.0) / 2.0
            bid, ask = fair - quantity * risk - half, fair - quantity * risk + half
            away = abs(2.0 * (price - fair) / (ask - bid))
            sure.append(away / (1.0 + away) if quantity else 1.0 / (1.0 + away))
        expected.append(quantity / 4.0)
    np.testing.assert_allclose(confidence[20:], np.maximum(sure, 0.01), rtol=1e-6)
    assert targets.ravel().tolist() == expected
    assert (confidence > 0.0).tolist() == [False] * 20 + [True] * 580
    assert max(expected) == 1.0
    assert min(expected) == (-1.0 if short else 0.0)


def test_aversion_keeps_the_inventory_small(drive: Any) -> None:
    closes = np.exp(4.0 + np.random.default_rng(5).normal(0.0, 0.01, 2000).cumsum())
    bold, shy = (np.abs(drive(STRATEGY, closes, VALUES | {"gamma": g, "inventory": 50})[0]).mean() for g in (0.1, 20.0))
    assert shy < 0.5 * bold
