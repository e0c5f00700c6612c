import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import STRATEGIES, find


@pytest.mark.parametrize(
    ("strategy", "alias", "name", "value"),
    [
        ("momentum", "lookback_period", "lookback", 40.0),
        ("momentum", "entry_threshold", "entry", 1.5),
        ("mean_reversion", "lookback_window", "window", 30.0),
        ("mean_reversion", "z_score_threshold", "entry", 2.5),
        ("mean_reversion", "exit_z_score", "exit", 0.25),
        ("trend_following", "fast_ma", "fast", 10.0),
        ("trend_following", "slow_ma", "slow", 70.0),
        ("trend_following", "min_trend_strength", "min_strength", 0.03),
        ("breakout", "consolidation_period", "window", 20.0),
        ("breakout", "breakout_threshold", "threshold", 0.01),
        ("mirror", "lookback_bars", "lookback", 150.0),
        ("mirror", "pattern_similarity_threshold", "similarity", 0.9),
        ("adaptive", "regime_lookback", "lookback", 80.0),
        ("adaptive", "rebalance_period", "rebalance", 3.0),
        ("multi_indicator", "rsi_period", "rsi_window", 10.0),
    ],
)
def test_an_alias_is_the_parameter_itself(strategy: str, alias: str, name: str, value: float) -> None:
    found = find(strategy)
    by_alias = found.vector({alias: value})
    assert by_alias.tolist() == found.vector({name: value}).tolist()
    assert by_alias.tolist() != found.vector().tolist()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_names_and_aliases_of_parameters_are_unique(strategy: object) -> None:
    names = [n for p in strategy.parameters for n in (p.name, *p.aliases)]  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)


def test_a_value_given_under_two_names_is_refused() -> None:
    with pytest.raises(StrategyError, match="fast is given twice, once as 'fast_ma'"):
        find("trend_following").vector({"fast": 10, "fast_ma": 12})


def test_an_alias_is_checked_as_its_parameter_is() -> None:
    with pytest.raises(StrategyError, match=r"Parameter fast=0 is out of range\. Use 1 to"):
        find("trend_following").vector({"fast_ma": 0})
    with pytest.raises(StrategyError, match="must be a whole number"):
        find("trend_following").vector({"fast_ma": 5.5})
    with pytest.raises(StrategyError, match="fast=60 is not below slow=50"):
        find("trend_following").vector({"fast_ma": 60})


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("trend_following", {"fast": 20, "slow": 50, "atr_multiplier": 2.0, "min_strength": 0.02}),
        ("breakout", {"window": 14, "threshold": 0.025, "volume_multiplier": 1.5, "stop_loss": 0.02}),
        ("mirror", {"lookback": 100, "similarity": 0.85}),
        ("adaptive", {"rebalance": 7, "lookback": 60}),
        (
            "multi_indicator",
            {"rsi_window": 14, "oversold": 35, "overbought": 70, "macd_fast": 12, "macd_slow": 26, "macd_signal": 9}
            | {"band_window": 20, "band_width": 2.0, "agree": 2},
        ),
    ],
)
def test_defaults_are_the_usual_ones(strategy: str, expected: dict[str, float]) -> None:
    found = find(strategy)
    values = dict(zip([p.name for p in found.parameters], found.vector().tolist(), strict=True))
    assert {name: values[name] for name in expected} == expected
    assert np.isfinite(list(values.values())).all()
