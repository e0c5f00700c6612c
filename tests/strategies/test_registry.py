from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.registry import STRATEGIES, find
from nt_ray.types import FloatArray

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)

QUICK: dict[str, dict[str, float]] = {
    "momentum": {"lookback": 20, "skip": 2, "entry": 0.5, "short": 1, "scale": 2.0},
    "mean_reversion": {"window": 10, "entry": 1.0, "trend": 30, "max_bars": 5, "short": 1},
    "pairs": {"lookback": 60, "refit": 7, "level": 10, "entry": 1.0, "lags": 1},
}


def closes_of(strategy: Strategy, pair: FloatArray, bars: int = 500) -> FloatArray:
    return pair[:bars, : strategy.width].copy()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("momentum", "momentum"),
        ("momentum_trading", "momentum"),
        ("Mean-Reversion", "mean_reversion"),
        ("mean reversion trading", "mean_reversion"),
        ("pairs_trading", "pairs"),
        (" PAIRS ", "pairs"),
    ],
)
def test_names_and_aliases_find_their_strategy(name: str, expected: str) -> None:
    assert find(name).name == expected


def test_names_and_aliases_are_unique() -> None:
    names = [n for s in STRATEGIES for n in (s.name, *s.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("wrong", "near"), [("momentun", "momentum"), ("pears", "pairs"), ("", "")])
def test_an_unknown_name_is_answered_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(StrategyError, match=f"Unknown strategy '{wrong}'.*'{near}"):
        find(wrong)


@every_strategy
def test_defaults_are_in_range_and_documented(strategy: Strategy) -> None:
    params = strategy.vector()
    assert len(params) == len(strategy.parameters)
    assert strategy.summary
    assert strategy.source
    assert all(p.description.endswith(".") for p in strategy.parameters)
    assert strategy.state_size(params) > 0


@every_strategy
def test_out_of_range_and_unknown_parameters_are_refused(strategy: Strategy) -> None:
    for parameter in strategy.parameters:
        for value in (parameter.low - 1.0, parameter.high + 1.0, np.nan):
            with pytest.raises(StrategyError, match=parameter.name):
                strategy.vector({parameter.name: value})
    with pytest.raises(StrategyError, match="has no parameter 'speed'"):
        strategy.vector({"speed": 1.0})


@every_strategy
def test_it_does_trade_in_the_tests_below(strategy: Strategy, pair: FloatArray, drive: Any) -> None:
    targets, _ = drive(strategy, closes_of(strategy, pair), QUICK[strategy.name])
    assert {-1.0, 1.0} <= set(np.sign(targets).ravel().tolist())


@every_strategy
@pytest.mark.parametrize("change", [1.5, 1e6, np.nan])
def test_the_future_changes_nothing_before_it(strategy: Strategy, change: float, pair: FloatArray, drive: Any) -> None:
    closes = closes_of(strategy, pair)
    before = drive(strategy, closes, QUICK[strategy.name])
    for row in (1, 59, 60, 150, 333, 499):
        for column in range(strategy.width):
            changed = closes.copy()
            changed[row:, column] *= change
            after = drive(strategy, changed, QUICK[strategy.name])
            for a, b in zip(after, before, strict=True):
                assert a[:row].tobytes() == b[:row].tobytes()


@every_strategy
def test_the_same_bars_give_the_same_bits(strategy: Strategy, pair: FloatArray, drive: Any) -> None:
    closes = closes_of(strategy, pair)
    first, second = (drive(strategy, closes, QUICK[strategy.name]) for _ in range(2))
    assert [a.tobytes() for a in first] == [b.tobytes() for b in second]


@every_strategy
@pytest.mark.parametrize("missing", [np.nan, 0.0, -1.0, np.inf])
def test_a_missing_bar_repeats_the_vote_and_is_forgotten(
    strategy: Strategy, missing: float, pair: FloatArray, drive: Any
) -> None:
    closes = closes_of(strategy, pair)
    plain_targets, plain_confidence = drive(strategy, closes, QUICK[strategy.name])
    generator = np.random.default_rng(3)
    holed, is_bar = [], []
    for row in closes:
        while generator.random() < 0.3:
            hole = row.copy()
            hole[generator.integers(strategy.width)] = missing
            holed.append(hole)
            is_bar.append(False)
        holed.append(row)
        is_bar.append(True)
    targets, confidence = drive(strategy, np.array(holed), QUICK[strategy.name])
    bars = np.array(is_bar)
    assert targets[bars].tobytes() == plain_targets.tobytes()
    assert confidence[bars].tobytes() == plain_confidence.tobytes()
    for t in np.flatnonzero(~bars)[1:]:
        assert targets[t].tolist() == (targets[t - 1].tolist() if t else [0.0] * strategy.width)
        assert confidence[t] == (confidence[t - 1] if t else 0.0)


@every_strategy
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_votes_are_always_in_range(strategy: Strategy, drive: Any, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    size = data.draw(st.sampled_from([0.0, 1e-9, 0.01, 1.0]))
    steps = np.random.default_rng(seed).normal(0.0, size, (120, strategy.width))
    targets, confidence = drive(strategy, np.exp(np.cumsum(steps, axis=0)), QUICK[strategy.name])
    assert np.isfinite(targets).all()
    assert (np.abs(targets) <= 1.0).all()
    assert ((confidence >= 0.0) & (confidence <= 1.0)).all()
