import numpy as np
import pytest

from nt_ray.backtest.research.space import candidates
from nt_ray.backtest.search.space import parse_space
from nt_ray.backtest.sweep.space import Grid
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import ORDER_STRATEGIES, STRATEGIES, find, find_orders


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


FOREIGN = [
    ("statistical_arbitrage", "num_securities", 20, "one symbol against four"),
    ("statistical_arbitrage", "holding_time_minutes", 30, "counts in bars"),
    ("adaptive", "volatility_threshold", 20, "use turbulence"),
    ("adaptive", "strategy_count", 4, "`ensemble`, or agents of a swarm"),
    ("market_making", "inventory_limit", 1000, "market_making_quotes"),
]


@pytest.mark.parametrize(("strategy", "name", "value", "remedy"), FOREIGN)
def test_a_name_that_means_something_else_here_says_what_to_use(
    strategy: str, name: str, value: float, remedy: str
) -> None:
    found = find(strategy)
    with pytest.raises(StrategyError, match=f"has no parameter '{name}'") as caught:
        found.vector({name: value})
    assert remedy in str(caught.value)
    ways = (
        lambda: Grid({name: [value]}).size(found),
        lambda: candidates(found, {name: [value]}),
        lambda: parse_space(found, [f"{name}={value}"]),
    )
    for way in ways:
        with pytest.raises(StrategyError) as again:
            way()
        assert str(again.value) == str(caught.value)


def test_a_confidence_is_the_probability_of_the_right_sign() -> None:
    forecast = find("neural_forecast")
    for confidence, ratio in ((0.5, 0.0), (0.75, 0.6744897501960817), (0.9, 1.2815515655446004)):
        expected = forecast.vector({"threshold": ratio})
        assert forecast.vector({"confidence_threshold": confidence}) == pytest.approx(expected, abs=1e-12)
    for wrong in (0.49, 1.0, 75.0):
        with pytest.raises(StrategyError, match="is no probability of the right sign"):
            forecast.vector({"confidence_threshold": wrong})
    with pytest.raises(StrategyError, match="threshold is given twice, once as 'confidence_threshold'"):
        forecast.vector({"threshold": 1.0, "confidence_threshold": 0.75})
    with pytest.raises(StrategyError, match=r"exit=0.7 is above threshold=0.67"):
        forecast.vector({"exit": 0.7, "confidence_threshold": 0.75})
    with pytest.raises(StrategyError, match=r"Use threshold, the forecast in units of volatility"):
        Grid({"confidence_threshold": [0.75]}).size(forecast)


def test_a_limit_of_the_inventory_is_counted_in_quotes() -> None:
    quotes = find_orders("market_making_quotes")
    assert quotes is not None
    for values, units in (({"inventory_limit": 1000}, 10.0), ({"inventory_limit": 60, "quote_size": 20}, 3.0)):
        vector = dict(zip((p.name for p in quotes.parameters), quotes.vector(values).tolist(), strict=True))
        assert vector["inventory"] == units
        assert vector["size"] == values.get("quote_size", 100)
    with pytest.raises(StrategyError, match="inventory_limit=250 is no multiple of size=100"):
        quotes.vector({"inventory_limit": 250})
    with pytest.raises(StrategyError, match="inventory=0 is out of range"):
        quotes.vector({"inventory_limit": 0})


@pytest.mark.parametrize("name", ["options_delta_neutral", "Options-Delta-Neutral"])
def test_a_strategy_of_options_is_known_and_says_what_is_missing(name: str) -> None:
    with pytest.raises(
        StrategyError, match="trades options, whose chains and volatilities no data of the platform hold"
    ):
        find(name)


def test_an_order_strategy_is_found_by_the_commands_that_run_it_alone() -> None:
    assert [s.name for s in ORDER_STRATEGIES] == ["market_making_quotes"]
    assert find_orders(" Market-Making Quotes ") is ORDER_STRATEGIES[0]
    assert find_orders("momentum") is None
    with pytest.raises(StrategyError, match="gives orders, which `nt-ray backtest` and `nt-ray check` alone run"):
        find("market_making_quotes")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_names_and_aliases_of_parameters_are_unique(strategy: object) -> None:
    names = [n for p in strategy.parameters for n in (p.name, *p.aliases)]  # type: ignore[attr-defined]
    names += [f.name for f in strategy.foreign]  # type: ignore[attr-defined]
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
