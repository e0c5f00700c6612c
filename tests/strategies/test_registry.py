import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.registry import NAMES, STRATEGIES, find
from nt_ray.types import FloatArray

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)

QUICK: dict[str, dict[str, float]] = {
    "momentum": {"lookback": 20, "skip": 2, "entry": 0.5, "short": 1, "scale": 2.0},
    "mean_reversion": {"window": 10, "entry": 1.0, "trend": 30, "max_bars": 5, "short": 1},
    "pairs": {"lookback": 60, "refit": 7, "level": 10, "entry": 1.0, "lags": 1},
    "trend_following": {"fast": 5, "slow": 15, "atr_window": 5, "min_strength": 0.005, "short": 1},
    "breakout": {"window": 8, "threshold": 0.002, "max_range": 0.0, "exit_window": 4, "short": 1},
    "mirror": {"window": 8, "lookback": 40, "similarity": 0.6, "horizon": 3, "min_confidence": 0.3, "short": 1},
    "adaptive": {
        "lookback": 15, "trend": 0.3, "volatility_window": 10, "volatility_history": 30, "momentum_lookback": 15,
        "momentum_entry": 0.5, "reversion_window": 10, "reversion_entry": 1.0, "turbulent_size": 0.4, "short": 1,
    },
    "multi_indicator": {"rsi_window": 5, "macd_fast": 5, "macd_slow": 12, "macd_signal": 4, "memory": 3, "short": 1},
    "arbitrage": {"edge": 10.0, "exit": 2.0, "max_bars": 20},
    "statistical_arbitrage": {"lookback": 60, "refit": 7, "level": 10, "entry": 0.5, "exit": 0.1},
    "neural_forecast": {"window": 10, "scale": 5.0, "horizon": 2},
    "sentiment": {"half_life": 1.0, "threshold": 0.5, "exit": 0.1},
    "multi_factor": {"lookback": 20, "skip": 5, "long": 50, "calm": 10, "rebalance": 3},
    "risk_parity": {"window": 30, "rebalance": 5, "units": 1},
    "ensemble": {
        "method": 2, "lookback": 20, "skip": 2, "window": 10, "fast": 5, "slow": 20, "short": 1, "memory": 30,
        "vol_window": 10,
    },
    "market_making": {"fair": 10, "window": 10, "inventory": 3},
    "sma_cross": {"fast": 5, "slow": 15, "short": 1},
}  # fmt: skip

LONG_ONLY = frozenset({"risk_parity"})


def closes_of(strategy: Strategy, group: FloatArray, bars: int = 500) -> FloatArray:
    return group[:bars, : strategy.width].copy()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("momentum", "momentum"),
        ("momentum_trading", "momentum"),
        ("Mean-Reversion", "mean_reversion"),
        ("mean reversion trading", "mean_reversion"),
        ("pairs_trading", "pairs"),
        (" PAIRS ", "pairs"),
        ("trend-following", "trend_following"),
        ("breakout", "breakout"),
        ("mirror_trader", "mirror"),
        ("adaptive", "adaptive"),
        ("multi-indicator", "multi_indicator"),
        ("statistical_arbitrage", "statistical_arbitrage"),
        ("neural_trend", "neural_forecast"),
        ("ml_enhanced", "neural_forecast"),
        ("neural_sentiment", "sentiment"),
        ("news", "sentiment"),
        ("neural_arbitrage", "arbitrage"),
        ("risk-parity", "risk_parity"),
        ("Multi Factor", "multi_factor"),
        ("ensemble", "ensemble"),
        ("market-making", "market_making"),
        ("momentum_trader", "momentum"),
        ("enhanced_momentum", "momentum"),
        ("swing", "mean_reversion"),
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
def test_it_does_trade_in_the_tests_below(strategy: Strategy, group: FloatArray, drive: Any) -> None:
    targets, _ = drive(strategy, closes_of(strategy, group), QUICK[strategy.name])
    sides = {1.0} if strategy.name in LONG_ONLY else {-1.0, 1.0}
    assert sides <= set(np.sign(targets).ravel().tolist())


@every_strategy
@pytest.mark.parametrize("change", [1.5, 1e6, np.nan])
def test_the_future_changes_nothing_before_it(strategy: Strategy, change: float, group: FloatArray, drive: Any) -> None:
    closes = closes_of(strategy, group)
    before = drive(strategy, closes, QUICK[strategy.name])
    for row in (1, 59, 60, 150, 333, 499):
        for column in range(strategy.width):
            changed = closes.copy()
            changed[row:, column] *= change
            after = drive(strategy, changed, QUICK[strategy.name])
            for a, b in zip(after, before, strict=True):
                assert a[:row].tobytes() == b[:row].tobytes()


@every_strategy
def test_the_same_bars_give_the_same_bits(strategy: Strategy, group: FloatArray, drive: Any) -> None:
    closes = closes_of(strategy, group)
    first, second = (drive(strategy, closes, QUICK[strategy.name]) for _ in range(2))
    assert [a.tobytes() for a in first] == [b.tobytes() for b in second]


@every_strategy
@pytest.mark.parametrize("missing", [np.nan, 0.0, -1.0, np.inf])
def test_a_missing_bar_repeats_the_vote_and_is_forgotten(
    strategy: Strategy, missing: float, group: FloatArray, drive: Any
) -> None:
    closes = closes_of(strategy, group)
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


def test_finding_one_strategy_imports_no_other() -> None:
    code = (
        "import sys; from nt_ray.strategies.registry import find; find('momentum');"
        "print([m for m in ('pairs', 'mirror', 'adaptive') if f'nt_ray.strategies.{m}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_of_the_registry_holds_the_strategy_of_its_name() -> None:
    assert tuple(s.name for s in STRATEGIES) == NAMES
