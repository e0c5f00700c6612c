from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.sma_cross import LARGEST, STRATEGY, whole_ticks


def expected(closes: np.ndarray, fast: int, slow: int, short: int) -> list[float]:
    """Positions by Python's own integers, which do not round."""
    ticks = [round(c * 10_000) for c in closes.tolist()]
    position, found = 0.0, []
    for t in range(len(ticks)):
        if t + 1 >= slow:
            above = sum(ticks[t + 1 - fast : t + 1]) * slow
            below = sum(ticks[t + 1 - slow : t + 1]) * fast
            if above != below:
                position = 1.0 if above > below else -float(short)
        found.append(position)
    return found


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (3, 10), (20, 50), (49, 50)])
def test_it_is_where_exact_sums_of_ticks_say(drive: Any, fast: int, slow: int, short: int) -> None:
    # Few price levels, so that equal means are common.
    closes = 10.0 + np.random.default_rng(fast).integers(0, 3, 600) * 0.0001
    targets, confidence = drive(STRATEGY, closes, {"fast": fast, "slow": slow, "short": short})
    assert targets.ravel().tolist() == expected(closes, fast, slow, short)
    assert confidence.tolist() == [0.0] * (slow - 1) + [1.0] * (601 - slow)
    assert len(set(targets.ravel())) > 1


def test_equal_means_change_nothing_however_long_they_last(drive: Any) -> None:
    # 0.1 has no exact float: running float sums would drift off the tie.
    up_then_level = np.r_[np.full(10, 0.1), 0.3, np.full(2000, 0.1)]
    targets, _ = drive(STRATEGY, up_then_level, {"fast": 2, "slow": 5})
    held = targets.ravel()
    assert held[10:12].tolist() == [1.0, 1.0]
    assert held[12:15].tolist() == [0.0] * 3
    assert not held[15:].any()
    rising = np.r_[np.full(10, 0.1), np.linspace(0.2, 0.7, 6), np.full(2000, 0.7)]
    assert drive(STRATEGY, rising, {"fast": 2, "slow": 5})[0][-1] == 1.0


def test_tiny_prices_are_counted_in_finer_ticks(drive: Any) -> None:
    closes = np.array([2e-6, 2e-6, 2e-6, 2.01e-6, 2.01e-6, 1.9e-6])
    targets, _ = drive(STRATEGY, closes, {"fast": 1, "slow": 3})
    assert targets.ravel().tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_ticks_stay_within_what_products_can_hold() -> None:
    assert whole_ticks(1e300, 1e8) == LARGEST
    assert whole_ticks(12.34567, 1e4) == 123457
    assert LARGEST * 2520**2 < 2**63


def test_a_fast_mean_that_is_not_shorter_is_refused() -> None:
    with pytest.raises(StrategyError, match="fast=50 is not below slow=50"):
        STRATEGY.vector({"fast": 50, "slow": 50})
