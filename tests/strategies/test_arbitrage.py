from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.arbitrage import STRATEGY

FREE = {"fee_a": 1.0, "fee_b": 2.0, "slippage": 0.5, "edge": 12.0, "exit": 3.0}
"""A round trip costs 2 * 3 + 4 * 0.5 = 8 basis points; with edge and exit the threshold is 23."""


def venues(gaps: Any) -> Any:
    """Two closes whose second stands these basis points above the first."""
    first = 100.0 + np.arange(len(gaps), dtype=float)
    return np.column_stack([first, first * np.exp(np.asarray(gaps) / 1e4)])


def test_it_buys_the_cheap_venue_and_sells_the_dear_one_only_beyond_all_costs(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, venues([0.0, 22.9, 23.1, 10.0, 3.1, 2.9, -22.9, -23.1, 0.0]), FREE)
    assert targets[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, -1.0, 0.0]
    assert (targets[:, 1] == -targets[:, 0]).all()
    assert (confidence > 0.0).all()


def test_what_is_left_after_costs_is_the_edge(drive: Any) -> None:
    closes = venues([0.0, 23.1, 15.0, 3.0])
    targets, _ = drive(STRATEGY, closes, FREE)
    returns = np.diff(np.log(closes), axis=0) * 1e4
    assert (targets[:-1] * returns).sum() - 8.0 == pytest.approx(12.1, abs=1e-9)


def test_the_time_stop_waits_until_the_gap_was_small(drive: Any) -> None:
    gaps = [0.0, *[30.0] * 6, 5.0, 30.0, 30.0]
    targets, _ = drive(STRATEGY, venues(gaps), FREE | {"max_bars": 2})
    assert targets[:, 0].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("seed", range(3))
def test_it_follows_its_rule_on_noisy_gaps(drive: Any, seed: int) -> None:
    gaps = np.random.default_rng(seed).normal(0.0, 20.0, 500)
    position, expected = 0, []
    for gap in gaps:
        if position * gap <= 3.0:
            position = 0
        if position == 0 and abs(gap) > 23.0:
            position = int(np.sign(gap))
        expected.append(position)
    assert drive(STRATEGY, venues(gaps), FREE)[0][:, 0].tolist() == expected


def test_an_arbitrage_without_costs_or_edge_is_refused() -> None:
    with pytest.raises(StrategyError, match="all 0"):
        STRATEGY.vector(dict.fromkeys(("fee_a", "fee_b", "slippage", "edge", "exit"), 0.0))
