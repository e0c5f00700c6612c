from typing import Any

import numpy as np
import pytest
import talib

from nt_ray.errors import StrategyError
from nt_ray.strategies.multi_indicator import STRATEGY
from nt_ray.types import FloatArray


def votes(closes: FloatArray, memory: int) -> tuple[FloatArray, FloatArray]:
    """Votes to buy and to sell on each bar from TA-Lib's indicators; NaN before all three are known."""
    index = talib.RSI(closes, 14)
    histogram = talib.MACD(closes, 12, 26, 9)[2]
    upper, _, lower = talib.BBANDS(closes, 20, 2.0, 2.0, 0)
    up = np.concatenate([[False], (histogram[1:] > 0) & (histogram[:-1] < 0)])
    down = np.concatenate([[False], (histogram[1:] < 0) & (histogram[:-1] > 0)])
    turned = np.where(up, 1, np.where(down, -1, 0))
    latest = np.zeros(len(closes))
    for t in range(len(closes)):
        recent = turned[max(t - memory + 1, 0) : t + 1]
        latest[t] = recent[recent != 0][-1] if (recent != 0).any() else 0
    buys = (index < 35).astype(float) + (latest > 0) + (closes < lower)
    sells = (index > 70).astype(float) + (latest < 0) + (closes > upper)
    unknown = np.isnan(index + histogram + upper)
    buys[unknown], sells[unknown] = np.nan, np.nan
    return buys, sells


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize(("agree", "memory"), [(1, 1), (2, 1), (2, 5), (3, 12)])
def test_it_acts_where_talibs_indicators_agree(
    drive: Any, bars: FloatArray, short: int, agree: int, memory: int
) -> None:
    closes = np.ascontiguousarray(bars[:, 3])
    buys, sells = votes(closes, memory)
    position, expected, wanted = 0, [], []
    for b, s in zip(buys, sells, strict=True):
        confidence = 0.0
        if not np.isnan(b):
            if b >= agree and b > s:
                position = 1
            elif s >= agree and s > b:
                position = -1 if short else 0
            confidence = (3 + position * (b - s)) / 6 if position else 1 - abs(b - s) / 3
        expected.append(float(position))
        wanted.append(confidence)
    targets, confidences = drive(STRATEGY, closes, {"agree": agree, "memory": memory, "short": short})
    assert targets.ravel().tolist() == expected
    np.testing.assert_allclose(confidences[33:], np.maximum(wanted[33:], 0.01), rtol=1e-12)
    if agree < 3:
        assert len(set(expected)) == 2 + short


def test_it_abstains_until_the_slowest_indicator_is_known(drive: Any, bars: FloatArray) -> None:
    _, confidence = drive(STRATEGY, np.ascontiguousarray(bars[:100, 3]))
    assert np.flatnonzero(confidence)[0] == 26 + 9 - 2
    _, confidence = drive(STRATEGY, np.ascontiguousarray(bars[:100, 3]), {"band_window": 60})
    assert np.flatnonzero(confidence)[0] == 59


def test_on_walks_without_drift_it_earns_nothing_and_a_peek_at_one_bar_would_show(drive: Any) -> None:
    # A vote that already knows the next close loses steadily here, for it buys falls one bar early.
    generator = np.random.default_rng(2024)
    held, early = [], []
    for _ in range(150):
        returns = generator.normal(0.0, 0.02, 400)
        targets, _ = drive(STRATEGY, 100.0 * np.exp(np.cumsum(returns)), {"short": 1})
        votes_ = targets.ravel()
        held.append((votes_[:-1] * returns[1:]).sum())
        early.append((votes_[1:] * returns[1:]).sum())
    error = np.std(held) / np.sqrt(len(held))
    assert abs(np.mean(held)) < 3.0 * error
    assert abs(np.mean(early)) > 6.0 * error


@pytest.mark.parametrize(("price", "band_window"), [(0.1, 20), (182.64, 7), (25.52, 11), (97.12, 11), (1.54, 7)])
def test_a_price_that_stands_still_gets_no_votes(drive: Any, price: float, band_window: int) -> None:
    # The mean of some of these windows misses the price by a rounding, to either side.
    values = {"agree": 1, "short": 1, "band_window": band_window}
    targets, confidence = drive(STRATEGY, np.full(120, price), values)
    assert not targets.any()
    assert confidence[-1] == 1.0


def test_parameters_out_of_order_are_refused() -> None:
    with pytest.raises(StrategyError, match="macd_fast=26 is not below macd_slow=26"):
        STRATEGY.vector({"macd_fast": 26})
    with pytest.raises(StrategyError, match="oversold=80 is above overbought=70"):
        STRATEGY.vector({"oversold": 80})
