from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.momentum import STRATEGY

ALTERNATING = np.tile([0.03, -0.01], 50)
"""Log returns of mean 0.01 and deviation 0.02 in every window of even length: z = sqrt(lookback) / 2."""


def closes(returns: Any) -> Any:
    return 50.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def reference_score(series: Any, lookback: int, skip: int) -> Any:
    """Score of each bar straight from the formula."""
    returns = np.diff(np.log(series))
    scores = np.full(len(series), np.nan)
    for t in range(lookback + skip, len(series)):
        window = returns[t - skip - lookback : t - skip]
        scores[t] = window.sum() / (window.std() * np.sqrt(lookback))
    return scores


def test_it_abstains_until_the_window_behind_the_skip_is_full(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, closes(ALTERNATING), {"lookback": 16, "skip": 3, "entry": 1.0})
    assert confidence[: 16 + 3].tolist() == [0.0] * 19
    assert targets[:19].ravel().tolist() == [0.0] * 19
    assert targets[19:].ravel().tolist() == [1.0] * 82
    np.testing.assert_allclose(confidence[19:], conviction(1.0, 2.0), rtol=1e-9)


def test_entry_and_exit_are_in_units_of_the_score(drive: Any) -> None:
    below, _ = drive(STRATEGY, closes(ALTERNATING), {"lookback": 16, "skip": 0, "entry": 2.001})
    above, _ = drive(STRATEGY, closes(ALTERNATING), {"lookback": 16, "skip": 0, "entry": 1.999})
    assert not below.any()
    assert above[16:].all()


@pytest.mark.parametrize("skip", [0, 4])
@pytest.mark.parametrize("short", [0, 1])
def test_it_enters_holds_and_leaves_where_the_formula_says(drive: Any, skip: int, short: int) -> None:
    series = closes(np.random.default_rng(8).normal(0.0, 0.02, 1500))
    values = {"lookback": 20, "skip": skip, "entry": 0.8, "exit": 0.2, "short": short}
    targets, confidence = drive(STRATEGY, series, values)
    position, expected = 0, []
    scores = reference_score(series, 20, skip)
    for z in scores:
        if not np.isnan(z):
            if (position == 1 and z < 0.2) or (position == -1 and z > -0.2):
                position = 0
            if position == 0 and z > 0.8:
                position = 1
            elif position == 0 and z < -0.8 and short:
                position = -1
        expected.append(position)
    assert targets.ravel().tolist() == expected
    assert set(expected) == ({-1, 0, 1} if short else {0, 1})
    live = ~np.isnan(scores)
    wanted = [conviction(float(p), z) for p, z in zip(np.array(expected)[live], scores[live], strict=True)]
    np.testing.assert_allclose(confidence[live], wanted, rtol=1e-7)


def test_scale_makes_the_target_grow_with_the_score(drive: Any) -> None:
    values = {"lookback": 16, "skip": 0, "entry": 1.0, "scale": 8.0}
    targets, _ = drive(STRATEGY, closes(ALTERNATING), values)
    np.testing.assert_allclose(targets[16:], 2.0 / 8.0, rtol=1e-9)
    capped, _ = drive(STRATEGY, closes(ALTERNATING), values | {"scale": 1.5})
    assert capped[16:].ravel().tolist() == [1.0] * 85


def test_a_price_that_stands_still_is_no_trend_and_a_steady_one_is_a_full_one(drive: Any) -> None:
    still, confidence = drive(STRATEGY, np.full(200, 7.0))
    assert not still.any()
    assert confidence[-1] == 1.0
    steady, confidence = drive(STRATEGY, 2.0 ** np.arange(200.0))
    assert steady[-1] == 1.0
    assert confidence[-1] == pytest.approx(1.0)


def test_an_exit_above_the_entry_is_refused() -> None:
    with pytest.raises(StrategyError, match="exit=2 is above entry=1"):
        STRATEGY.vector({"entry": 1.0, "exit": 2.0})
