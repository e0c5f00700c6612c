from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.backtest.search.space import Choice, SearchSpace, SpaceError, Span, parse_space
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find

MOMENTUM = find("momentum")


def test_texts_become_ranges_lists_and_steps() -> None:
    space = parse_space(MOMENTUM, ["lookback=10:200", "entry=0.5, 1,1.5", "skip=0:20:5", "exit=0.01:0.2:log"])
    assert space.domains == {
        "lookback": Span(10, 200, integer=True),
        "entry": Choice((0.5, 1.0, 1.5)),
        "skip": Choice((0.0, 5.0, 10.0, 15.0, 20.0)),
        "exit": Span(0.01, 0.2, log=True),
    }


def test_a_step_counts_from_the_first_value_without_drift() -> None:
    domain = parse_space(MOMENTUM, ["entry=0.1:0.7:0.1"]).domains["entry"]
    assert domain == Choice((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lookback", "NAME=VALUES"),
        ("lookback=", "NAME=VALUES"),
        ("lookback=10:x", "'x' is no number"),
        ("lookback=10:nan", "'nan' is no number"),
        ("lookback=200:10", "no range"),
        ("lookback=10:10", "no range"),
        ("lookback=10:200:5:5", "no range"),
        ("entry=0:2:log", "no range"),
        ("lookback=10:200:0", "step"),
        ("lookbak=10:200", "no parameter 'lookbak'"),
        ("lookback=10.5,20", "whole number"),
        ("lookback=0:100000000", "out of range"),
    ],
)
def test_what_cannot_be_searched_is_named(text: str, said: str) -> None:
    with pytest.raises(StrategyError, match=said):
        parse_space(MOMENTUM, [text])


def test_a_parameter_stands_once_and_there_is_at_least_one() -> None:
    with pytest.raises(StrategyError, match="twice"):
        parse_space(MOMENTUM, ["lookback=10:20", "lookback=30:40"])
    with pytest.raises(SpaceError, match="no parameter to search"):
        parse_space(MOMENTUM, [])


@given(seed=st.integers(0, 2**63), number=st.integers(0, 10**6))
def test_every_sample_lies_in_the_space_and_depends_on_seed_and_number_alone(seed: int, number: int) -> None:
    space = parse_space(MOMENTUM, ["lookback=10:200", "entry=0.2:2.0", "skip=0,10,21", "scale=0.5:4:log"])
    values = space.sample(seed, number)
    MOMENTUM.vector(values)
    assert values == space.nearest(values) == space.sample(seed, number)


def test_samples_are_even_in_the_range_and_in_its_logarithm() -> None:
    space = parse_space(MOMENTUM, ["lookback=11:20", "scale=0.1:10:log"])
    drawn = [space.sample(3, number) for number in range(4000)]
    counts = np.bincount([int(v["lookback"]) for v in drawn])[11:]
    assert len(counts) == 10
    assert counts.min() > 320
    assert counts.max() < 480
    below = np.mean([v["scale"] < 1.0 for v in drawn])
    assert below == pytest.approx(0.5, abs=0.04)


def test_combinations_that_the_strategy_refuses_are_drawn_anew() -> None:
    space = parse_space(MOMENTUM, ["entry=0.1:1.0", "exit=0.1:1.0"])
    drawn = [space.sample(1, number) for number in range(50)]
    assert all(v["exit"] <= v["entry"] for v in drawn)
    never = SearchSpace(MOMENTUM, {"entry": Choice((0.1,)), "exit": Choice((0.5,))})
    with pytest.raises(SpaceError, match="none of 1000 draws"):
        never.sample(1, 0)


def test_the_nearest_candidate_lies_inside_and_is_whole_where_it_must_be() -> None:
    space = parse_space(MOMENTUM, ["lookback=10:200", "skip=0,10,21"])
    assert space.nearest({"lookback": 211.7, "skip": 14.0}) == {"lookback": 200.0, "skip": 10.0}
    assert space.nearest({"lookback": 55.6, "skip": 100.0}) == {"lookback": 56.0, "skip": 21.0}


def test_an_alias_names_the_parameter_itself() -> None:
    lookback = replace(MOMENTUM.parameters[0], aliases=("lookback_period",))
    strategy = replace(MOMENTUM, parameters=(lookback, *MOMENTUM.parameters[1:]))
    assert set(parse_space(strategy, ["lookback_period=10:20"]).domains) == {"lookback"}
    with pytest.raises(SpaceError, match="twice"):
        parse_space(strategy, ["lookback_period=10:20", "lookback=30:40"])
